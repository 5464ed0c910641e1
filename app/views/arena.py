"""The league of an area: all entries and the plain baselines, in lockstep on the same data and budget."""

from __future__ import annotations

import numpy as np
import streamlit as st

from neurorama import Curve, InputError, Params, Trace, catalogue, data
from neurorama.runner import standings
from neurorama.tables import Line, lines, second_hand
from parts import address, knobs, marks, runs, show
from parts.words import label, plain

FEW = 3  # entries that take part beside the baselines, unless the visitor chooses others
MOST = 9  # pictures of more do not fit a page


def page() -> None:
    st.title("Arena", anchor=False)
    names = catalogue.arenas()
    if not names:
        st.info("No exhibit has entered an arena yet.", icon=":material/trophy:")
        return
    name = st.query_params.get("arena", names[0])
    with st.spinner("Opening the arena …"):
        try:
            name = catalogue.arena_key(name)
        except InputError as error:
            address.complain(address.told(error))
            name = names[0]
        ring, keys = catalogue.arena(name)
    settings = knobs.of_league(ring)
    params, complaints = address.read(
        settings, {name: text for name, text in st.query_params.items() if name not in ("arena", "only")}
    )
    chosen, unknown = entrants(keys)
    for complaint in [*complaints, *unknown]:
        address.complain(complaint)
    asked = params, chosen
    drawn, job = runs.on_stage(name, asked, lambda again: runs.of_league(name, params, chosen, again))
    source = params.model_dump()["source"]
    st.markdown(
        f"**{plain(ring.title)}.** Every system on the same data, with the same split and the same budget of training. "
        f"The score is {plain(ring.meaning(source))}; higher is better."
    )
    left, right = st.columns([1, 4.1], gap="medium")
    with left, st.container(key="knobs"):
        marks.group("League")
        choose(names, name)
        invite(name, keys, chosen, params)
        for knob in [*(knob for knob in settings.model_fields if knob != "seed"), "seed"]:
            knobs.widget(subject(name, keys, chosen), params, knob, data.own())
        with st.container(key="run"):
            st.button(
                "Run the league",
                key="run-league",
                type="primary",
                icon=":material/play_arrow:",
                on_click=runs.run_again,
                disabled=job.running,
                width="stretch",
            )
    with right, st.container(key="stage", border=True):
        with st.container():  # always there, so that the player below stays in its place
            if drawn != asked:
                st.info("The settings have changed since this league. Run it to see theirs.", icon=":material/tune:")
        league = Trace(name, {**drawn[0].model_dump(), "only": drawn[1]}, tuple(job.frames[:1]))
        show.player(job, catalogue.card(league))
        if job.frames and not job.running:
            table(standings(job.frames, ring.metric), ring.metric)
    papers(name)
    marks.group("In this arena")
    for key in keys:
        marks.link(catalogue.row(key))


def entrants(keys: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """The entries that the address names, the first few where it names none; and what is wrong with it."""
    slugs = {catalogue.row(key).slug: key for key in keys}
    asked = st.query_params.get("only")
    if asked is None:
        return keys[:FEW], []
    words = [word for word in asked.split(",") if word]
    unknown = [address.told(f"no entry of this arena is called {word!r}") for word in words if word not in slugs]
    return tuple(key for slug, key in slugs.items() if slug in words)[:MOST], unknown


def subject(name: str, keys: tuple[str, ...], chosen: tuple[str, ...]) -> dict[str, str]:
    """What the address is about: the arena, and who takes part where that is not the first few."""
    few = {} if chosen == keys[:FEW] else {"only": ",".join(catalogue.row(key).slug for key in chosen)}
    return {"arena": name, **few}


def invite(name: str, keys: tuple[str, ...], chosen: tuple[str, ...], params: Params) -> None:
    """Which entries take part."""
    slot = f"{name}:only"
    st.session_state[slot] = list(chosen)

    def changed() -> None:
        now = tuple(key for key in keys if key in st.session_state[slot])
        st.query_params.from_dict(address.write(subject(name, keys, now), params))

    st.multiselect(
        "**systems**",
        keys,
        key=slot,
        on_change=changed,
        max_selections=MOST,
        help="The plain baselines always take part.",
        format_func=lambda key: catalogue.row(key).name,
        placeholder="Only the baselines",
    )


def table(found: dict[str, dict[str, float | Curve]], metric: str) -> None:
    """How the league ended, best first: every number, and the curves as small pictures."""
    scores = [row[metric] for row in found.values()]
    series = dict.fromkeys(name for row in found.values() for name in row)
    columns: dict[str, list[object]] = {
        "place": [1 + sum(other > score for other in scores) for score in scores],
        "system": list(found),
    }
    looks: dict[str, object] = {"place": st.column_config.NumberColumn(width="small")}
    for name in series:
        values = [row.get(name) for row in found.values()]
        if any(isinstance(value, Curve) for value in values):
            columns[name] = [None if value is None else np.asarray(value.y).tolist() for value in values]
            looks[name] = st.column_config.LineChartColumn()
        else:
            columns[name] = values
            looks[name] = st.column_config.NumberColumn(format="%.4g")
    if all(0 <= score <= 1 for score in scores):
        looks[metric] = st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.3f")
    st.dataframe(columns, hide_index=True, column_config=looks)


@st.cache_data(ttl=5, show_spinner=False)
def figures(name: str) -> list[Line]:
    """The papers' own figures in this arena; re-read every few seconds."""
    try:
        return lines(name)
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return []


def papers(name: str) -> None:
    """What the papers say of their systems on real data, beside what ours do there."""
    listed = figures(name)
    if not listed:
        return
    marks.group("The papers' own figures")
    st.markdown(
        "What each paper says of its system, and what ours does, in per cent of the score, with the paper's settings "
        "where we found them, else with those of ours that did best on validation: "
        "on the public split over several seeds, or over the splits that the data comes with. The test score counts "
        "at the step of training that the paper takes: the first best on validation, or the last. Where few of the "
        "paper's runs were made, see it as a first look; `neurorama table` makes the others."
    )
    number = st.column_config.NumberColumn(format="%.1f")
    columns = {
        "system": [catalogue.row(line.key).name for line in listed],
        "data": [line.result.source for line in listed],
        "paper": [line.result.says for line in listed],
        "paper ±": [line.result.spread or None for line in listed],
        "ours": [line.mean for line in listed],
        "ours ±": [line.spread for line in listed],
        "difference": [line.difference for line in listed],
        "at": [line.result.at for line in listed],
        "runs": [f"{line.runs} of {line.result.runs}" for line in listed],
        "run on": [line.found.date[:10] if line.found else "" for line in listed],
    }
    looks = dict.fromkeys(("paper", "paper ±", "ours", "ours ±"), number)
    looks["difference"] = st.column_config.NumberColumn(format="%+.1f", help="Ours minus the paper's.")
    looks["runs"] = st.column_config.TextColumn(help="How many seeds or splits were run, of how many in the paper.")
    st.dataframe(columns, hide_index=True, column_config=looks, key="papers", height="content")
    for line in listed:
        if line.found and not line.close:
            row = catalogue.row(line.key)
            why = plain(line.result.note) if line.result.note else "nobody knows yet why."
            st.caption(f"**{plain(row.name)} on {plain(line.result.source)}**, {marks.signed(line.difference)}: {why}")
    for (system, where), them in second_hand(listed).items():
        told = f"**{plain(system)} on {plain(', '.join(them))}**"
        st.caption(f"{told}: the figure is not in its own paper, but in {plain(where)}")


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
