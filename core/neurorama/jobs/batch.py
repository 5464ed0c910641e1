"""Many runs for one answer: the judgement of a claim, and a sweep over knobs."""

from __future__ import annotations

import itertools
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np

from .. import catalogue
from ..errors import InputError, nearest
from ..trace import Grid
from .desk import Jobs
from .job import Job
from .settings import Settings
from .shared import jobs as shared

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..runner import Knobs, Verdict

MOST = 1000  # runs of a sweep
_LOOK = 0.05  # seconds between two looks

Watch = Callable[[int, int], Any]  # (runs done, runs in all)


class Batch(ABC):
    """Some jobs, watched and stopped as one."""

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs = jobs

    @property
    @abstractmethod
    def result(self) -> Any:
        """What came of them, as far as they are done."""

    @property
    def done(self) -> int:
        """How many of `of` are over."""
        return sum(not job.running for job in self.jobs)

    @property
    def of(self) -> int:
        return len(self.jobs)

    @property
    def running(self) -> bool:
        return any(job.running for job in self.jobs)

    @property
    def waiting(self) -> bool:
        """None has begun."""
        return all(job.waiting for job in self.jobs)

    @property
    def ahead(self) -> int:
        return min((job.ahead for job in self.jobs), default=0)

    @property
    def trouble(self) -> str:
        return next((job.trouble for job in self.jobs if job.trouble), "")

    @property
    def stopped(self) -> bool:
        return any(job.stopped for job in self.jobs)

    @property
    def elapsed(self) -> float:
        """Seconds of work so far, of all together."""
        return sum(job.elapsed for job in self.jobs)

    @property
    def expected(self) -> float | None:
        """Seconds that all will have taken together, as far as those that are done tell."""
        done = [job.elapsed for job in self.jobs if not job.running]
        return sum(done) / len(done) * self.of if done else None

    def look(self) -> None:
        """Says that somebody is watching."""
        for job in self.jobs:
            job.look()

    def stop(self) -> None:
        for job in reversed(self.jobs):  # the last ones first, so that none begins meanwhile
            if job.running:
                job.stop()

    def wait(self, watch: Watch | None = None) -> None:
        """Returns when all are over; they are stopped where waiting is broken off."""
        told = -1
        try:
            while True:
                done = self.done
                if watch is not None and done != told:
                    watch(done, self.of)
                told = done
                if done == self.of:
                    return
                time.sleep(_LOOK)
        except BaseException:
            self.stop()
            raise


@final
class Judgement(Batch):
    """A claim, judged on the cluster as `neurorama.judge` does it in one process; `result` is its verdict, or None."""

    def __init__(self, jobs: Jobs, key: str, params: Knobs = None, seeds: int | None = None, owner: str = "") -> None:
        """Starts its runs.

        Raises:
            InputError: unknown key, a bad knob, or less than two seeds.
        """
        from ..runner import trials

        self.key, self._params, self._seeds = catalogue.resolve(key), params, seeds
        self._verdict: Verdict | None = None
        self._fault = ""
        super().__init__([jobs.margin(self.key, knobs, owner=owner) for knobs in trials(key, params, seeds)])

    @property
    def fault(self) -> str:
        """Why there is no verdict, in one line."""
        self._conclude()
        return next((job.fault for job in self._broken()), self._fault)

    @property
    def details(self) -> str:
        return next((job.details for job in self._broken()), "")

    @property
    def result(self) -> Verdict | None:
        self._conclude()
        return self._verdict

    def _broken(self) -> list[Job]:
        return [job for job in self.jobs if job.state in ("failed", "lost")]

    def _conclude(self) -> None:
        from ..runner import verdict

        if self._verdict or self._fault or any(job.state != "done" for job in self.jobs):
            return
        try:
            results = [(job.numbers["margin"], job.seconds) for job in self.jobs]
            self._verdict = verdict(self.key, self._params, results)
        except ValueError as error:  # a margin that is not finite
            self._fault = str(error)


def judge_many(
    keys: Sequence[str],
    seeds: int | None = None,
    workers: int | None = None,
    watch: Watch | None = None,
) -> Iterator[tuple[str, Verdict | Exception]]:
    """Judges several claims, their runs spread over side processes.

    Args:
        workers: how many side processes; those of the settings otherwise.
        watch: called with (runs done, runs in all).

    Yields:
        (key, its verdict, or the error that kept it from one), in the order in which they are done.
    """
    settings = Settings.of_environment()
    with Jobs(settings=settings.model_copy(update={"workers": workers or settings.workers})) as jobs:
        going: list[Judgement] = []
        try:
            for key in dict.fromkeys(keys):
                try:
                    going.append(Judgement(jobs, key, seeds=seeds))
                except Exception as error:  # a broken exhibit breaks only itself
                    yield key, error
            total, told = sum(one.of for one in going), -1
            over: list[Judgement] = []
            while len(over) < len(going):
                done = sum(one.done for one in going)
                if watch is not None and done != told:
                    watch(done, total)
                told = done
                for one in going:
                    if one not in over and not one.running:
                        over.append(one)
                        yield one.key, one.result or RuntimeError(one.fault or "it was stopped")
                time.sleep(_LOOK)
        finally:
            for one in going:
                one.stop()


@final
class Sweep(Batch):
    """An exhibit run at every combination of some knobs' values; `result` is a table with a row for each run."""

    def __init__(
        self,
        jobs: Jobs,
        key: str,
        axes: Mapping[str, Iterable[Any]],
        knobs: Knobs = None,
        *,
        owner: str = "",
        again: bool = False,
    ) -> None:
        """Starts its runs, those that the store does not have.

        Args:
            axes: knob -> its values; `{"depth": [2, 8], "seed": range(3)}` makes six runs.
            knobs: the other knobs.
            again: all runs are made anew.

        Raises:
            InputError: unknown key or knob, a bad value, or too many runs.
        """
        from ..runner import knobs_of

        exhibit = catalogue.load(key)
        self.key = catalogue.resolve(key)
        base = knobs_of(exhibit, knobs).model_dump()
        for name in axes:
            if name not in base:
                raise InputError(f"{self.key} has no knob {name!r}; {nearest(name, base)}")
        self.axes = {name: _distinct(exhibit, base, name, values) for name, values in axes.items()}
        runs = math.prod(map(len, self.axes.values()))
        if not 1 <= runs <= MOST:
            raise InputError(f"these are {runs:,} runs; a sweep has 1 to {MOST:,}")
        self.cells = [dict(zip(self.axes, values)) for values in itertools.product(*self.axes.values())]
        parsed = [exhibit.params.parse({**base, **cell}) for cell in self.cells]
        super().__init__([jobs.submit(self.key, one, owner=owner, again=again, later=True) for one in parsed])

    @property
    def result(self) -> DataFrame:
        """A row for each run: its values on the axes, margin and final metrics, how it stands, its id."""
        from pandas import DataFrame

        rows = []
        for cell, job in zip(self.cells, self.jobs):
            numbers = {"margin": math.nan, **job.numbers}
            rows.append({**cell, **numbers, "state": job.state, "run": job.id})
        return DataFrame(rows)

    @property
    def metrics(self) -> list[str]:
        """What can be drawn: the margin, and whatever else is known of all runs that are done."""
        done = [set(job.numbers) for job in self.jobs if job.state == "done"]
        return ["margin", *sorted(set.intersection(*done) - {"margin"})] if done else ["margin"]

    def grid(self, x: str, y: str, metric: str = "margin") -> Grid:
        """`metric` over two axes, the mean over all others; what is not done yet is not a number."""
        table = self.result
        if metric not in table:
            table[metric] = math.nan
        done = table[table["state"] == "done"]
        means = done.pivot_table(metric, y, x, "mean").reindex(index=self.axes[y], columns=self.axes[x])
        return Grid(
            means.to_numpy(np.float32),
            rows=y,
            cols=x,
            unit=metric,
            signed=metric == "margin",
            x=_numeric(self.axes[x]),
            y=_numeric(self.axes[y]),
        )

    def runs(self, values: Mapping[str, Any]) -> list[Job]:
        """The runs of a cell: those with these values on the axes."""
        return [job for cell, job in zip(self.cells, self.jobs) if all(cell[name] == values[name] for name in values)]


def _distinct(exhibit: Any, base: Mapping[str, Any], name: str, values: Iterable[Any]) -> list[Any]:
    """The values of one knob as its exhibit reads them, each once."""
    read = [getattr(exhibit.params.parse({**base, name: value}), name) for value in itertools.islice(values, MOST + 1)]
    return list(dict.fromkeys(read))


def _numeric(values: Sequence[Any]) -> list[float] | None:
    """Coordinates, where values have an order and a distance."""
    if len(values) < 2 or any(isinstance(value, bool | str) for value in values):
        return None
    return [float(value) for value in values]


def sweep(
    key: str,
    axes: Mapping[str, Iterable[Any]],
    knobs: Knobs = None,
    watch: Watch | None = None,
    again: bool = False,
) -> DataFrame:
    """Runs an exhibit at every combination of some knobs' values, in side processes, and waits for it.

    Args:
        key: `area/slug`, or a slug.
        axes: knob -> its values; `{"depth": [2, 8, 32], "seed": range(3)}` makes nine runs.
        knobs: the other knobs.
        watch: called with (runs done, runs in all).
        again: also runs that the store has are made anew.

    Returns:
        A row for each run: its values on the axes, "margin", the last number of every curve, its "state", and its id
        as "run".

    Raises:
        InputError: unknown key or knob, a bad value, or too many runs.
    """
    made = Sweep(shared(), key, axes, knobs, again=again)
    made.wait(watch)
    return made.result
