"""The league of an area: all entries and the plain baselines, in lockstep on the same data and budget."""

from __future__ import annotations

import streamlit as st

from neurorama import Frame, InputError, catalogue, data
from neurorama.trace import split
from parts import address, knobs, marks, runs, show
from parts.words import label, plain


def page() -> None:
    st.title("Arena", anchor=False)
    names = catalogue.arenas()
    if not names:
        st.info("No exhibit has entered an arena yet.", icon=":material/trophy:")
        return
    name = st.query_params.get("arena", names[0])
    with st.spinner("Opening the arena …"):
        try:
            ring, keys = catalogue.arena(name)
        except InputError as error:
            address.complain(address.told(error))
            name = names[0]
            ring, keys = catalogue.arena(name)
    settings = knobs.of_league(ring)
    params, complaints = address.read(
        settings, {name: text for name, text in st.query_params.items() if name != "arena"}
    )
    for complaint in complaints:
        address.complain(complaint)
    drawn, job = runs.on_stage(name, params, lambda again: runs.of_league(name, params, again))
    st.markdown(
        f"**{plain(ring.title)}.** Every system on the same data, with the same split and the same budget of training. "
        f"The score is {plain(ring.metric)}; higher is better."
    )
    left, right = st.columns([1, 4.1], gap="medium")
    with left, st.container(key="knobs"):
        marks.group("League")
        choose(names, name)
        for knob in settings.model_fields:
            knobs.widget({"arena": name}, params, knob, data.own())
        with st.container(key="run"):
            st.button(
                "Run the league",
                type="primary",
                icon=":material/play_arrow:",
                on_click=runs.run_again,
                disabled=job.running,
                width="stretch",
            )
    with right, st.container(key="stage", border=True):
        if drawn != params:
            st.info("The settings have changed since this league. Run it to see theirs.", icon=":material/tune:")
        captions = {ring.metric: "On what was held out; higher is better.", "loss": "What training pulls down."}
        method = catalogue.load(keys[0]).paper.name  # blue; the first baseline after it is grey
        show.player(job, show.Poster(captions, (method,)))
        if job.frames and not job.running:
            standings(job.frames[-1], ring.metric)
    marks.group("In this arena")
    for key in keys:
        marks.link(catalogue.row(key))


def standings(last: Frame, metric: str) -> None:
    """The final table, best first."""
    scores = {split(name)[1]: value for name, value in last.values.items() if split(name)[0] == metric}
    losses = {split(name)[1]: value for name, value in last.values.items() if split(name)[0] == "loss"}
    order = sorted(scores, key=lambda arm: -scores[arm])
    st.dataframe(
        {
            "place": [1 + sum(scores[other] > scores[arm] for other in order) for arm in order],
            "system": order,
            metric: [scores[arm] for arm in order],
            "last loss": [losses.get(arm) for arm in order],
        },
        hide_index=True,
        column_config={
            "place": st.column_config.NumberColumn(width="small"),
            metric: st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.3f")
            if all(0 <= score <= 1 for score in scores.values())
            else st.column_config.NumberColumn(format="%.4g"),
            "last loss": st.column_config.NumberColumn(format="%.3g"),
        },
    )


def choose(names: tuple[str, ...], name: str) -> None:
    """Which arena."""
    st.session_state["arena"] = name
    st.selectbox(
        "**arena**",
        names,
        key="arena",
        format_func=lambda one: f"{marks.area_title(one.split('/')[0])}: {label(one.split('/')[1])}",
        on_change=lambda: st.query_params.from_dict({"arena": st.session_state["arena"]}),
    )


page()
