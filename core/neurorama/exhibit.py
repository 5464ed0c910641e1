"""An exhibit is a value: a paper, its knobs, its run, its claim and the captions of its panes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from .paper import Paper, Params
from .trace import Run, Trace

if TYPE_CHECKING:
    from .arena import Arena

P = TypeVar("P", bound=Params)


@dataclass(frozen=True)
class Claim:
    """What the paper found, as one signed number per seed: above zero supports it, below refutes it.

    Args:
        statement: the finding, in our words.
        paper_says: the paper's own figure and setting, or "".
        margin: Trace -> the number, measured on the very trace that is shown.
        unit: what the margin is measured in ("accuracy, DAGNN minus GCN").
        control: knobs that switch the mechanism off; the claim must then not come out supported.
        seeds: how many seeds a judgement takes, from 0 upwards.
    """

    statement: str
    margin: Callable[[Trace], float]
    control: Mapping[str, Any]
    paper_says: str = ""
    unit: str = ""
    seeds: int = 5


@dataclass(frozen=True)
class Preset:
    """Knob settings worth seeing, with the sentence that says what to see."""

    says: str
    knobs: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """A figure from the paper's own table on data that can be had, with the settings that should give it here.

    Args:
        source: the data by name, e.g. "cora"; one figure for each.
        says: the paper's figure, in per cent.
        spread: the standard deviation that the paper states, or 0 where none was seen.
        knobs: the paper's settings on this data; `source` and `seed` are filled in.
        runs: how many seeds, or how many of the given splits, the protocol has.
        at: when in training the test score counts: at the first best validation score, or after the last step.
        seen_in: where the figure was seen, if not in the paper itself: the address of the other paper.
        note: where ours is further off than it should be, the likeliest reason, in one sentence.
    """

    source: str
    says: float
    spread: float = 0.0
    knobs: Mapping[str, Any] = field(default_factory=dict)
    runs: int = 10
    at: Literal["best validation", "last step"] = "best validation"
    seen_in: str = ""
    note: str = ""


@dataclass(frozen=True)
class Entry(Generic[P]):
    """How a system enters its area's arena: `build(params, data)` gives a system that the arena trains.

    `takes` names the own knob that a common knob of the arena turns, where the two are not called the same:
    `{"depth": "hops"}`.
    """

    arena: Arena[Any, Any]
    build: Callable[[P, Any], Any]
    takes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exhibit(Generic[P]):
    """The index card of a paper.

    Args:
        paper: the facts.
        params: the class of the knobs.
        run: knobs -> frames, lazily.
        claim: what is judged.
        arms: names of the arms: the method first, its baseline second, then the others.
        views: series -> caption that says what to look at, in reading order.
        presets: name -> settings; one of them is called "where it breaks".
        fidelity: "full" (the real method, small), "simulated" (a machine or a large model is stood
            in for) or "concept" (a survey or position, shown as a live comparison).
        departs: what the miniature leaves out or does otherwise, in plain sentences.
        time: what a step is, the name of the time axis.
        entry: how the system enters its arena, where there is one it fits.
        results: figures of the paper's own tables, to be run again by `neurorama table`.
    """

    paper: Paper
    params: type[P]
    run: Callable[[P], Run]
    claim: Claim
    arms: tuple[str, ...]
    views: Mapping[str, str]
    presets: Mapping[str, Preset]
    fidelity: Literal["full", "simulated", "concept"]
    departs: str
    time: str = "training step"
    entry: Entry[P] | None = None
    results: tuple[Result, ...] = ()
