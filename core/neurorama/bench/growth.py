"""How time and memory grow with the data: the same call on graphs of four sizes.

The exponent is the slope of a line through the logarithms of size and time: 1 is proportional, 2 quadratic. Peak memory
is that of a whole process that makes the largest data and calls once, libraries included (Linux only).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import linear_regression, median
from typing import Any

from pydantic import BaseModel

from . import memory
from .duel import seconds as spoken


@dataclass(frozen=True)
class Growth:
    """One computation whose cost is to grow no faster than its data.

    Args:
        name: what is computed.
        setup: (**size) -> the data.
        call: data -> the result; this is timed, from the raw data on.
        expected: data -> what the result is to be, by other means; asked for at the smallest size.
        agree: (result, expected) -> how far apart they are.
        sizes: in words that `setup` takes, ascending.
        quick: small sizes, which say nothing about speed (for tests).
        allowed: the gap that rounding, or a solver's tolerance, may leave.
        along: which word of a size counts.
        exponent: at most this.
        mib: of memory at most.
    """

    name: str
    setup: Callable[..., Any]
    call: Callable[[Any], Any]
    expected: Callable[[Any], Any]
    agree: Callable[[Any, Any], float]
    sizes: Sequence[Mapping[str, int]]
    quick: Sequence[Mapping[str, int]]
    allowed: float
    along: str = "edges"
    exponent: float = 1.1
    mib: float = 8192


class Grown(BaseModel):
    """How it grew; `seconds` are medians, one for each size, `peak` is in MiB (None where the system does not tell)."""

    name: str
    sizes: list[dict[str, int]]
    along: str
    seconds: list[float]
    exponent: float
    peak: float | None
    gap: float
    aims: dict[str, float]
    met: bool


def grow(growth: Growth, quick: bool = False, seconds: float = 10.0) -> Grown:
    """Checks the result at the smallest size, times all sizes, and measures the memory of the largest.

    Args:
        seconds: no new call on a size after these.

    Raises:
        RuntimeError: the result differs from the expected one by more than is allowed.
    """
    growth.call(growth.setup(**growth.quick[0]))  # loads the libraries
    sizes = [dict(size) for size in (growth.quick if quick else growth.sizes)]
    taken, gap = [], None
    for size in sizes:
        data, times = growth.setup(**size), []
        end = time.perf_counter() + seconds
        while not times or (len(times) < 3 and time.perf_counter() < end):
            start = time.perf_counter()
            result = growth.call(data)
            times.append(time.perf_counter() - start)
            if gap is None:
                gap = growth.agree(result, growth.expected(data))
                if not gap <= growth.allowed:
                    raise RuntimeError(
                        f"{growth.name}: {gap:.3g} from what it should be; {growth.allowed:g} is allowed"
                    )
            del result
        taken.append(median(times))
    exponent = linear_regression([log(size[growth.along]) for size in sizes], [log(value) for value in taken]).slope
    peak = memory.in_new_process(growth.name, "whole", *["quick"] * quick)
    return Grown(
        name=growth.name,
        sizes=sizes,
        along=growth.along,
        seconds=taken,
        exponent=exponent,
        peak=peak,
        gap=gap or 0.0,
        aims={"exponent": growth.exponent, "peak": growth.mib},
        met=exponent <= growth.exponent and (peak is None or peak <= growth.mib),
    )


def weigh(growth: Growth, quick: bool) -> float:
    """MiB that this process held at most, when it has made the largest data and called once."""
    growth.call(growth.setup(**(growth.quick if quick else growth.sizes)[-1]))
    return memory.most()


def table(results: Sequence[Grown]) -> Any:
    """The results as a rich table."""
    from rich.table import Table

    out = Table(title="Growth with the data, from raw data to result, medians")
    for heading in ("what", "sizes", "times", "exponent of time", "peak memory of the process"):
        out.add_column(heading)
    for r in results:
        largest = ", ".join(f"{count:,} {what}" for what, count in r.sizes[-1].items())
        peak = "unknown" if r.peak is None else f"{r.peak:,.0f} MiB (at most {r.aims['peak']:,.0f})"
        out.add_row(
            f"{r.name}\n[dim]at most {largest}[/dim]",
            "\n".join(f"{size[r.along]:,} {r.along}" for size in r.sizes),
            "\n".join(map(spoken, r.seconds)),
            f"{r.exponent:.2f} (at most {r.aims['exponent']:g})",
            f"{peak}\n{'met' if r.met else 'not met'}",
        )
    return out
