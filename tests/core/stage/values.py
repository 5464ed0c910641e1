"""Values of every type, made from a random generator: what the tests of the stage draw."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from neurorama import Bars, Curve, Events, Flow, Frame, Graph, Grid, Hist, Mask, Points
from neurorama.stage import Stage

Random = np.random.Generator


def graph(rng: Random, n: int = 12, m: int = 20, **more: Any) -> Graph:
    return Graph(rng.integers(0, n, (2, m)), n, **more)


def mask(rng: Random) -> Mask:
    over = graph(rng, classes=rng.integers(0, 3, 12))
    return Mask(rng.random(20), over, nodes=rng.random(12), target=3, truth=rng.random(20) < 0.3)


MAKE: dict[str, Callable[[Random], Any]] = {
    "float": lambda rng: float(rng.normal()),
    "Points": lambda rng: Points(rng.normal(size=(15, 6)), rng.integers(0, 4, 15), wrong=rng.random(15) < 0.3),
    "Grid": lambda rng: Grid(rng.normal(size=(4, 7)), "row", "column", "weight", signed=True),
    "Graph": lambda rng: graph(rng, classes=rng.integers(0, 4, 12), wrong=rng.random(12) < 0.4),
    "Mask": mask,
    "Bars": lambda rng: Bars(["a", "b", "c"], rng.random(3), "share", line=0.5),
    "Events": lambda rng: Events(rng.random(30) * 10, rng.integers(0, 5, 30), 5, "time (ms)", "neurons"),
    "Flow": lambda rng: Flow(rng.random((3, 4)), ["x", "y", "z"], list("abcd"), "tokens"),
    "Hist": lambda rng: Hist.of(rng.normal(size=50), 10, -3, 3, "weight", 0.5),
    "Curve": lambda rng: Curve(np.linspace(0, 1, 9), rng.normal(size=9), "frequency (Hz)", "gain"),
}


def card(*series: str, arms: tuple[str, ...] = ("Ours", "Plain")) -> SimpleNamespace:
    return SimpleNamespace(arms=arms, time="training step", views={name: f"Look at {name}." for name in series})


def staged(*moments: dict[str, Any], arms: tuple[str, ...] = ("Ours", "Plain")) -> Stage:
    """A stage with a moment at each of the steps 0, 10, 20, ..."""
    frames = [Frame(10 * i, 10 * (len(moments) - 1), values) for i, values in enumerate(moments)]
    series = dict.fromkeys(name.partition("/")[0] for values in moments for name in values)
    return Stage.of_frames(frames, card(*series, arms=arms))


def run_of(kind: str, seed: int = 0, steps: int = 4) -> Stage:
    rng = np.random.default_rng(seed)
    return staged(*({f"it/{arm}": MAKE[kind](rng) for arm in ("Ours", "Plain")} for _ in range(steps)))
