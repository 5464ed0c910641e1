"""Work in the background: runs, leagues and judgements, a few at a time, each stoppable between two frames."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import streamlit as st

from neurorama import Frame, InputError, Run

WORKERS = 2  # runs at the same time; the others wait their turn
KEPT = 24  # finished runs that stay in memory
PATIENCE = 90.0  # seconds for which a run goes on while nobody looks at it


class Job:
    """One piece of work: `frames` as they come, `done` of `of`, then a `result`, or a `fault` of one line."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.done, self.of = 0, 0
        self.result: Any = None
        self.drawn: dict[str, bytes] = {}  # the finished run, as the player wants it
        self.recorded = ""  # the day on which the frames were recorded, if that was another
        self.fault = ""
        self.details = ""  # the whole traceback, where the fault is not the user's
        self.stopped = False
        self.future: Future[None] = Future()
        self._seen = time.monotonic()

    @property
    def running(self) -> bool:
        """Waiting or at work."""
        return not self.future.done()

    @property
    def waiting(self) -> bool:
        return self.running and not self.future.running()

    def look(self) -> None:
        """Says that somebody is watching."""
        self._seen = time.monotonic()

    def stop(self) -> None:
        """Ends it at the next frame."""
        self.stopped = True
        self.future.cancel()

    def report(self, done: int, of: int) -> bool:
        """Notes the progress; False when the work should end."""
        self.done, self.of = done, of
        return not self.stopped

    def record(self, frames: Run) -> None:
        """Takes all frames of `frames`, unless it is stopped or left alone."""
        for frame in frames:
            self.frames.append(frame)
            if time.monotonic() - self._seen > PATIENCE:
                self.stopped = True
            if not self.report(frame.step, frame.of):
                return


class Pool:
    """The work of the whole server: the same name is the same job, so the next visitor sees it at once."""

    def __init__(self, workers: int = WORKERS, kept: int = KEPT) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="neurorama")
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()
        self._kept = kept
        self._lock = threading.Lock()

    def find(self, name: Hashable) -> Job | None:
        """The job called `name`, running or finished; one that was stopped or failed is not kept."""
        with self._lock:
            job = self._jobs.get(name)
            if job is None or job.stopped or (job.fault and not job.running):
                return None
            self._jobs.move_to_end(name)
            return job

    def start(self, name: Hashable, work: Callable[[Job], Any]) -> Job:
        """Starts `work(job)`; a finished job of that name is forgotten, one that runs goes on."""
        found = self.find(name)
        if found is not None and found.running:
            return found
        job = Job()
        with self._lock:
            self._jobs[name] = job
            job.future = self._threads.submit(_do, job, work)
            finished = [key for key, other in self._jobs.items() if not other.running]
            for old in finished[: max(0, len(self._jobs) - self._kept)]:
                del self._jobs[old]
        return job

    def show(self, name: Hashable, frames: Sequence[Frame], recorded: str) -> Job:
        """A job that is done before it began: `frames` that were recorded on a day."""
        job = Job()
        job.frames, job.recorded = list(frames), recorded
        job.future.set_result(None)
        with self._lock:
            self._jobs[name] = job
        return job

    def ahead(self, job: Job) -> int:
        """How many jobs wait before `job`."""
        with self._lock:
            waiting = [other for other in self._jobs.values() if other.waiting]
        return waiting.index(job) if job in waiting else 0

    def close(self) -> None:
        """Stops everything."""
        with self._lock:
            for job in self._jobs.values():
                job.stop()
        self._threads.shutdown(wait=True)


def _do(job: Job, work: Callable[[Job], Any]) -> None:
    try:
        job.result = work(job)
    except InterruptedError:
        job.stopped = True
    except InputError as error:
        job.fault = str(error)
    except Exception as error:
        logging.getLogger("neurorama").exception("a run failed")
        job.fault = f"{type(error).__name__}: {error}".splitlines()[0]
        job.details = traceback.format_exc()


@st.cache_resource(show_spinner=False)
def pool() -> Pool:
    """The one pool of this server."""
    return Pool()


def on_stage(
    subject: Hashable,
    settings: Hashable,
    work: Callable[[Job], Any],
    recording: Callable[[], tuple[Sequence[Frame], str] | None] = lambda: None,
) -> tuple[Any, Job]:
    """The job that this visitor sees, and its settings: these settings' own where it is known or wanted, else the last.

    `work` starts by itself when the visitor comes to a page or to another subject, unless there is a `recording` of
    it, frames and their day; after that where `wanted` is set in the session: "once" (a known job or a recording will
    do) or "again" (from the start, to be watched).
    """
    wanted = st.session_state.pop("wanted", None)
    before = st.session_state.get("on stage")
    name = (subject, settings)
    job = None if wanted == "again" else pool().find(name)
    if job is None and (wanted or before is None or before[0] != subject):
        if before is not None:
            before[2].stop()
        found = None if wanted == "again" else recording()
        job = pool().show(name, *found) if found else pool().start(name, work)
    if job is not None:
        st.session_state["on stage"] = (subject, settings, job)
    return st.session_state["on stage"][1:]


def run_again() -> None:
    """For a button: the visitor wants to watch these settings from the start."""
    st.session_state["wanted"] = "again"
