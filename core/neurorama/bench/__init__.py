"""Figures on speed and memory, measured on the reader's machine; a file for each topic, one torch thread.

`kernels` holds duels (`duel.py`): whole kernels beside what one would take instead. Peak memory is taken in a
process of its own for each side (`memory.py`).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from . import kernels
from .duel import Result, fight

DUELS = kernels.DUELS


def machine() -> dict[str, str | int]:
    """Where it was measured."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    return {
        "cpu": cpu,
        "cores": os.cpu_count() or 1,
        "torch threads": 1,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def measure(quick: bool = False) -> list[Result]:
    """All duels, one after the other.

    Raises:
        RuntimeError: two sides do not agree.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [fight(duel, quick) for duel in DUELS]
    finally:
        torch.set_num_threads(threads)


def main(json: bool = False, quick: bool = False) -> None:
    """Prints all duels: a table, or JSON with `machine` and `duels`."""
    from rich import print_json
    from rich.console import Console

    if json:
        print_json(data={"machine": machine(), "duels": [result.model_dump() for result in measure(quick)]})
        return
    console = Console()
    with console.status("measuring; this takes two or three minutes"):
        results = measure(quick)
    console.print(table(results))
    console.print(", ".join(f"{what} {value}" for what, value in machine().items()))


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
            f"{_seconds(r.ours)} ({_seconds(r.first_ours)})",
            f"{_seconds(r.theirs)} ({_seconds(r.first_theirs)})",
            f"{r.ratio:.1f}",
            aim,
            peaks,
        )
    return out


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"
