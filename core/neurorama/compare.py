"""Two runs as one: the same panes, one time, the same axes where they measure the same, and how far they are apart.

both = neurorama.compare(neurorama.run("dagnn"), neurorama.run("dagnn", {"depth": 4}))
neurorama.show(both.trace, exhibit=both)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import catalogue
from .exhibit import Exhibit
from .trace import Frame, Graph, Points, Trace, Value, split

KNOBS = 3  # of the knobs that differ so many are named


@dataclass(frozen=True)
class Comparison:
    """What `compare` gives: a trace whose arms are the two runs, and the card with which a stage draws it."""

    trace: Trace
    arms: tuple[str, ...]
    views: Mapping[str, str]
    time: str
    difference: str  # the series whose difference is drawn, or ""


def compare(first: Trace, second: Trace, names: tuple[str, str] | None = None) -> Comparison:
    """The methods of two runs side by side, of two exhibits or of one with two settings; baselines are left out.

    Of the first curve that both have, a new series tells the difference, first minus second. Between two of its
    frames a run is shown as it was, so runs with different steps can be compared.

    Args:
        names: what the runs are called; otherwise by their methods, and by the knobs that differ.

    Raises:
        InputError: an exhibit is not known.
    """
    exhibits = catalogue.load(first.exhibit), catalogue.load(second.exhibit)
    names = names or _names((first, second), (exhibits[0].arms[0], exhibits[1].arms[0]))
    unlike = _kinds(first).items() ^ _kinds(second).items()
    clash = {series for series, _ in unlike if series in _kinds(first) and series in _kinds(second)}
    sides = []
    for place, (trace, exhibit) in enumerate(zip((first, second), exhibits)):
        other = {series: f"{series} of {names[1]}" for series in clash} if place else {}
        sides.append(_Side(trace, exhibit, names[place], other))
    frames = _merged(sides)
    if _nodes(first) != _nodes(second):
        frames = [replace(frame, values={name: _named(v) for name, v in frame.values.items()}) for frame in frames]
    views = {**sides[1].views, **sides[0].views}  # captions of the first, in its order
    views = {series: views[series] for series in [*sides[0].views, *sides[1].views]}
    told = next((series for series in sides[0].views if _curve(frames, series, names)), "")
    if told:
        apart = f"difference in {told}"
        frames = [_with_difference(frame, value, apart) for frame, value in zip(frames, _apart(frames, told, names))]
        caption = f"{names[0]} minus {names[1]}: above zero the first is higher."
        views = dict(_after(views, told, apart, caption))
    return Comparison(
        Trace(first.exhibit, dict(first.params), tuple(frames)),
        names,
        views,
        exhibits[0].time if exhibits[0].time == exhibits[1].time else "step",
        told,
    )


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """The knobs in which two runs of one exhibit differ."""
    return [knob for knob in {**first, **second} if first.get(knob) != second.get(knob)]


def _names(traces: tuple[Trace, Trace], methods: tuple[str, str]) -> tuple[str, str]:
    one, two = traces
    if methods[0] != methods[1]:
        return methods
    knobs = differing(one.params, two.params)[:KNOBS]

    def called(trace: Trace, fallback: str) -> str:
        told = ", ".join(f"{knob.replace('_', ' ')} {_word(trace.params.get(knob))}" for knob in knobs)
        return f"{methods[0]}, {told or fallback}".replace("/", " ")

    return called(one, "first"), called(two, "second")


def _word(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value).removeprefix("mine/")


def _kinds(trace: Trace) -> dict[str, type]:
    """The type of each series' values."""
    last = {split(name)[0]: value for frame in trace.frames for name, value in frame.values.items()}
    return {series: float if isinstance(value, int | float) else type(value) for series, value in last.items()}


class _Side:
    """One of the two runs: the values of its method, step by step, under the name of the run."""

    def __init__(self, trace: Trace, exhibit: Exhibit[Any], name: str, other: Mapping[str, str]) -> None:
        self.trace, self.name, self.other = trace, name, other
        self.method = exhibit.arms[0]
        found = {split(name)[0] for name in trace.names() if split(name)[1] in ("", self.method)}
        self.views = {other.get(s, s): caption for s, caption in exhibit.views.items() if s in found}

    def values(self) -> Iterator[tuple[int, dict[str, Value]]]:
        for frame in self.trace.frames:
            mine = {}
            for name, value in frame.values.items():
                series, arm = split(name)
                if arm in ("", self.method):
                    mine[f"{self.other.get(series, series)}/{self.name}"] = value
            yield frame.step, mine


def _merged(sides: list[_Side]) -> list[Frame]:
    steps: dict[int, dict[str, Value]] = {}
    for side in sides:
        for step, values in side.values():
            steps.setdefault(step, {}).update(values)
    of = max((frame.of for side in sides for frame in side.trace.frames), default=0)
    return [Frame(step, of, steps[step]) for step in sorted(steps)]


def _curve(frames: list[Frame], series: str, names: tuple[str, str]) -> bool:
    """Whether both runs have numbers of that series."""
    wanted = {f"{series}/{name}" for name in names}
    return wanted <= {
        name for frame in frames for name, value in frame.values.items() if isinstance(value, int | float)
    }


def _apart(frames: list[Frame], series: str, names: tuple[str, str]) -> Iterator[float | None]:
    """First minus second at each step, None before both were measured."""
    now: dict[str, float] = {}
    for frame in frames:
        for name in names:
            value = frame.values.get(f"{series}/{name}")
            if isinstance(value, int | float):
                now[name] = float(value)
        yield now[names[0]] - now[names[1]] if len(now) == 2 else None


def _with_difference(frame: Frame, value: float | None, name: str) -> Frame:
    return frame if value is None else frame.plus({name: value})


def _after(views: Mapping[str, str], series: str, new: str, caption: str) -> Iterator[tuple[str, str]]:
    for name, said in views.items():
        yield name, said
        if name == series:
            yield new, caption


def _nodes(trace: Trace) -> set[tuple[str, ...]]:
    """The nodes of its graphs, by name or number."""
    graphs = (value for frame in trace.frames for value in frame.values.values() if isinstance(value, Graph))
    return {tuple(map(str, graph.names or range(graph.num_nodes))) for graph in graphs}


def _named(value: Value) -> Value:
    """With names for numbers: where two graphs differ, what is the same node is known by its name."""
    if isinstance(value, Graph) and not value.names:
        return replace(value, names=tuple(map(str, range(value.num_nodes))))
    if isinstance(value, Points) and not value.names:
        return replace(value, names=tuple(map(str, range(len(value.x)))))  # type: ignore[arg-type]
    return value
