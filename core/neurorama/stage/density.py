"""A graph of so many nodes that dots would hide each other: how many lie in each cell, and the neighbours of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, bar
from .edges import line, line_of
from .theme import QUANTITY, Theme

DENSE = 50_000  # nodes that are drawn as dots; more are counted
ACROSS = 150  # cells from left to right
NEIGHBOURS = 200  # of one node that are drawn


def template(where: Array, spans: tuple[list[float], list[float]], theme: Theme) -> list[dict[str, Any]]:
    """Four traces: the cells, and on them links, neighbours and the node that they belong to."""
    highest = float(np.nanmax(cells(where, spans)["z"], initial=0.0))
    ticks = np.arange(int(highest) + 1)
    scale = bar("nodes in a cell", theme) | {"tickvals": ticks.tolist(), "ticktext": [f"{10**i:,}" for i in ticks]}
    ring = {"color": theme.panel, "width": 1}
    dots: dict[str, Any] = {"type": "scatter", "mode": "markers", "hoverinfo": "skip"}
    return [
        {"type": "heatmap", "colorscale": QUANTITY, "zmin": 0.0, "zmax": max(highest, 1.0), "showscale": True,
         "colorbar": scale, "hoverinfo": "skip"},
        line("scatter", theme.panel, 1.2, 0.7),
        dots | {"marker": {"size": 5, "color": theme.ink, "line": ring}},
        dots | {"marker": {"size": 12, "color": theme.ink, "line": ring | {"width": 2.5}}},
    ]  # fmt: skip


def patches(where: Array, spans: tuple[list[float], list[float]], around: tuple[int, Array]) -> list[dict[str, Any]]:
    """What the traces hold; `around` is a node and those of its neighbours that are drawn."""
    node, others = around
    mine, theirs = where[[node]], where[others]
    marks = [{"x": x.astype(np.float32), "y": y.astype(np.float32)} for x, y in (theirs.T, mine.T)]
    return [cells(where, spans), line_of(np.repeat(mine, len(others), 0), theirs), *marks]


def cells(where: Array, spans: tuple[list[float], list[float]]) -> dict[str, Array]:
    """Square cells over both axes: `z` the logarithm to the base of ten of how many nodes lie there, or no number."""
    (left, right), (low, high) = spans
    rows = max(1, round(ACROSS * (high - low) / (right - left)))
    counts, x, y = np.histogram2d(*where.T, bins=(ACROSS, rows), range=spans)
    with np.errstate(divide="ignore"):
        z = np.log10(counts.T)
    return {
        "z": np.where(counts.T > 0, z, np.nan).astype(np.float32),
        "x": ((x[1:] + x[:-1]) / 2).astype(np.float32),
        "y": ((y[1:] + y[:-1]) / 2).astype(np.float32),
    }


def neighbours(pairs: Array, node: int) -> Array:
    """Those of a node that are drawn: all, or always the same fair sample."""
    found = np.unique(np.concatenate([pairs[1, pairs[0] == node], pairs[0, pairs[1] == node]]))
    few = len(found) <= NEIGHBOURS
    return found if few else np.sort(np.random.default_rng(0).choice(found, NEIGHBOURS, replace=False))
