"""The stage on a page: a run while it goes on and afterwards, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from neurorama import Frame, Graph, InputError, Params, Trace, Value, catalogue, compare
from neurorama.data import GraphData
from neurorama.stage import Card, Poster

from . import marks
from .player import play
from .runs import Job, Still
from .words import count, plain, seconds

POLL = 0.7  # seconds between two looks at a run


@dataclass(frozen=True)
class Side:
    """A run of an exhibit, as one of two that are compared."""

    key: str
    params: Params
    job: Job | Still

    def trace(self) -> Trace:
        return Trace(self.key, self.params.model_dump(), tuple(self.job.frames))


def player(job: Job | Still, card: Card, changed: Callable[[list[Any]], None] | None = None) -> None:
    """Draws a run while it goes on, and afterwards at any of its moments; asks again only while it goes on.

    `changed` is told when the visitor has edited the graph and wants to see it run.
    """
    st.fragment(_player, run_every=pace(job) if job.running else None)((job,), lambda: (job.frames, card), changed)


def pace(job: Any) -> float:
    """Seconds between two looks at a job: the more are ahead of it, the less there is to see."""
    return min(4.0, POLL * (1 + job.ahead / 2)) if job.waiting else POLL


def both(
    first: Side,
    second: Side,
    names: tuple[str, str] | None = None,
    changed: Callable[[list[Any]], None] | None = None,
) -> None:
    """Draws two runs side by side, as `player` draws one."""

    def drawn() -> tuple[Sequence[Frame], Card]:
        compared = compare(first.trace(), second.trace(), names)
        return compared.trace.frames, compared

    jobs = (first.job, second.job)
    st.fragment(_player, run_every=min(map(pace, jobs)) if any(job.running for job in jobs) else None)(
        jobs, drawn, changed
    )


def margins(first: Side, second: Side) -> None:
    """How the claim of an exhibit comes out in two of its runs."""
    claim = catalogue.load(first.key).claim
    now, before = (claim.margin(side.trace()) for side in (first, second))
    st.markdown(
        f"Margin of the claim: **{marks.signed(now)}**, before {marks.signed(before)}; "
        f"changed by **{marks.signed(now - before)}**.  \n:small[:gray[{plain(claim.unit)}; one seed, not a verdict]]"
    )


def _player(
    jobs: tuple[Job | Still, ...],
    drawn: Callable[[], tuple[Sequence[Frame], Card]],
    changed: Callable[[list[Any]], None] | None,
) -> None:
    for job in jobs:
        job.look()
    running = any(job.running for job in jobs)
    if any(job.waiting for job in jobs):
        st.session_state["waited for"] = jobs
    elif st.session_state.pop("waited for", None) == jobs:
        st.rerun()  # now there is something to see
    if running:
        st.session_state["followed"] = jobs
    elif st.session_state.pop("followed", None) == jobs:
        st.rerun()  # the page around has buttons to give back, and there is nothing to ask for any more
    frames, card = drawn()
    for place, job in enumerate(jobs):
        if job.fault:
            st.error(plain(job.fault), icon=":material/error:")
        if job.details:
            with st.expander("Details"):
                st.code(job.details, language=None)
        if job.running:
            progress(job, f"stop-{place}" if place else "stop", card.time)
    edits = None
    if frames:
        try:
            name = " ".join(str(id(job)) for job in jobs)
            edits = play(name, frames, card, running, jobs[0].drawn, edit=changed is not None)
        except InputError as error:  # nothing of what it shows has come yet, or ever will
            if not running:
                st.error(plain(str(error)), icon=":material/error:")
    elif running:
        st.skeleton(height=640)
    for job in jobs:
        if job.stopped:
            st.caption(f"Stopped after {count(len(job.frames), 'frame')}.")
        if job.state == "lost":
            st.caption(f"{count(len(job.frames), 'frame')} came before it was lost. Run it again to have all of them.")
    if edits and changed is not None:
        changed(edits)


def progress(job: Any, key: str, unit: str) -> None:
    """How far a job, or a batch of them, is, and a button that stops it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key=f"progress-{key}"):
        if job.trouble:
            st.progress(0.0, text=plain(f"{job.trouble[0].upper()}{job.trouble[1:]} …"))
        elif job.waiting:
            ahead = job.ahead
            st.progress(
                0.0, text=f"Waiting · {count(ahead, 'run')} ahead of you" if ahead else "Waiting · next in line"
            )
        elif job.of:
            expected = job.expected
            times = f" · {seconds(job.elapsed)} of about {seconds(expected)}" if expected else ""
            st.progress(min(1.0, job.done / job.of), text=f"{unit} {job.done} of {job.of}{times}")
        else:
            st.progress(0.0, text="Starting …")
        st.button("Stop", icon=":material/stop:", key=key, on_click=job.stop)


def still(name: str, values: Mapping[str, Value], poster: Poster, key: str = "player") -> None:
    """Some values, drawn once."""
    play(name, [Frame(0, 0, values)], poster, False, {}, key)


def graph(name: str, found: GraphData) -> None:
    """One graph, drawn."""
    value = Graph(found.edge_index, found.num_nodes, found.y, directed=found.directed, names=found.names)
    caption = "Colour is the label." if found.y is not None else "No labels, so all nodes have one colour."
    still(name, {"graph": value}, Poster({"graph": caption}))
