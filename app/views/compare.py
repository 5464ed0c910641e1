"""Two runs side by side, of two exhibits or of one with two settings; time, axes and selection are shared."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import streamlit as st

from neurorama import Exhibit, InputError, Params, catalogue
from parts import address, marks, runs, show
from parts.words import plain

SIDES = ("a", "b")
USUAL, OWN = "as it comes", "your own knobs"


def page() -> None:
    st.title("Compare", anchor=False)
    st.markdown(
        "Two exhibits, or one with two settings: one slider moves both, what is measured alike has the same axes, and "
        "what you select in one is lit in the other."
    )
    built = [row.key for row in catalogue.built()]
    sides: list[show.Side] = []
    for place, column in zip(SIDES, st.columns(2, gap="large")):
        with column, st.container(border=True):
            key, params = read(place, built)
            choose(place, built, key, params)
        if (side := ran(place, key, params)) is not None:
            sides.append(side)
    if len(sides) < 2:
        return
    first, second = sides
    with st.container(key="stage", border=True):
        if first.key == second.key and first.params == second.params:
            st.info("Both sides are the same run: choose another exhibit or setting.", icon=":material/balance:")
        show.both(first, second)
    if not any(side.job.running for side in sides):
        columns = st.columns(2, gap="large")
        for column, side in zip(columns, sides):
            with column:
                claim(side)


def read(place: str, built: list[str]) -> tuple[str, Params]:
    """The exhibit and the knobs that the address names for a side: `KEY?knob=value&...`."""
    asked, _, query = st.query_params.get(place, "").partition("?")
    key = built[SIDES.index(place) % len(built)]
    if asked:
        try:
            catalogue.load(asked)
            key = catalogue.row(asked).key
        except InputError as error:
            address.complain(address.told(error))
            query = ""
    params, complaints = address.read(catalogue.load(key).params, dict(parse_qsl(query)))
    for complaint in complaints:
        address.complain(complaint)
    return key, params


def choose(place: str, built: list[str], key: str, params: Params) -> None:
    """The exhibit of a side and its setting."""
    exhibit: Exhibit[Any] = catalogue.load(key)
    settings = {USUAL: exhibit.params()} | {
        name: exhibit.params.parse(dict(preset.knobs)) for name, preset in exhibit.presets.items()
    }
    now = next((name for name, one in settings.items() if one == params), OWN)
    if now == OWN:
        settings[OWN] = params

    def go() -> None:
        wanted = st.session_state[f"{place} exhibit"]
        chosen = settings[st.session_state[f"{place} setting"]] if wanted == key else catalogue.load(wanted).params()
        st.query_params[place] = address.one(wanted, chosen)

    st.session_state[f"{place} exhibit"] = key
    st.session_state[f"{place} setting"] = now
    one, two = st.columns(2)
    one.selectbox(
        "Exhibit", built, key=f"{place} exhibit", format_func=lambda one: catalogue.row(one).name, on_change=go
    )
    two.selectbox("Setting", list(settings), key=f"{place} setting", on_change=go)
    told = ", ".join(f"{name} {value}" for name, value in address.write({}, params).items())
    if told:
        st.caption(plain(told))
    st.page_link(
        "views/exhibit.py", label="Turn its knobs", icon=":material/tune:",
        query_params=address.write({"exhibit": key}, params),
    )  # fmt: skip


def ran(place: str, key: str, params: Params) -> show.Side | None:
    """The run of a side: recorded, found again or started; it stays the same until the side changes."""
    known: show.Side | None = st.session_state.get(f"{place} side")
    if known is not None and (known.key, known.params) == (key, params):
        return known
    job = runs.recorded(key) if params == type(params)() else None
    try:
        job = job or runs.of_exhibit(key, params, False)
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    side = st.session_state[f"{place} side"] = show.Side(key, params, job)
    return side


def claim(side: show.Side) -> None:
    """What is claimed, and how it comes out in this run."""
    exhibit = catalogue.load(side.key)
    st.markdown(f"**{plain(exhibit.paper.name)}.** {plain(exhibit.claim.statement)}")
    if side.job.frames:
        margin = marks.signed(exhibit.claim.margin(side.trace()))
        st.markdown(f"Margin: **{margin}** :small[:gray[{plain(exhibit.claim.unit)}; one seed, not a verdict]]")


page()
