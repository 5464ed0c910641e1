"""What this visitor sees run: the jobs of the server, theirs, found again or started."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from neurorama import Frame, InputError, Params, traces
from neurorama.jobs import Job, Jobs, Judgement

from . import people

PATIENCE = 30.0  # seconds for which a run that nobody asked for goes on while nobody looks at it
LEFT = 3.0  # the same, once its visitor has gone on to something else
KEPT = 24  # leagues and judgements that stay in memory


@dataclass
class Still:
    """Stands where a job would, and does nothing: a recorded run, or the reason why there is none."""

    frames: Sequence[Frame] = ()
    recorded: str = ""  # the day on which the frames were recorded
    fault: str = ""
    details: str = ""
    drawn: dict[str, Any] = field(default_factory=dict)
    running = waiting = stopped = found = False
    state = "done"
    done = of = ahead = 0
    trouble = ""

    def look(self) -> None: ...
    def stop(self) -> None: ...


@st.cache_resource(show_spinner=False)
def pool() -> Jobs:
    """The jobs of this server."""
    return Jobs()


@st.cache_resource(show_spinner=False)
def kept() -> OrderedDict[Hashable, Any]:
    """Leagues and judgements by what they are of, newest last."""
    return OrderedDict()


def keep(name: Hashable, made: Any) -> Any:
    """Keeps `made` in memory; the oldest ones that are over go."""
    kept()[name] = made
    kept().move_to_end(name)
    over = [old for old, one in kept().items() if not one.running]
    for old in over[: max(0, len(kept()) - KEPT)]:
        del kept()[old]
    return made


def known(name: Hashable) -> Any:
    """What is kept under `name`, running or finished; nothing that was stopped or failed."""
    found = kept().get(name)
    return None if found is None or (not found.running and (found.stopped or found.fault)) else found


def recorded(key: str) -> Still | None:
    """The recorded run of an exhibit as it comes; one of an older state of the code is not shown."""
    found = traces.recorded(key)
    return None if found is None or found[1]["stale"] else Still(found[0].frames, found[1]["date"][:10])


def of_exhibit(key: str, params: Params, again: bool) -> Job:
    """A run of an exhibit: the same one where it is known, unless it is wanted `again`.

    Raises:
        InputError: too many runs wait, or were started.
    """
    people.spend("runs")
    return pool().submit(key, params, owner=people.name(), again=again)


def of_league(name: str, params: Params, entries: Sequence[str], again: bool) -> Job:
    """A league of some entries, as `of_exhibit`; leagues live in the memory of the server."""
    found = None if again else known((name, params, entries))
    if found is None:
        people.spend("runs")
        made = pool().league(name, params.model_dump(), entries, owner=people.name())
        return keep((name, params, entries), made)
    return found


def judgement(key: str, params: Params) -> Judgement:
    """Starts judging a claim.

    Raises:
        InputError: too many were started.
    """
    people.spend("runs")
    return keep(("judge", key, params), Judgement(pool(), key, params, owner=people.name()))


def on_stage(
    subject: Hashable,
    settings: Hashable,
    start: Callable[[bool], Job],
    recording: Callable[[], Still | None] = lambda: None,
) -> tuple[Any, Job | Still]:
    """The job that this visitor sees, and its settings.

    `start(again)` is called when the visitor comes to a page or to another subject, unless there is a `recording` of
    it; after that where `wanted` is set in the session: "once" (a known run or a recording will
    do), "run" (a known run will do) or "again" (from the start, to be watched).
    """
    wanted = st.session_state.pop("wanted", None)
    before = st.session_state.get("on stage")
    if not wanted and before is not None and before[0] == subject:
        return before[1:]
    wanted = wanted or "once"
    found = recording() if wanted == "once" else None
    try:
        job = found or start(wanted == "again")
    except InputError as error:
        job = Still(fault=str(error))
    if before is not None and isinstance(before[2], Job) and before[2] is not job and before[2].patience is not None:
        before[2].patience = LEFT
    if isinstance(job, Job):
        if wanted != "once":
            job.patience = None
        elif job.running and not job.found:
            job.look()
            job.patience = PATIENCE
        if wanted == "again" or (wanted == "run" and not job.found):
            st.query_params["run"] = job.id  # a reload, or another window, sees this very run
    show(subject, settings, job)
    return settings, job


def show(subject: Hashable, settings: Hashable, job: Job | Still) -> None:
    """Puts a job on this visitor's stage."""
    st.session_state["on stage"] = (subject, settings, job)


def opened(key: str, run: str) -> Job:
    """The run that an address names.

    Raises:
        InputError: there is none, or it is of another exhibit.
    """
    job = pool().get(run)
    if job.key != key:
        raise InputError(f"run {run} is of {job.key}, not of {key}")
    return job


def run_again() -> None:
    """For a button: the visitor wants to watch these settings from the start."""
    st.session_state["wanted"] = "again"


def run() -> None:
    """For a button: the visitor wants these settings run; if they were, that run will do."""
    st.session_state["wanted"] = "run"
