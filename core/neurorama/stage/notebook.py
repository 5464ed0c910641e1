"""The stage in a notebook: all panes as one figure, so that a saved notebook stays small."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from typing import Any

from ..trace import Trace
from .base import Figure, text
from .panes import Card, Pane, Stage
from .svg import paint
from .theme import LIGHT, MARGIN, Theme
from .theme import theme as themed

WIDTH = 1000  # pixels for which captions are broken into lines; the figure itself takes the width there is
GAP = 26


def show(trace: Trace, at: int | None = None, theme: str = "light", exhibit: Card | None = None) -> Shown:
    """The panes of a run at step `at` (the last one otherwise), as the last line of a notebook's cell.

    Args:
        exhibit: arms, views and time axis of a run that the catalogue does not know: an exhibit that is being written.

    Raises:
        InputError: the trace has no frames, `at` lies outside the run, or no such theme.
    """
    if exhibit is None:
        from .. import catalogue

        exhibit = catalogue.load(trace.exhibit)
    return Shown(Stage(trace, exhibit), at, theme)


class Shown:
    """What `show` gives: a picture where pictures can be shown, sentences elsewhere."""

    def __init__(self, stage: Stage, at: int | None, theme: str) -> None:
        self.figure = sheet(stage.rows(at, theme), themed(theme))
        self._still = stage.rows(at, "light")

    def __repr__(self) -> str:
        return "\n".join(pane.alt for row in self._still for pane in row)

    def _repr_html_(self) -> str:
        """Still pictures, for places that run no script (a notebook on a code host, an e-mail)."""
        rows = "".join(
            f'<div style="display:flex;flex-wrap:wrap;gap:20px">{"".join(map(_still, row))}</div>'
            for row in self._still
        )
        return (
            f'<div style="background:{LIGHT.panel};color:{LIGHT.ink};font-family:sans-serif;padding:8px">{rows}</div>'
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        import plotly.io

        live = plotly.io.renderers["plotly_mimetype"].to_mimebundle(self.figure)
        return {**live, "text/html": self._repr_html_(), "text/plain": repr(self)}


def _still(pane: Pane) -> str:
    words = " ".join(filter(None, (pane.caption, pane.note)))
    return (
        f'<figure style="flex:{pane.wide} 1 200px;margin:4px 0"><b>{html.escape(pane.title)}</b><br>'
        f"<small>{html.escape(words)}</small>{paint(pane.figure, 360, 220, pane.alt)}</figure>"
    )


def sheet(rows: Sequence[Sequence[Pane]], theme: Theme) -> Figure:
    """All panes in one figure of plotly, each with its title and caption above it."""
    heads = [max(len(_caption(pane, row)) for pane in row) * 15 + 26 for row in rows]
    heights = [max(pane.figure["layout"]["height"] for pane in row) for row in rows]
    total = sum(heads) + sum(heights) + GAP * (len(rows) - 1)
    layout: dict[str, Any] = {
        "template": theme.template(),
        "height": total,
        "paper_bgcolor": theme.panel,
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
        "barmode": "group",
        "annotations": [],
    }
    data: list[dict[str, Any]] = []
    top, k = 0.0, 0
    for row, head, height in zip(rows, heads, heights):
        left = 0.0
        for pane in row:
            k += 1
            right = left + _share(pane, row)
            box = left, right - 0.02, 1 - (top + head + height) / total, 1 - (top + head) / total
            data += _hang(pane.figure, layout, k, box, total)
            layout["annotations"].append(_head(pane, row, left, 1 - top / total, theme))
            left = right
        top += head + height + GAP
    return {"data": data, "layout": layout}


def _share(pane: Pane, row: Sequence[Pane]) -> float:
    return pane.wide / sum(other.wide for other in row)


def _caption(pane: Pane, row: Sequence[Pane]) -> list[str]:
    words = " ".join(filter(None, (pane.caption, pane.note)))
    return textwrap.wrap(words, max(20, int(_share(pane, row) * WIDTH / 6.4)))


def _head(pane: Pane, row: Sequence[Pane], left: float, top: float, theme: Theme) -> dict[str, Any]:
    lines = "<br>".join(html.escape(line, quote=False) for line in _caption(pane, row))
    return {
        "text": f'<b>{text(pane.title)}</b><br><span style="color:{theme.soft}">{lines}</span>',
        "xref": "paper", "yref": "paper", "x": left, "y": top, "xanchor": "left", "yanchor": "top",
        "align": "left", "showarrow": False, "font": {"size": 12},
    }  # fmt: skip


def _hang(figure: Figure, layout: dict[str, Any], k: int, box: tuple[float, ...], total: float) -> list[dict[str, Any]]:
    """Puts one figure into `box` (left, right, bottom, top, as shares of the sheet) with axes of its own."""
    own = figure["layout"]
    n = "" if k == 1 else str(k)
    x, y = f"x{n}", f"y{n}"
    margin = MARGIN | own.get("margin", {})
    scaled = any(_bar_of(trace) is not None for trace in figure["data"])
    left = box[0] + margin["l"] / WIDTH
    right = box[1] - (margin["r"] + 56 * scaled) / WIDTH
    bottom, top = box[2] + margin["b"] / total, box[3] - margin["t"] / total
    layout[f"xaxis{n}"] = {**own["xaxis"], "domain": [left, right], "anchor": y, "automargin": False}
    layout[f"yaxis{n}"] = {**own["yaxis"], "domain": [bottom, top], "anchor": x, "automargin": False}
    if "scaleanchor" in own["yaxis"]:
        layout[f"yaxis{n}"]["scaleanchor"] = x
    for note in own.get("annotations", ()):
        layout["annotations"].append({**note, "xref": f"{x} domain", "yref": f"{y} domain"})
    traces = []
    for trace in figure["data"]:
        trace = {
            **trace,
            "xaxis": x,
            "yaxis": y,
            "showlegend": bool(own.get("showlegend")) and trace.get("showlegend", True),
        }
        if (scale := _bar_of(trace)) is not None:
            placed = {**scale, "x": right + 0.004, "y": (bottom + top) / 2, "len": top - bottom}
            holder = trace if "colorbar" in trace else {**trace["marker"]}
            holder["colorbar"] = placed
            if holder is not trace:
                trace["marker"] = holder
        traces.append(trace)
    return traces


def _bar_of(trace: dict[str, Any]) -> dict[str, Any] | None:
    return trace.get("colorbar", trace.get("marker", {}).get("colorbar"))
