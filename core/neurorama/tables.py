"""The papers' own tables run again: what a paper says of its system on real data, and what ours does there.

A figure is a `Result` on an exhibit's index card. It is run by its paper's protocol: the public split with seeds 0, 1,
2, ..., or the splits that the data comes with, taken in turn; the test score counts where the validation score was
first at its best, or after the last step where the paper has it so. What was found is one JSON file,
`{key: {source: Found}}`, written after every run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from . import __version__, catalogue, places
from .data.folder import write
from .errors import InputError, nearest, one_line
from .exhibit import Result
from .jobs import Jobs, Settings
from .jobs.batch import Batch, Watch
from .runner import among, knobs_of

_CLOSE = 1.0  # points that ours may be off in any case
_TIME = 7200.0  # seconds that a run may take: papers take their time,
_MEMORY = 8192  # and MB that it may take
_LOOK = 0.1  # seconds between two looks


class Found(BaseModel):
    """What was found for one figure.

    `knobs` are all settings but the seed; `at` is when in training the test score counts; `scores` has it for each
    seed, or number of a split, in per cent; `seconds` is the CPU time that the last run took.
    """

    model_config = ConfigDict(frozen=True)

    knobs: dict[str, Any]
    at: str
    scores: dict[int, float]
    seconds: float
    version: str
    date: str  # ISO 8601, UTC


@dataclass(frozen=True)
class Line:
    """A paper's figure and ours, in per cent; `found` is None where there is none by these settings yet."""

    key: str
    result: Result
    found: Found | None = None

    @property
    def runs(self) -> int:
        return len(self.found.scores) if self.found else 0

    @property
    def mean(self) -> float:
        return fmean(self.found.scores.values()) if self.found else math.nan

    @property
    def spread(self) -> float:
        """The standard deviation over the runs; not a number where there is one only."""
        return stdev(self.found.scores.values()) if self.found and self.runs > 1 else math.nan

    @property
    def difference(self) -> float:
        """Ours minus the paper's."""
        return self.mean - self.result.says

    @property
    def close(self) -> bool:
        """Within the paper's own standard deviation or one point, whichever is larger."""
        return abs(self.difference) <= max(self.result.spread, _CLOSE)

    @property
    def knobs(self) -> dict[str, Any]:
        """All settings but the seed."""
        return knobs_of(catalogue.load(self.key), self.result.knobs).model_dump(exclude={"seed"})


_FILE = TypeAdapter(dict[str, dict[str, Found]])


def _read(file: Path) -> dict[str, dict[str, Found]]:
    if not file.is_file():
        return {}
    try:
        return _FILE.validate_json(file.read_bytes())
    except ValidationError as error:
        raise InputError(f"{file} is not a file of tables: {one_line(error)}") from None


def read_tables() -> dict[str, dict[str, Found]]:
    """What was published with the package, and over it what was found here.

    Raises:
        InputError: a file that is not what `write_tables` writes.
    """
    return _merged(_read(places.assets() / "tables.json"), _read(places.tables()))


def write_tables(new: Mapping[str, Mapping[str, Found]]) -> Path:
    """Merges `new` into `places.tables()`, all at once or not at all, and returns the file.

    Raises:
        InputError: the file that is there cannot be read as tables.
        OSError: the folder cannot be written.
    """
    file = places.tables()
    write(file, _FILE.dump_json(_merged(_read(file), new), indent=1) + b"\n")
    return file


def _merged(old: Mapping[str, Mapping[str, Found]], new: Mapping[str, Mapping[str, Found]]) -> dict[str, Any]:
    keys = sorted(old.keys() | new.keys())
    return {key: dict(sorted({**old.get(key, {}), **new.get(key, {})}.items())) for key in keys}


def lines(arena: str, only: Sequence[str] | None = None, source: str = "") -> list[Line]:
    """The figures of an arena's papers, with what was found by just these settings.

    Args:
        arena: `area/name`, or the name alone.
        only: names, slugs or keys of entries; all otherwise.
        source: data by name; all otherwise.

    Raises:
        InputError: unknown arena, entry, or source; or the file of tables cannot be read.
    """
    ring, keys = catalogue.arena(arena)
    if source and source not in ring.sources:
        raise InputError(f"{arena} has no source {source!r}; {nearest(source, ring.sources)}")
    found = read_tables()
    listed = []
    for key in keys if only is None else among(keys, only):
        try:
            results = catalogue.load(key).results
        except Exception:  # a broken exhibit breaks only itself; `check` tells of it
            continue
        for result in results:
            if source in ("", result.source):
                line, old = Line(key, result), found.get(key, {}).get(result.source)
                same = old is not None and (old.knobs, old.at) == (line.knobs, result.at)
                listed.append(replace(line, found=old) if same else line)
    return listed


def second_hand(lines: Sequence[Line]) -> dict[tuple[str, str], list[str]]:
    """{(name of a system, where its figures were seen): the data}, of those that are not in the system's own paper."""
    told: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        if line.result.seen_in:
            told.setdefault((catalogue.row(line.key).name, line.result.seen_in), []).append(line.result.source)
    return told


@final
class Cell(Batch):
    """The runs that a line still lacks; `result` is the line with those that are done."""

    def __init__(self, jobs: Jobs, line: Line, runs: int) -> None:
        self.line, self.kept = line, 0  # how many of its runs are in the file, or have failed
        seeds = [seed for seed in range(runs) if line.found is None or seed not in line.found.scores]
        super().__init__([jobs.solo(line.key, line.result.source, {**line.knobs, "seed": seed}) for seed in seeds])

    @property
    def result(self) -> Line:
        done = {job.params["knobs"]["seed"]: job for job in self.jobs if job.state == "done" and not job.fault}
        if not done:
            return self.line
        scores = {seed: round(100 * job.numbers[self.line.result.at], 2) for seed, job in done.items()}
        found = Found(
            knobs=self.line.knobs,
            at=self.line.result.at,
            scores=dict(sorted({**(self.line.found.scores if self.line.found else {}), **scores}.items())),
            seconds=round([*done.values()][-1].seconds, 1),
            version=__version__,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return replace(self.line, found=found)

    @property
    def fault(self) -> str:
        """Why a run of it has no score; "" where all have."""
        return next((job.fault or job.state for job in self.jobs if job.fault or job.state != "done"), "")


def fill(
    arena: str,
    only: Sequence[str] | None = None,
    source: str = "",
    runs: int | None = None,
    again: bool = False,
    workers: int | None = None,
    watch: Watch | None = None,
) -> Iterator[tuple[Line, str]]:
    """Makes the runs that the table of an arena lacks, on the cluster, and keeps the score of each as it comes.

    Args:
        arena, only, source: as for `lines`.
        runs: how many seeds or splits of each line; as many as its paper has otherwise.
        again: also those that are there.
        workers: how many side processes; those of the settings otherwise.
        watch: called with (runs done, runs in all).

    Yields:
        Each line once it is over, and why a run of it has failed, or "".

    Raises:
        InputError: as for `lines`.
    """
    wanted = lines(arena, only, source)
    settings = Settings.of_environment()
    limits = {"time_limit": max(_TIME, settings.time_limit), "memory_limit": max(_MEMORY, settings.memory_limit)}
    limits["workers"] = workers or settings.workers
    with Jobs(settings=settings.model_copy(update=limits)) as jobs:
        going = [
            Cell(jobs, replace(line, found=None) if again else line, line.result.runs if runs is None else runs)
            for line in wanted
        ]
        total, told = sum(cell.of for cell in going), -1
        try:
            while going:
                for cell in list(going):
                    over = not cell.running
                    if cell.done > cell.kept:
                        cell.kept, line = cell.done, cell.result
                        if line.found:
                            write_tables({line.key: {line.result.source: line.found}})
                    if over:
                        going.remove(cell)
                        yield cell.result, cell.fault
                done = total - sum(cell.of - cell.done for cell in going)
                if watch is not None and done != told:
                    watch(done, total)
                told = done
                time.sleep(_LOOK)
        finally:
            for cell in going:
                cell.stop()
