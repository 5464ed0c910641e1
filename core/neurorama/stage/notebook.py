"""The stage in a notebook: the player as a widget, and still pictures where no script runs."""

from __future__ import annotations

import gzip
import html
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..trace import Trace
from .describe import pack
from .panes import Card, Pane, Stage
from .svg import paint
from .theme import LIGHT
from .theme import theme as themed

if TYPE_CHECKING:
    import anywidget

PLAYER = Path(__file__).parent / "player"


def show(
    trace: Trace,
    at: int | None = None,
    theme: str | None = None,
    exhibit: Card | None = None,
    projection: str = "pca",
) -> anywidget.AnyWidget:
    """A run as a picture that moves, as the last line of a notebook's cell.

    Args:
        at: the step that is shown at first, the last one otherwise.
        theme: "light" or "dark"; the notebook's own otherwise.
        exhibit: arms, views and time axis of a run that the catalogue does not know: an exhibit that is being written.
            It knows exhibits, and leagues where `trace.exhibit` is the name of their arena.
        projection: how representations wider than two are laid flat: "pca", or "umap" where it is installed.

    Returns:
        A widget. Its `step` and `selected` (items as mappings with `kind`, `place` and perhaps `name`) follow what is
        done in the notebook and may be set.

    Raises:
        InputError: the trace has no frames, `at` lies outside the run, no such theme, or no such projection.
    """
    if exhibit is None:
        from .. import catalogue

        exhibit = catalogue.card(trace)
    stage = Stage(trace, exhibit, projection)
    rows = stage.rows(at)
    step = stage.steps[-1] if at is None else at
    return _widget()(stage, rows, step, themed(theme).name if theme else "")


@cache
def _widget() -> Any:
    """The class of the widget; nothing of Jupyter is imported before."""
    import anywidget
    import traitlets

    class Player(anywidget.AnyWidget):
        _esm = "\n".join((PLAYER / name).read_text(encoding="utf-8") for name in ("stage.js", "widget.js"))
        _css = (PLAYER / "stage.css").read_text(encoding="utf-8")
        blob = traitlets.Bytes().tag(sync=True)
        step = traitlets.Int().tag(sync=True)
        selected = traitlets.List(traitlets.Dict()).tag(sync=True)
        theme = traitlets.Unicode().tag(sync=True)

        def __init__(self, stage: Stage, rows: list[list[Pane]], step: int, theme: str) -> None:
            super().__init__(blob=pack(stage), step=step, theme=theme)
            self._rows = rows
            self.on_msg(_send_plotly)

        def __repr__(self) -> str:
            return "\n".join(pane.alt for row in self._rows for pane in row)

        def _repr_html_(self) -> str:
            return still(self._rows)

        def _repr_mimebundle_(self, **given: Any) -> Any:
            made = super()._repr_mimebundle_(**given)
            data, about = made if isinstance(made, tuple) else (made, {})
            return {**(data or {}), "text/html": self._repr_html_(), "text/plain": repr(self)}, about

    return Player


def _send_plotly(widget: anywidget.AnyWidget, message: Any, _: Any) -> None:
    """The library itself, when a page asks for it: once per page, never from a network, and in no saved notebook."""
    if message == "plotly":
        source = files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
        widget.send("plotly", [gzip.compress(source, 6)])


def still(rows: Sequence[Sequence[Pane]]) -> str:
    """Panes as still pictures, for places that run no script (a notebook on a code host, an e-mail)."""
    drawn = "".join(
        f'<div style="display:flex;flex-wrap:wrap;gap:20px">{"".join(map(_picture, row))}</div>' for row in rows
    )
    return f'<div style="background:{LIGHT.panel};color:{LIGHT.ink};font-family:sans-serif;padding:8px">{drawn}</div>'


def _picture(pane: Pane) -> str:
    words = " ".join(filter(None, (pane.caption, pane.note)))
    return (
        f'<figure style="flex:{pane.wide} 1 200px;margin:4px 0"><b>{html.escape(pane.title)}</b><br>'
        f"<small>{html.escape(words)}</small>{paint(pane.figure, 360, 220, pane.alt)}</figure>"
    )
