"""Runs in side processes, as tasks of a Dask cluster: this machine's own, or the one that `NEURORAMA_SCHEDULER` names.

    job = neurorama.submit("dagnn", {"depth": 4})   # the same run where the store has it, else a new one
    for frame in job: ...                           # as they come; job.frames is what there is so far
    job.stop(); job.wait().state                    # "done", "stopped", "failed" or "lost"
    neurorama.sweep("dagnn", {"depth": [2, 8, 32], "seed": range(3)})   # a pandas frame, a row for each run

A cluster's workers do what any client of its scheduler tells them: a scheduler must be reached by its own servers only.
"""

from .batch import Judgement, Sweep, judge_many, sweep
from .desk import Jobs
from .job import Job
from .settings import Settings
from .shared import jobs, submit

__all__ = ["Job", "Jobs", "Judgement", "Settings", "Sweep", "jobs", "judge_many", "submit", "sweep"]
