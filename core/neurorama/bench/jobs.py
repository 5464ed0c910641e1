"""What it costs to give a run to a side process instead of making it here, and what a second one gains.

The overhead is the time from `submit` until the server can read the first frame, less what that frame takes in this
very process: `warm` where the side processes stand and have run the exhibit before, `cold` for the first run of a new
server. `judged` is the time that the quickest claims take to be judged with so many side processes, their start
included.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from pydantic import BaseModel

from ..jobs import Jobs, judge_many
from ..runner import frames
from ..store import Store
from ..verdicts import read_verdicts

KEY, KNOBS = "message_passing/dagnn", {"steps": 10, "depth": 2}
JUDGED = 12  # claims
_PAUSE = 0.3  # seconds in which a side process is known to be idle again
WARM, COLD = 0.1, 4.0  # seconds that are aimed at


class Overhead(BaseModel):
    """In seconds, medians; `judged` by the number of side processes, over `claims` claims of `seeds` seeds each."""

    warm: float
    cold: float
    claims: int
    seeds: int
    judged: dict[int, float]

    @property
    def gain(self) -> float:
        """How many times as fast two side processes judge as one."""
        return self.judged[1] / self.judged[2]


def measure(quick: bool = False, keys: Sequence[str] = (), seeds: int = 2) -> Overhead:
    """All of it; `keys` are the claims that are judged, the quickest ones otherwise.

    Raises:
        RuntimeError: a run or a claim has failed.
    """
    verdicts = read_verdicts()
    keys = keys or sorted(verdicts, key=lambda key: verdicts[key].seconds)[: 2 if quick else JUDGED]
    return Overhead(
        warm=warm(2 if quick else 20),
        cold=median(_in_new_server() for _ in range(1 if quick else 3)),
        claims=len(keys),
        seeds=seeds,
        judged={workers: judged(keys, seeds, workers) for workers in (1, 2)},
    )


def warm(turns: int) -> float:
    """The overhead of a run on side processes that stand."""
    with _started() as jobs:
        for _ in range(2 * jobs.settings.workers):  # so that each of them has run it
            _there(jobs)
        return median(_there(jobs) - _here() for _ in range(turns))


def cold() -> float:
    """The overhead of the first run of this process."""
    _here()  # loads libraries, which is not counted
    here = _here()
    with _started() as jobs:
        return _there(jobs) - here


@contextmanager
def _started() -> Iterator[Jobs]:
    """Jobs with a store of their own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(f"sqlite:///{Path(folder) / 'runs.sqlite'}") as store,
        Jobs(store) as jobs,
    ):
        yield jobs


def judged(keys: Sequence[str], seeds: int, workers: int) -> float:
    """Seconds to judge claims."""
    start = time.perf_counter()
    for key, verdict in judge_many(keys, seeds, workers):
        if isinstance(verdict, Exception):
            raise RuntimeError(f"{key} cannot be judged: {verdict}")
    return time.perf_counter() - start


def _there(jobs: Jobs) -> float:
    start = time.perf_counter()
    job = jobs.submit(KEY, KNOBS, again=True)
    next(iter(job))
    seconds = time.perf_counter() - start
    if job.wait().state != "done":
        raise RuntimeError(f"a run is {job.state}: {job.fault}")
    time.sleep(_PAUSE)
    return seconds


def _here() -> float:
    start = time.perf_counter()
    next(frames(KEY, KNOBS))
    return time.perf_counter() - start


def _in_new_server() -> float:
    found = subprocess.run(
        [sys.executable, "-m", "neurorama.bench", "cold"], capture_output=True, text=True, check=True
    )
    return float(found.stdout)


def told(found: Overhead) -> str:
    """In words."""
    return (
        f"Until the first frame of a run in a side process: {1000 * found.warm:.0f} ms more than here "
        f"(at most {1000 * WARM:.0f}, {_met(found.warm <= WARM)}), {found.cold:.2g} s more on a new server "
        f"(at most {COLD:g}, {_met(found.cold <= COLD)}). Judging {found.claims} claims over {found.seeds} seeds: "
        f"{found.judged[1]:.0f} s with one side process, {found.judged[2]:.0f} s with two, {found.gain:.2f} times "
        "as fast."
    )


def _met(true: bool) -> str:
    return "met" if true else "not met"
