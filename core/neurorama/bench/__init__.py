"""Figures on speed and memory, measured on the reader's machine; a file for each topic, one torch thread.

A duel (`duel.py`) is a whole kernel beside what one would take instead; a growth (`growth.py`) is one computation on
data of several sizes. Peak memory is taken in a process of its own (`memory.py`). `kernels` and `graphs` hold them;
`stage` measures the player in a browser, `store` the keeping of runs, and `jobs` the side processes.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from . import duel, graphs, growth, jobs, kernels, stage, store
from .duel import Result, fight
from .growth import Grown, grow

DUELS = (*kernels.DUELS, *graphs.DUELS)
GROWTHS = graphs.GROWTHS


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


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def measure(quick: bool = False) -> list[Result]:
    """All duels, one after the other.

    Raises:
        RuntimeError: two sides do not agree.
    """
    with _one_thread():
        return [fight(one, quick) for one in DUELS]


def measure_growth(quick: bool = False) -> list[Grown]:
    """All growths, one after the other.

    Raises:
        RuntimeError: a result is not what it should be.
    """
    with _one_thread():
        return [grow(one, quick) for one in GROWTHS]


def main(json: bool = False, quick: bool = False) -> None:
    """Prints everything: tables, or JSON with `machine`, `duels`, `growths`, `stage`, `store` and `jobs`."""
    from rich import print_json
    from rich.console import Console

    if json:
        duels, growths = ([found.model_dump() for found in ask(quick)] for ask in (measure, measure_growth))
        kept = [found.model_dump() for found in store.measure(quick)]
        figures = {"duels": duels, "growths": growths, "stage": stage.measure(quick), "store": kept}
        figures["jobs"] = jobs.measure(quick).model_dump()
        print_json(data={"machine": machine(), **figures})
        return
    console = Console()
    with console.status("measuring; this takes about twenty minutes"):
        duels, growths, figures = measure(quick), measure_growth(quick), stage.measure(quick)
        kept, overhead = store.measure(quick), jobs.measure(quick)
    console.print(duel.table(duels))
    console.print(growth.table(growths))
    told = ", ".join(f"{what} {_said(value)}" for what, value in figures.items())
    console.print(f"The stage, four panes of {stage.NODES} nodes: {told}")
    console.print(store.table(kept))
    console.print(jobs.told(overhead))
    console.print(", ".join(f"{what} {value}" for what, value in machine().items()))


def _said(value: float | None) -> str:
    """Three digits of a small number, all of a large one."""
    return "unknown" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
