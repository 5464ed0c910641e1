"""A kernel beside what one would take instead: same answer, both times, both peaks of memory, one machine.

Both sides get the same data, in the form in which each would have it, and one torch thread. First they must
agree; then they take turns, and the median counts. "First" is what a side needs from the data to its first
result: sparse matrices are built in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pydantic import BaseModel

from . import memory


@dataclass(frozen=True)
class Duel:
    """One kernel and its rival.

    Args:
        name: what is computed.
        rival: what else one would take.
        setup: (**size) -> the data that both sides get.
        ours, theirs: data -> the call that is timed; what is prepared once happens before it is returned.
        agree: (data, our result, their result) -> how far apart they are; 0 is the same.
        size: how large, in words that `setup` takes.
        quick: a small size, which says nothing about speed (for tests).
        allowed: the gap that rounding, or another random start, may leave.
        aim: how many times faster we want to be, or None.
    """

    name: str
    rival: str
    setup: Callable[..., Any]
    ours: Callable[[Any], Callable[[], Any]]
    theirs: Callable[[Any], Callable[[], Any]]
    agree: Callable[[Any, Any, Any], float]
    size: Mapping[str, int]
    quick: Mapping[str, int]
    allowed: float = 0.0
    aim: float | None = None


class Result(BaseModel):
    """How a duel went; seconds are medians, `peak` is in MiB (None where the system does not tell)."""

    name: str
    rival: str
    size: dict[str, int]
    ours: float
    theirs: float
    ratio: float
    first_ours: float
    first_theirs: float
    peak_ours: float | None
    peak_theirs: float | None
    gap: float
    aim: float | None
    met: bool | None


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def _load(duel: Duel, side: str) -> None:
    """Runs one side on little, so that the libraries it needs are loaded."""
    getattr(duel, side)(duel.setup(**duel.quick))()


def fight(duel: Duel, quick: bool = False, repeats: int = 5, seconds: float = 10.0) -> Result:
    """Checks that both sides agree, times them in turns, and measures their memory.

    Args:
        repeats: at most so many turns, and at least two.
        seconds: no new turn after these.

    Raises:
        RuntimeError: the answers differ by more than the duel allows.
    """
    size = dict(duel.quick if quick else duel.size)
    data = duel.setup(**size)
    calls: dict[str, Callable[[], Any]] = {}

    def first(side: str) -> Any:
        calls[side] = getattr(duel, side)(data)
        return calls[side]()

    once, answers = {}, {}
    for side in ("ours", "theirs"):
        _load(duel, side)
        once[side], answers[side] = _timed(lambda side=side: first(side))
    gap = duel.agree(data, answers["ours"], answers["theirs"])
    if not gap <= duel.allowed:
        raise RuntimeError(f"{duel.name}: the two sides are {gap:.3g} apart, and {duel.allowed:g} is allowed")
    answers.clear()
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    end = time.perf_counter() + seconds
    while len(times["ours"]) < 2 or (len(times["ours"]) < repeats and time.perf_counter() < end):
        for side, taken in times.items():
            taken.append(_timed(calls[side])[0])
    ours, theirs = median(times["ours"]), median(times["theirs"])
    words = ["quick"] * quick
    return Result(
        name=duel.name,
        rival=duel.rival,
        size=size,
        ours=ours,
        theirs=theirs,
        ratio=theirs / ours,
        first_ours=once["ours"],
        first_theirs=once["theirs"],
        peak_ours=memory.in_new_process(duel.name, "ours", *words),
        peak_theirs=memory.in_new_process(duel.name, "theirs", *words),
        gap=gap,
        aim=duel.aim,
        met=None if duel.aim is None else theirs / ours >= duel.aim,
    )


def weigh(duel: Duel, side: str, quick: bool) -> float:
    """MiB that the first result of one side takes at most, beyond data and libraries; to be asked in a new process."""
    data = duel.setup(**(duel.quick if quick else duel.size))
    prepare = getattr(duel, side)
    _load(duel, side)
    return memory.peak(lambda: prepare(data)())


def table(results: Sequence[Result]) -> Any:
    """The results as a rich table."""
    from rich.table import Table

    out = Table(title="Whole kernels, medians; in brackets: until the first result")
    for heading in ("what", "beside", "ours", "theirs", "times faster", "aim", "peak memory, ours : theirs"):
        out.add_column(heading)
    for r in results:
        sizes = ", ".join(f"{count:,} {what}" for what, count in r.size.items())
        aim = "" if r.aim is None else f"{r.aim:g}, {'met' if r.met else 'not met'}"
        peaks = "unknown" if r.peak_ours is None else f"{r.peak_ours:,.0f} : {r.peak_theirs:,.0f} MiB"
        out.add_row(
            f"{r.name}\n[dim]{sizes}[/dim]",
            r.rival,
            f"{seconds(r.ours)} ({seconds(r.first_ours)})",
            f"{seconds(r.theirs)} ({seconds(r.first_theirs)})",
            f"{r.ratio:.1f}",
            aim,
            peaks,
        )
    return out


def seconds(value: float) -> str:
    """A time as a table has it."""
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"
