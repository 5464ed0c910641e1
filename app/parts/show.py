"""The stage on a page: panes in rows and one slider for time. Every picture is `neurorama.stage`'s own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import streamlit as st

from neurorama import Frame, Graph, InputError, Trace, Value
from neurorama.data import GraphData
from neurorama.stage import Card, Pane, Stage

from .marks import theme
from .runs import Job, Still
from .words import count, plain, seconds

POLL = 0.7  # seconds between two looks at a run
COLOURS = ("blue", "gray", "yellow", "green", "violet")  # of the arms: the method, its baseline, the others


@dataclass(frozen=True)
class Poster:
    """What the stage needs to know of something that is not an exhibit."""

    views: Mapping[str, str]
    arms: tuple[str, ...] = ()
    time: str = "training step"


def player(job: Job | Still, card: Card) -> None:
    """Draws a run while it goes on, and afterwards at any of its moments; asks again only while it goes on."""
    st.fragment(_player, run_every=pace(job) if job.running else None)(job, card)


def pace(job: Any) -> float:
    """Seconds between two looks at a job: the more are ahead of it, the less there is to see."""
    return min(4.0, POLL * (1 + job.ahead / 2)) if job.waiting else POLL


def _player(job: Job | Still, card: Card) -> None:
    running = job.running
    job.look()
    if job.waiting:
        st.session_state["waited for"] = job
    elif st.session_state.pop("waited for", None) is job:
        st.rerun()  # now there is something to see
    if running:
        st.session_state["followed"] = job
    elif st.session_state.pop("followed", None) is job:
        st.rerun()  # the page around has buttons to give back, and there is nothing to ask for any more
    if job.fault:
        st.error(plain(job.fault), icon=":material/error:")
    if job.details:
        with st.expander("Details"):
            st.code(job.details, language=None)
    if running:
        progress(job, "stop", card.time)
    try:
        stage = _stage(job, card) if job.frames else None
    except InputError as error:  # nothing of what it shows has come yet, or ever will
        stage = None
        if not running:
            st.error(plain(str(error)), icon=":material/error:")
    if stage is not None:
        panes(stage.rows(None if running else _moment(stage, card.time), theme()), card.arms)
    elif running:
        st.skeleton(height=640)
    if job.stopped:
        st.caption(f"Stopped after {count(len(job.frames), 'frame')}.")
    if job.state == "lost":
        st.caption(f"{count(len(job.frames), 'frame')} came before it was lost. Run it again to have all of them.")


def _stage(job: Job | Still, card: Card) -> Stage:
    if job.running:
        return Stage.of_frames(job.frames, card)
    if "stage" not in job.drawn:
        job.drawn["stage"] = Stage.of_frames(job.frames, card)
    return job.drawn["stage"]


def _moment(stage: Stage, time: str) -> int:
    """The step that the slider of time points at."""
    steps = list(dict.fromkeys(stage.steps))
    if len(steps) == 1:
        return steps[0]
    with st.container(key="time"):
        return st.select_slider(
            time,
            steps,
            value=steps[-1],
            format_func=lambda step: f"{time if len(time) <= 24 else 'step'} {step} of {stage.of}",
            label_visibility="collapsed",
        )


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


def panes(rows: list[list[Pane]], arms: Sequence[str]) -> None:
    """The rows of a stage: the arms of one series stand together under one caption."""
    for place, row in enumerate(rows):
        groups = [list(group) for _, group in groupby(row, key=lambda pane: pane.series)]
        columns = st.columns([sum(pane.wide for pane in group) for group in groups])
        for column, group in zip(columns, groups):
            with column, st.container(height="stretch", vertical_alignment="distribute"):
                _series(group, arms, f"pane-{place}")


def _series(group: list[Pane], arms: Sequence[str], key: str) -> None:
    first = group[0]
    alone = f" · {plain(first.arm)}" if first.arm and len(group) == 1 else ""
    title = plain(first.series[:1].upper() + first.series[1:])
    st.markdown(f"**{title}**{alone}  \n:small[:gray[{plain(first.caption)}]]")
    shared = len({pane.note for pane in group}) == 1
    for column, pane in zip(st.columns([pane.wide for pane in group]), group):
        with column:
            if len(group) > 1:
                _arm(pane.arm, arms)
            name = f"{key}-{pane.series}-{pane.arm}"
            st.plotly_chart(pane.figure, theme=None, key=name, config={"displayModeBar": False}, alt=pane.alt)
            if pane.note and not shared:
                st.caption(plain(pane.note))
    if shared and first.note:
        st.caption(plain(first.note))


def _arm(arm: str, arms: Sequence[str]) -> None:
    """The name of an arm in its colour."""
    colour = COLOURS[arms.index(arm) % len(COLOURS)] if arm in arms else COLOURS[0]
    st.markdown(f":small[:{colour}[**{plain(arm)}**]]", text_alignment="center")


def still(name: str, values: Mapping[str, Value], poster: Poster) -> None:
    """Some values, drawn once."""
    panes(Stage(Trace(name, {}, (Frame(0, 0, values),)), poster).rows(None, theme()), poster.arms)


def graph(name: str, found: GraphData) -> None:
    """One graph, drawn."""
    value = Graph(found.edge_index, found.num_nodes, found.y, directed=found.directed, names=found.names)
    caption = "Colour is the label." if found.y is not None else "No labels, so all nodes have one colour."
    still(name, {"graph": value}, Poster({"graph": caption}))
