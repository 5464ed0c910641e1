"""What the tests put into side processes: made-up exhibits, `shelf/...`, that do as badly as an exhibit can.

Dask loads this file in every worker that a test starts (see `tests/conftest.py`); the fixture `shelf` puts the same
exhibits into the test's own process. A file `one-frame` in the user's data folder ends every run at its first frame.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from types import ModuleType
from typing import Any, final

import numpy as np
from pydantic import Field

from neurorama import (
    Arena,
    Bars,
    Claim,
    Entry,
    Exhibit,
    Frame,
    Paper,
    Params,
    Preset,
    Result,
    Run,
    Trace,
    catalogue,
    places,
    runner,
)
from neurorama.catalogue import Row


class Knobs(Params):
    steps: int = Field(4, ge=0, le=10_000, description="frames after the first")
    pause: float = Field(0.0, ge=0, le=10, description="seconds before a frame")
    size: int = Field(1, ge=1, le=10**6, description="numbers in a frame")
    effect: float = Field(1.0, ge=-5, le=5, description="how much better the method is")
    on: bool = Field(True, description="the mechanism; off: no effect")


def steady(knobs: Knobs) -> Run:
    for step in range(knobs.steps + 1):
        time.sleep(knobs.pause)
        gain = knobs.effect if knobs.on else 0.0
        parts = Bars([str(one) for one in range(knobs.size)], np.full(knobs.size, step))
        yield Frame(step, knobs.steps, {"score/method": gain + knobs.seed / 1000, "score/plain": 0.0, "parts": parts})


def raises(knobs: Knobs) -> Run:
    yield from islice(steady(knobs), 2)
    raise ZeroDivisionError("shapes <b>differ</b>\nand more")


def leaves(knobs: Knobs) -> Run:
    yield from islice(steady(knobs), 2)
    sys.exit(3)


def loops(knobs: Knobs) -> Run:
    yield from islice(steady(knobs), 2)
    while True:
        pass


def deaf(knobs: Knobs) -> Run:
    """A loop in C that gives nobody else in its process a turn."""
    yield from islice(steady(knobs), 2)
    sum(range(10**15))


def nan(knobs: Knobs) -> Run:
    for frame in steady(knobs):
        yield frame.plus({"score/method": float("nan")}) if frame.step >= 3 else frame


def hungry(knobs: Knobs) -> Run:
    yield from islice(steady(knobs), 2)
    eaten = []
    while True:
        eaten.append(np.ones(2**22))  # 32 MiB
        yield Frame(2, 9, {"score/method": 0.0, "score/plain": 0.0})


def where(knobs: Knobs) -> Run:
    """Which device torch takes when nobody names one."""
    import torch

    yield Frame(0, 0, {"score/method": float(torch.zeros(1).device.type == "cpu"), "score/plain": 0.0})


def margin(trace: Trace) -> float:
    return trace.last("score/method") - trace.last("score/plain")


def exhibit(run: Callable[[Any], Run]) -> Exhibit[Knobs]:
    return Exhibit(
        paper=Paper(id=1, title="A made-up paper", name=run.__name__.title()),
        params=Knobs,
        run=run,
        claim=Claim("The method is better.", margin, {"on": False}, unit="score, method minus plain"),
        arms=("method", "plain"),
        views={"score": "Which curve is higher?", "parts": "What there is of it."},
        presets={"where it breaks": Preset("The method is worse.", {"effect": -1.0})},
        fidelity="full",
        departs="Everything.",
    )


@final
class Board(Arena[list[int], float]):
    """Scores that are known beforehand. The third step is the best on validation, and the fifth as good, which tests
    higher; a source and a seed add to the test."""

    title = "Board"
    metric = "points"
    sources = ("first", "second")
    validation = (0.1, 0.5, 0.9, 0.2, 0.9, 0.3)
    test = (0.0, 0.8, 0.6, 0.7, 0.9, 1.0)

    def data(self, source: str, seed: int) -> float:
        return 0.1 * self.sources.index(source) + seed / 100

    def baselines(self, data: float) -> Mapping[str, list[int]]:
        return {}

    def train(self, system: list[int], data: float, steps: int) -> Iterator[float]:
        for step in range(steps):
            system.append(step)
            yield 0.0

    def score(self, system: list[int], data: float) -> float:
        return self.test[system[-1]] + data

    def scores(self, system: list[int], data: float) -> tuple[float, float]:
        return self.validation[system[-1]], self.score(system, data)


BOARD = Board()


def stumbling(knobs: Knobs, data: float) -> list[int]:
    if knobs.seed == 1:
        raise ZeroDivisionError("a bad split")
    return []


SHELF = {f"shelf/{run.__name__}": exhibit(run) for run in (steady, raises, leaves, loops, deaf, nan, hungry, where)}
SIX = {"steps": 6}
SHELF["shelf/entrant"] = replace(
    exhibit(steady),
    entry=Entry(BOARD, lambda knobs, data: []),
    results=(
        Result("first", 62.5, 1.6, SIX, runs=3, seen_in="https://example.org/other"),
        Result("second", 60.0, 0.0, SIX, runs=2, at="last step", note="It is made up."),
    ),
)
SHELF["shelf/stumbles"] = replace(
    exhibit(steady), entry=Entry(BOARD, stumbling), results=(Result("first", 60.0, 0.0, SIX, runs=3),)
)


def install(put: Callable[[dict[str, Any], str, Any], object]) -> None:
    """Puts the shelf into the catalogue: `put(mapping, key, value)`."""
    rows = catalogue._rows()
    for key, one in SHELF.items():
        module = ModuleType(key)
        vars(module)["EXHIBIT"] = one
        put(sys.modules, f"neurorama.exhibits.{key.replace('/', '.')}", module)  # type: ignore[arg-type]
        facts = dict.fromkeys(("kind", "idea", "mechanism", "claim", "picture", "reference"), "made up")
        area, slug = key.split("/")
        row = Row(1, area, slug, one.paper.title, one.paper.name, fidelity="full", views=(), shares=(), **facts)
        put(rows, key, row)  # type: ignore[arg-type]
    whole = frozenset(catalogue._built()) | SHELF.keys()
    put(vars(catalogue), "_built", lambda: whole)


def _shortened(frames: Callable[..., Run]) -> Callable[..., Run]:
    def short(*settings: Any, **named: Any) -> Run:
        made = frames(*settings, **named)
        return islice(made, 1) if (places.user() / "one-frame").exists() else made

    return short


def dask_setup(worker: Any) -> None:
    """Dask calls this when a worker starts."""
    install(lambda mapping, key, value: mapping.__setitem__(key, value))
    runner.frames, runner.league = _shortened(runner.frames), _shortened(runner.league)
