"""Small still pictures of exhibits, recorded once by `record.py`: the atlas opens on them without running anything."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from neurorama import Trace, catalogue, places
from neurorama.catalogue import Row
from neurorama.stage import Stage
from neurorama.stage.svg import paint

from .marks import drawing
from .words import plain


def file(row: Row, arm: int) -> Path:
    """Where the picture of an arm is: 0 is the method, 1 what stands beside it."""
    return places.assets() / "pictures" / row.area / f"{row.slug}-{arm}.svg"


def record(row: Row, trace: Trace) -> list[Path]:
    """Writes the first two pictures of a run's stage, as it ends; the files."""
    panes = Stage(trace, catalogue.load(row.key)).rows()[0]
    method = [pane for pane in panes if pane.series == panes[0].series][:2]
    written = []
    for arm, pane in enumerate(method):
        path = file(row, arm)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(paint(pane.figure, alt=pane.alt) + "\n", encoding="utf-8")
        written.append(path)
    return written


@st.cache_data(show_spinner=False)
def picture(key: str, arm: int = 0) -> str:
    """The SVG of a recorded picture, or ""."""
    path = file(catalogue.row(key), arm)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def small(row: Row) -> None:
    """The picture on a card."""
    if svg := picture(row.key):
        drawing(svg)
    else:
        st.space(140)


def front() -> Row | None:
    """The exhibit that the atlas opens on: the first of the hall with two pictures."""
    return next((row for row in catalogue.built() if picture(row.key, 1)), None)


def large(row: Row) -> None:
    """The method and its baseline side by side, with what each picture shows."""
    with st.container(key="stage", border=True):
        for arm, column in enumerate(st.columns(2, gap="medium")):
            with column:
                st.caption(plain(drawing(picture(row.key, arm))))
