"""The edges of a graph as lines of plotly: which are drawn, how wide, in which colour, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..trace import Graph
from .base import Array, text
from .theme import BLUE, GREEN, QUANTITY, TIME, Scale, Theme, mix, sample

EDGES = 6_000  # edges that are drawn; of more, a fair sample
WIDTHS = 5  # steps of an edge's width
TINTS = 9  # steps of an edge's colour; an odd number, so that one of them is zero


def line_of(starts: Array, ends: Array) -> dict[str, Any]:
    """(m, 2) and (m, 2) -> one broken line through all pairs."""
    gap = np.full(len(starts), np.nan)
    x = np.stack([starts[:, 0], ends[:, 0], gap], 1).ravel()
    y = np.stack([starts[:, 1], ends[:, 1], gap], 1).ravel()
    return {"x": x.astype(np.float32), "y": y.astype(np.float32)}


class Edges:
    """The edges of a graph that are drawn, `pairs` (2, m'): no loops, and undirected ones once."""

    def __init__(self, graph: Graph) -> None:
        edges = np.asarray(graph.edges)
        if not graph.directed:
            edges = np.sort(edges, axis=0)
        codes, where = np.unique(edges[0] * graph.num_nodes + edges[1], return_inverse=True)
        once = np.stack([codes // max(graph.num_nodes, 1), codes % max(graph.num_nodes, 1)])
        self._where, self._proper = where.ravel(), once[0] != once[1]
        self.pairs = once[:, self._proper]

    def carry(self, given: Any) -> Any:
        """A quantity (m,) of the graph's edges for `pairs`, (m',): of two, the one that is further from zero."""
        if given is None:
            return None
        given = np.asarray(given, np.float64)
        order = np.argsort(np.abs(np.nan_to_num(given)), kind="stable")
        most = np.zeros(len(self._proper))
        most[self._where[order]] = given[order]  # the last one stays
        return most[self._proper]


def fair(m: int) -> Array:
    """Which of `m` edges are drawn: all, or always the same fair sample."""
    return np.arange(m) if m <= EDGES else np.sort(np.random.default_rng(0).choice(m, EDGES, replace=False))


def levels(values: Array, low: float, high: float, steps: int) -> Array:
    """(m,) -> the step of each value between `low` and `high`, from 0; -1 where it is not a number."""
    share = np.clip((np.asarray(values, np.float64) - low) / max(high - low, 1e-12), 0, 1)
    return np.where(np.isnan(share), -1, np.minimum(np.nan_to_num(share) * steps, steps - 1)).astype(int)


def tints(span: Sequence[float], theme: Theme) -> list[str]:
    """The colours of an edge's steps between the ends of `span`, from the lowest to the highest.

    Of a quantity with two signs, zero is an ordinary edge: white would vanish in light and shout in dark.
    """
    if not span[0] < 0 < span[1]:
        return [sample(QUANTITY, (i + 0.5) / TINTS) for i in range(TINTS)]
    half = TINTS // 2
    return [mix(theme.edge, BLUE if i < half else TIME, abs(i - half) / half) for i in range(TINTS)]


def stepped(colours: list[str]) -> Scale:
    """A colour bar of exactly these colours."""
    return [[edge / len(colours), colour] for i, colour in enumerate(colours) for edge in (i, i + 1)]


def line(kind: str, colour: str, width: float, opacity: float = 1.0, **more: Any) -> dict[str, Any]:
    """A trace of edges; `kind` is "scatter" or "scattergl"."""
    pen = {"color": colour, "width": width}
    if dash := more.pop("dash", ""):
        pen["dash"] = dash
    return {"type": kind, "mode": "lines", "hoverinfo": "skip", "line": pen, "opacity": opacity, **more}


def key_of_changes(theme: Theme) -> dict[str, Any]:
    """The legend of added and dropped edges, in the room below the picture."""
    parts = ((GREEN, "━━", "added"), (theme.soft, "╌╌", "dropped"))
    words = [f'<span style="color:{theme.text(shade)}">{text(sign)}</span> {word}' for shade, sign, word in parts]
    return {
        "text": "&nbsp;&nbsp; ".join(words), "showarrow": False, "font": {"size": 12, "color": theme.soft},
        "xref": "paper", "yref": "paper", "x": 0, "y": 0, "xanchor": "left", "yanchor": "top",
    }  # fmt: skip
