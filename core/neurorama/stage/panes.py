"""Series, renderers and panes: a trace, hung in rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import InputError, nearest
from ..trace import Bars, Curve, Events, Flow, Frame, Graph, Grid, Hist, Mask, Points, Trace, split
from .base import Figure, Renderer, Scene, Timeline, text
from .curves import Distributions, Functions, Numbers, Quantities
from .dots import Rasters, Representations
from .graphs import Flows, Graphs, Masks
from .grids import Matrices
from .projection import METHODS
from .svg import paint
from .theme import Theme
from .theme import theme as themed

RENDERERS: Mapping[type, type[Renderer]] = {
    float: Numbers,
    Points: Representations,
    Grid: Matrices,
    Graph: Graphs,
    Mask: Masks,
    Bars: Quantities,
    Events: Rasters,
    Flow: Flows,
    Hist: Distributions,
    Curve: Functions,
}

TALL, LOW = 380, 270  # pixels
WIDTH = 1060  # pixels of a row on a wide screen, for which heights are chosen
ACROSS = 4.2  # the room of a row: four curves


class Card(Protocol):
    """What the stage reads of an exhibit."""

    @property
    def arms(self) -> tuple[str, ...]: ...
    @property
    def views(self) -> Mapping[str, str]: ...
    @property
    def time(self) -> str: ...


@dataclass(frozen=True)
class Poster:
    """The same of something that is not an exhibit."""

    views: Mapping[str, str]
    arms: tuple[str, ...] = ()
    time: str = "training step"


@dataclass(frozen=True)
class Pane:
    """One picture.

    Args:
        series, arm: which values; the arm is "" where all arms share the picture.
        kind: the name of the value's type ("Graph", "float").
        title: the arm and the series, in a few words.
        caption: what to look at.
        note: what must be said of the picture itself (a limit in force, how far a projection can be trusted), or "".
        alt: the picture in one sentence, for screen readers.
        figure: plotly's schema as plain mappings and NumPy arrays; `plotly.graph_objects.Figure(figure)` accepts it.
        wide: the room it takes in its row, as a weight.
    """

    series: str
    arm: str
    kind: str
    title: str
    caption: str
    note: str
    alt: str
    figure: Figure
    wide: float


def kind_of(value: Any) -> type:
    """The key of `RENDERERS` for a value.

    Raises:
        TypeError: no value of a trace.
    """
    if isinstance(value, (int, float, np.number)):
        return float
    if type(value) in RENDERERS:
        return type(value)
    raise TypeError(f"{type(value).__name__} is not a value that the stage draws")


class Stage:
    """A run, ready to be drawn at any of its `steps`; `plan` has the rows of (series, arms, wide, height).

    Args:
        trace: the run, or what there is of it so far.
        exhibit: its arms (colours), views (captions and reading order) and time axis.
        projection: "pca", or "umap" where it is installed: how representations wider than two are laid flat.

    Raises:
        InputError: no such projection, or it is not installed; the trace has no frames, or none of the series that
            `exhibit.views` names.
    """

    def __init__(self, trace: Trace, exhibit: Card, projection: str = "pca") -> None:
        if projection not in METHODS:
            raise InputError(f"projection={projection!r} is not a projection; {nearest(projection, METHODS)}")
        if not trace.frames:
            raise InputError(f"the trace of {trace.exhibit or 'this run'} has no frames: nothing to draw yet")
        self.steps = tuple(frame.step for frame in trace.frames)
        self.of = max(frame.of for frame in trace.frames)
        self.views = exhibit.views
        arms = dict.fromkeys([*exhibit.arms, *(split(name)[1] for name in trace.names())])
        end = max(self.of, self.steps[-1])
        self.scene = Scene(exhibit.time, self.steps[0], end, tuple(arm for arm in arms if arm), projection)
        self.series = self._prepare(trace)
        if not self.series:
            raise InputError(f"no frame has any of {', '.join(exhibit.views) or 'the series: views is empty'}")
        self.plan = self._arrange()

    @classmethod
    def of_frames(cls, frames: Iterable[Frame], exhibit: Card) -> Stage:
        """The stage of a run that is still going on."""
        return cls(Trace("", {}, tuple(frames)), exhibit)

    def _prepare(self, trace: Trace) -> dict[str, Renderer]:
        found: dict[str, dict[str, list[tuple[int, Any]]]] = {}
        for frame in trace.frames:
            for name, value in frame.values.items():
                series, arm = split(name)
                found.setdefault(series, {}).setdefault(arm, []).append((frame.step, value))
        made: dict[str, Renderer] = {}
        order = self.scene.arms
        for series in self.views:
            if series not in found:
                continue
            lines = {arm: Timeline(pairs) for arm, pairs in found[series].items()}
            lines = dict(sorted(lines.items(), key=lambda item: order.index(item[0]) if item[0] in order else -1))
            kinds = {kind_of(value) for line in lines.values() for value in line.values}
            if len(kinds) > 1:
                raise TypeError(f"series {series!r} mixes {', '.join(sorted(kind.__name__ for kind in kinds))}")
            made[series] = RENDERERS[kinds.pop()](series, lines, self.scene)
        return made

    def _arrange(self) -> list[list[tuple[str, tuple[str, ...], float, int]]]:
        """Rows of (series, arms, wide, height): the first series large, the others as many as there is room for."""
        groups = [
            [
                (series, arms, made.wide)
                for arms in ([tuple(made.lines)] if made.joint else [(arm,) for arm in made.lines])
            ]
            for series, made in self.series.items()
        ]
        rows: list[list[tuple[str, tuple[str, ...], float]]] = [groups[0]]
        if len(groups[0]) == 1 and len(groups) > 1 and len(groups[1]) <= 2:
            rows[0] = [(series, arms, 1.5 * wide) for series, arms, wide in groups[0]] + groups[1]
            groups = groups[1:]
        rest = groups[1:]
        count = -(-sum(wide for group in rest for *_, wide in group) // ACROSS)
        while rest:
            aim = sum(wide for group in rest for *_, wide in group) / max(count, 1)
            row: list[tuple[str, tuple[str, ...], float]] = []
            while rest and (
                not row or sum(wide for *_, wide in row + rest[0]) <= min(max(aim * 1.15, 2.2), ACROSS + 0.6)
            ):
                row += rest.pop(0)
            rows.append(row)
            count -= 1
        split_rows = [row[i : i + 4] for row in rows for i in range(0, len(row), 4)]
        return [
            [(series, arms, wide, height) for series, arms, wide in row]
            for row, height in zip(split_rows, map(self._height, split_rows, [TALL] + [LOW] * len(split_rows)))
        ]

    def _height(self, row: list[tuple[str, tuple[str, ...], float]], most: int) -> int:
        total = sum(wide for *_, wide in row)
        return max(self.series[series].tall(arms, WIDTH * wide / total, most) for series, arms, wide in row)

    def _step(self, at: int | None) -> int:
        if at is None:
            return self.steps[-1]
        if not self.steps[0] <= at <= self.steps[-1]:
            raise InputError(f"at={at}: the trace has the steps {self.steps[0]} to {self.steps[-1]}")
        return self.steps[bisect_right(self.steps, at) - 1]

    def rows(self, at: int | None = None, theme: str = "light") -> list[list[Pane]]:
        """The panes at step `at` (the last one otherwise) as they are best hung: the first series
        large, arms side by side, then three or four to a row; in reading order throughout.

        Raises:
            InputError: `at` lies outside the run, or no such theme.
        """
        step, tones = self._step(at), themed(theme)
        return [[self._pane(*place, step, tones) for place in row] for row in self.plan]

    def panes(self, at: int | None = None, theme: str = "light") -> list[Pane]:
        """All panes of `rows`, one after the other."""
        return [pane for row in self.rows(at, theme) for pane in row]

    def thumbnail(self) -> str:
        """The first pane at the last step as a small inline SVG, for a card: no script, light and dark."""
        pane = self._pane(*self.plan[0][0], self.steps[-1], themed("light"))
        return paint(pane.figure, alt=pane.alt)

    def _pane(self, series: str, arms: tuple[str, ...], wide: float, height: int, step: int, tones: Theme) -> Pane:
        made = self.series[series]
        arm = "" if made.joint else arms[0]
        figure = made.figure(arms, step, tones, height)
        if step < (starts := made.starts(arms)):
            figure["layout"]["annotations"] = [_wait(starts, self.scene.time, tones)]
        note, alt, title = made.note(arms, step), self.alt(series, arms, step), self.title(series, arms)
        return Pane(series, arm, self.kind(series), title, self.views[series], note, alt, figure, wide)

    def title(self, series: str, arms: tuple[str, ...]) -> str:
        """The arm and the series, in a few words."""
        name = series if self.series[series].joint or not arms[0] else f"{arms[0]} · {series}"
        return name[:1].upper() + name[1:]

    def kind(self, series: str) -> str:
        """The name of the type of a series' values ("Graph", "float")."""
        return next(kind for kind, made in RENDERERS.items() if made is type(self.series[series])).__name__

    def alt(self, series: str, arms: tuple[str, ...], step: int) -> str:
        """A picture in one sentence."""
        made = self.series[series]
        if step < (starts := made.starts(arms)):
            return f"{self.title(series, arms)}: nothing before {self.scene.time} {starts}."
        arm = "" if made.joint or not arms[0] else f"{arms[0]}: "
        return f"{arm}{made.says(arms, step)}, at {self.scene.time} {step}."


def thumbnail(trace: Trace, exhibit: Card) -> str:
    """`Stage(trace, exhibit).thumbnail()`"""
    return Stage(trace, exhibit).thumbnail()


def _wait(starts: int, time: str, tones: Theme) -> dict[str, Any]:
    return {
        "text": f"from {text(time)} {starts} on",
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "showarrow": False,
        "font": {"color": tones.soft},
    }
