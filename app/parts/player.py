"""The player on a page: `neurorama.stage`'s own module in a component, with what there is of a run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from neurorama import Frame
from neurorama.stage import PLAYER, Card, Stage
from neurorama.stage.describe import Describer

from .serve import LIBRARY

REST = 4  # a growing run is described anew after so many times as long as that took

_library, _host = (
    (Path(__file__).parent / name).read_text(encoding="utf-8").replace("LIBRARY", LIBRARY)
    for name in ("library.js", "player.js")
)
_player = st.components.v2.component(
    "neurorama_stage",
    js=_library + _host,
    css=(PLAYER / "stage.css").read_text(encoding="utf-8"),
    isolate_styles=False,
)


class _View:
    """What one visitor's browser has been told of a run that goes on."""

    def __init__(self, run: str) -> None:
        self.run, self.describer = run, Describer()
        self.blob, self.size, self.due = b"", 0, 0.0

    def tell(self, frames: Sequence[Frame], card: Card, about: Mapping[str, Any]) -> None:
        start = time.monotonic()
        size = sum(len(frame.values) for frame in frames)
        if size == self.size or start < self.due:
            return
        stage = Stage.of_frames(frames, card)
        self.blob, self.size = self.describer.pack(self.describer.describe(stage, about)), size
        self.due = time.monotonic() + REST * (time.monotonic() - start)


def warm() -> None:
    """Lets the browser fetch what draws a stage while the page is still being made."""
    st.html(f"<script>{_library}</script>", unsafe_allow_javascript=True)


def play(
    run: str,
    frames: Sequence[Frame],
    card: Card,
    running: bool,
    kept: dict[str, bytes],
    key: str = "player",
    edit: bool = False,
) -> list[Any] | None:
    """Draws `frames`, all that there are so far; while it is `running`, only what is new is sent.

    Args:
        run: a name for this run; the browser follows a new one from its start.
        kept: where the description of a finished run is kept for the next visitor.
        edit: whether the graph may be edited.

    Returns:
        The edits that the visitor has just asked to see run, as `data.edit` takes them, or None.

    Raises:
        InputError: no frame has anything that `card` shows.
    """
    frames, about = list(frames), {"run": run, "live": running, "edit": edit}
    view = st.session_state.get(f"{key}-view")
    if view is None or view.run != run or (st.session_state.get(key) or {}).get("lost"):
        view = st.session_state[f"{key}-view"] = _View(run)
    if running:
        view.tell(frames, card, about)
        blob = view.blob
    else:
        if run not in kept:
            describer = Describer()
            kept[run] = describer.pack(describer.describe(Stage.of_frames(frames, card), about))
        blob = kept[run]
    return _player(key=key, data=blob, on_lost_change=_nothing, on_edits_change=_nothing).edits


def _nothing() -> None:
    """The page is drawn again, that is all."""
