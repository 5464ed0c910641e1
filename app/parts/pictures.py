"""Small still pictures of exhibits, made by `neurorama traces`: the atlas opens on them without running anything."""

from __future__ import annotations

import streamlit as st

from neurorama import catalogue, traces
from neurorama.catalogue import Row

from .marks import drawing
from .words import plain


@st.cache_data(show_spinner=False)
def picture(key: str, arm: int = 0) -> str:
    """The SVG of a recorded picture, or ""."""
    path = traces.still(key, arm)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def small(row: Row) -> None:
    """The picture on a card."""
    if svg := picture(row.key):
        drawing(svg)
    else:
        st.space(140)


FRONT = "message_passing/dagnn"  # a graph that everybody can follow, and a baseline that blurs before one's eyes


def front() -> Row | None:
    """The exhibit that the atlas opens on, where its two pictures are at hand."""
    return catalogue.row(FRONT) if picture(FRONT, 1) else None


def large(row: Row) -> None:
    """The method and its baseline side by side, with what each picture shows."""
    with st.container(key="stage", border=True):
        for arm, column in enumerate(st.columns(2, gap="medium")):
            with column:
                st.caption(plain(drawing(picture(row.key, arm))))
