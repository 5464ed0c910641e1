"""The runs that were made here: open one again, compare two, rename, delete, take one away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

import neurorama
from neurorama import InputError, Params, catalogue
from neurorama.store import STATES, Record, Store
from parts import address, people, runs, take
from parts.words import count, plain

MOST = 50  # runs on a page
SIGNS = {"queued": "…", "running": "▶", "done": "✓", "stopped": "■", "failed": "✗", "lost": "?"}


def page() -> None:
    st.title("Runs", anchor=False)
    st.markdown("Every run is kept and can be opened again: by you, and by whoever has its link.")
    store, mine = runs.pool().store, people.name()
    left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
    words = left.text_input("Search", key="runs-words", placeholder="a name, or an exhibit", max_chars=100)
    states = middle.multiselect("State", STATES, key="runs-states", placeholder="all")
    total = store.count(mine, states=states, words=words)
    pages = max(1, -(-total // MOST))
    number = right.number_input(f"Page, of {pages}", 1, pages, 1, key="runs-page") if pages > 1 else 1
    found = store.runs(mine, states=states, words=words, limit=MOST, offset=MOST * (number - 1))
    if not found:
        st.info("No runs yet: open an exhibit and press Run." if not words and not states else "No run is like that.")
        return
    chosen = table(found)
    if not chosen:
        st.caption(f"{count(total, 'run')}. Choose one to open, rename, delete or take away; two to compare them.")
    elif len(chosen) == 2:
        first, second = (address.one(record.identity.key, params_of(record)) for record in chosen)
        st.page_link(
            "views/compare.py",
            label="Compare these two",
            icon=":material/compare:",
            query_params={"a": first, "b": second},
        )
    if chosen:
        for record in chosen:
            with st.container(border=True):
                one(store, record, mine)


def table(found: Sequence[Record]) -> list[Record]:
    """All of them, newest first; those that are chosen."""
    picked = st.dataframe(
        {
            "state": [f"{SIGNS[record.state]} {record.state}" for record in found],
            "run": [record.name or _title(record.identity.key) for record in found],
            "knobs": [_changed(record) for record in found],
            "seed": [record.identity.seed for record in found],
            "margin": [record.numbers.get("margin") for record in found],
            "frames": [record.frames for record in found],
            "seconds": [_seconds(record.started, record.ended) for record in found],
            "on": [record.device for record in found],
            "made": [record.created for record in found],
        },
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key="runs-table",
        column_config={
            "margin": st.column_config.NumberColumn(format="%+.3g"),
            "seconds": st.column_config.NumberColumn(format="%.1f"),
            "made": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
    )
    return [found[place] for place in picked.selection.rows[:2]]


def one(store: Store, record: Record, mine: str) -> None:
    """What can be done with a run."""
    key, trace = record.identity.key, partial(store.trace, record.id)
    st.markdown(f"**{plain(record.name or _title(key))}** :small[:gray[{plain(_changed(record))} · {record.state}]]")
    if record.error:
        st.caption(plain(record.error.splitlines()[0]))
    here = {**address.write({"exhibit": key}, params_of(record)), "run": record.id}
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.page_link("views/exhibit.py", label="Open", icon=":material/play_circle:", query_params=here)
        for label, make, ending, mime in (
            ("HTML", lambda: neurorama.export_html(trace()), "html", "text/html"),
            ("Notebook", lambda: _notebook(record), "ipynb", "application/x-ipynb+json"),
            ("Curves", lambda: take.curves(trace()), "csv", "text/csv"),
            ("Everything", lambda: take.everything(record, trace()), "json", "application/json"),
        ):
            name = f"{catalogue.row(key).slug}-{record.id[:6]}.{ending}"
            st.download_button(
                label, make, name, mime, key=f"{label}-{record.id}", on_click="ignore", disabled=not record.frames
            )
        with st.popover("Copy link", icon=":material/link:"):
            base = (st.context.url or "").partition("?")[0].removesuffix("/runs")
            st.code(f"{base}/exhibit?{urlencode(here, safe='/')}", language=None, wrap_lines=True)
        with st.popover("Rename", icon=":material/edit:"):
            name = st.text_input("Name", record.name, key=f"name-{record.id}", max_chars=120)
            st.button("Keep", key=f"keep-{record.id}", on_click=_try, args=(store.rename, record.id, name, mine))
        with st.popover("Delete", icon=":material/delete:"):
            st.markdown("The run and its frames are gone then, for everybody.")
            st.button("Delete it", key=f"delete-{record.id}", on_click=_try, args=(store.delete, record.id, mine))


def _try(act: Any, *given: Any) -> None:
    try:
        act(*given)
    except InputError as error:
        st.toast(plain(str(error)), icon=":material/error:")


def params_of(record: Record) -> Params:
    """Its knobs; the defaults where the exhibit has changed so much that they do not fit any more."""
    params = catalogue.load(record.identity.key).params
    try:
        return params.parse(record.identity.params)
    except InputError:
        return params()


def _notebook(record: Record) -> str:
    from neurorama.notebook import notebook, text

    return text(notebook(record.identity.key, params_of(record)))


def _title(key: str) -> str:
    return catalogue.row(key).name


def _changed(record: Record) -> str:
    """The knobs that are not as they come."""
    usual = catalogue.load(record.identity.key).params().model_dump(mode="json")
    changed = {name: value for name, value in record.identity.knobs.items() if usual.get(name) != value}
    return ", ".join(f"{name} {value}" for name, value in changed.items()) or "as it comes"


def _seconds(started: datetime | None, ended: datetime | None) -> float | None:
    return None if started is None or ended is None else (ended - started).total_seconds()


page()
