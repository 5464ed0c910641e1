"""Matrices and images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import LEAST, Items, Renderer, axis, bar, limits, number, text
from .theme import PICTURE, QUANTITY, SIGNED, Theme

WRITTEN = 64  # cells whose numbers are written into them


class Matrices(Renderer):
    """A Grid: colours on one scale for the whole run and all arms."""

    wide = 1.2

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        every = list(self.every())
        self.signed = any(grid.signed for grid in every)
        low, high = limits((grid.z for grid in every), 0)
        reach = max(abs(low), abs(high))
        self.span = [-reach, reach] if self.signed else [low, high]

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        grid = self.lines[arms[0]].values[-1]
        r, c = grid.z.shape
        scale = SIGNED if self.signed else PICTURE if grid.image else QUANTITY
        unit = text(grid.unit or "value")
        cells: dict[str, Any] = {
            "type": "heatmap", "meta": "items", "colorscale": scale, "zmin": self.span[0], "zmax": self.span[1],
            "showscale": not grid.image, "hoverongaps": False,
            "hovertemplate": f"{text(grid.rows or 'row')} %{{y}}, {text(grid.cols or 'column')} %{{x}}<br>"
                             f"{unit} %{{z:.3~g}}<extra></extra>",
        }  # fmt: skip
        if grid.image:
            off = {"visible": False, "autorange": False, "constrain": "domain"}
            return [cells], {
                "xaxis": {**off, "range": [-0.5, max(c, 1) - 0.5]},
                "yaxis": {**off, "range": [max(r, 1) - 0.5, -0.5], "scaleanchor": "x"},
                "margin": {"l": 6, "r": 6, "t": 6, "b": 6},
            }
        cells["colorbar"] = bar(grid.unit, theme)
        if r * c <= WRITTEN and height / max(r, 1) > 24 and c <= 8:
            cells |= {"texttemplate": "%{z:.2~g}", "textfont": {"size": 11}}
        across, down = [-0.5, max(c, 1) - 0.5], [max(r, 1) - 0.5, -0.5]
        if grid.x is not None and c:
            across = _edges(grid.x)
        if grid.y is not None and r:
            down = _edges(grid.y)
        whole = {"showgrid": False}
        few = [{"tickmode": "linear", "dtick": 1, "tick0": 0} if k <= 10 and given is None else {}
               for k, given in ((c, grid.x), (r, grid.y))]  # fmt: skip
        return [cells], {
            "xaxis": axis(grid.cols, across, **whole, **few[0]),
            "yaxis": axis(grid.rows, down, **whole, **few[1]),
        }

    def tall(self, arms: Sequence[str], width: float, most: int) -> int:
        grid = self.lines[arms[0]].values[-1]
        r, c = grid.z.shape
        return min(most, max(LEAST, round((width - 12) * r / max(c, 1)) + 12)) if grid.image else most

    def items(self, arms: Sequence[str], at: int) -> Items | None:
        """The columns, where they are items."""
        grid = self.lines[arms[0]].values[-1]
        return Items(grid.items) if grid.items else None

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        grid = self.lines[arms[0]].at(at)
        if grid is None:
            return [{"z": []}]
        z = np.where(np.isfinite(grid.z), grid.z, np.nan)
        where = {name: value for name, value in (("x", grid.x), ("y", grid.y)) if value is not None}
        return [{"z": z, **where}]

    def says(self, arms: Sequence[str], at: int) -> str:
        grid = self.lines[arms[0]].at(at)
        r, c = grid.z.shape
        what = "Image" if grid.image else "Matrix"
        axes = f", {grid.rows} by {grid.cols}" if grid.rows and grid.cols else ""
        said = f"{what} of {r} by {c} cells{axes}"
        if np.isfinite(grid.z).any():
            low, high = float(np.nanmin(grid.z)), float(np.nanmax(grid.z))
            said += f", {grid.unit or 'values'} from {number(low)} to {number(high)}"
        return said


def _edges(places: Any) -> list[float]:
    """The outer edges of cells around `places`, in their own direction."""
    places = np.asarray(places, np.float64)
    if len(places) < 2:
        return [float(places[0]) - 0.5, float(places[0]) + 0.5]
    ends = places[0] - (places[1] - places[0]) / 2, places[-1] + (places[-1] - places[-2]) / 2
    return [float(min(ends)), float(max(ends))]
