"""A figure of the stage as a small still picture: SVG without a script, for cards and for saved notebooks.

It paints the very figure that plotly would draw, so there is one description of a picture and no second.
Only numbers and checked colours are written into the markup; text tones become `currentColor`, so
that one picture serves light and dark.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Figure
from .theme import BLUE, LIGHT, sample

Array = NDArray[Any]

SEGMENTS, DOTS, ROWS, COLUMNS, SHADES = 500, 300, 24, 48, 16  # as much as such a small picture can show

_TONES = {LIGHT.ink: 1.0, LIGHT.soft: 0.6, LIGHT.edge: 0.28, LIGHT.rule: 0.14, LIGHT.panel: 0.0}


def paint(figure: Figure, width: int = 320, height: int = 160, alt: str = "") -> str:
    """An inline `<svg>` of a figure made with the light theme; `alt` says what it shows."""
    board = _Board(figure["layout"], width, height)
    board.arms = sum(trace["type"] == "bar" for trace in figure["data"])
    board.length = sum(len(trace.get("x", ())) for trace in figure["data"] if "lines" in trace.get("mode", ""))
    plain = html.escape("".join(letter for letter in alt if letter.isprintable()))
    marks = "".join(_MARKS[trace["type"]](board, trace) for trace in figure["data"])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="100%" role="img" '
        f'aria-label="{plain}" fill="none" stroke-linejoin="round" stroke-linecap="round">{marks}</svg>'
    )


class _Board:
    """Where the numbers of a figure lie in the picture."""

    def __init__(self, layout: Mapping[str, Any], width: int, height: int, margin: float = 12) -> None:
        x, y = layout["xaxis"], layout["yaxis"]
        self.low = np.array([x["range"][0], y["range"][0]], float)
        self.high = np.array([x["range"][1], y["range"][1]], float)
        self.log = [axis.get("type") == "log" for axis in (x, y)]
        room = np.array([width, height]) - 2 * margin
        self.unit = room / (self.high - self.low) * [1, -1]
        if "scaleanchor" in y:
            self.unit = np.abs(self.unit).min() * np.sign(self.unit)
        self.middle = np.array([width, height]) / 2
        self.arms = self.drawn = 0  # groups of bars in the figure, and those already drawn
        self.length = 0  # of all lines together, in points

    def most(self, line: Array) -> int:
        """How many pieces of a line are drawn: it has its share of what such a picture can show."""
        return max(1, SEGMENTS * len(line) // max(self.length, 1))

    def __call__(self, x: Any, y: Any) -> Array:
        """(n,) and (n,) -> (n, 2) in pixels; what cannot be placed is not a number."""
        columns = []
        for values, log in zip((x, y), self.log, strict=True):
            values = np.array([np.nan if v is None else v for v in values], float)
            columns.append(np.log10(np.where(values > 0, values, np.nan)) if log else values)
        if not columns[0].size or not columns[1].size:
            return np.zeros((0, 2))
        return (np.stack(columns, 1) - (self.low + self.high) / 2) * self.unit + self.middle


def _colour(colour: Any, role: str) -> str:
    """`role` ("fill" or "stroke") in a colour: a known tone as currentColor, else a checked hex or rgba."""
    colour = str(colour)
    if colour in _TONES:
        return f'{role}="currentColor" {role}-opacity="{_TONES[colour]}"'
    if found := re.fullmatch(r"rgba\((\d+),(\d+),(\d+),([\d.]+)\)", colour):
        return f'{role}="rgb({found[1]},{found[2]},{found[3]})" {role}-opacity="{float(found[4])}"'
    return f'{role}="{colour if re.fullmatch(r"#[0-9A-Fa-f]{6}", colour) else "currentColor"}"'


def _path(points: Array) -> str:
    """(n, 2) -> the `d` of a path; a row that is not a number lifts the pen."""
    parts, down = [], False
    for x, y in points.tolist():
        good = math.isfinite(x + y)
        if good:
            parts.append(f"{'L' if down else 'M'}{x:.1f} {y:.1f}")
        down = good
    return "".join(parts)


def _thinned(points: Array, most: int) -> Array:
    """Of many separate pieces a fair sample of `most`, of one long line every so many points."""
    if len(points) <= 3 * most:
        return points
    gaps = np.flatnonzero(~np.isfinite(points).all(1))
    if len(gaps) < most:
        return points[:: -(-len(points) // (3 * most))]
    chosen = np.sort(np.random.default_rng(0).choice(len(gaps), most, replace=False))
    starts = np.concatenate([[0], gaps[:-1] + 1])
    return np.concatenate([points[starts[i] : gaps[i] + 1] for i in chosen])


def _scatter(board: _Board, trace: Mapping[str, Any]) -> str:
    points = board(trace.get("x", ()), trace.get("y", ()))
    out = []
    opacity = f' opacity="{float(trace["opacity"]):.2f}"' if "opacity" in trace else ""
    if "lines" in trace["mode"] and len(points):
        line = trace["line"]
        if line.get("shape") == "hv":
            points = np.stack([points, np.stack([np.append(points[1:, 0], np.nan), points[:, 1]], 1)], 1).reshape(-1, 2)
        if trace.get("fill") == "tozeroy":
            floor = board([0], [0])[0, 1]
            good = points[np.isfinite(points).all(1)]
            if len(good):
                area = np.concatenate([[[good[0, 0], floor]], good, [[good[-1, 0], floor]]])
                out.append(f'<path d="{_path(area)}Z" {_colour(trace["fillcolor"], "fill")}/>')
        dash = "" if line.get("dash", "solid") == "solid" else ' stroke-dasharray="5 4"'
        out.append(
            f'<path d="{_path(_thinned(points, board.most(points)))}" {_colour(line["color"], "stroke")} '
            f'stroke-width="{float(line["width"]):.1f}"{dash}{opacity}/>'
        )
    unseen = trace.get("marker", {}).get("symbol") == "arrow" or np.all(trace.get("marker", {}).get("opacity", 1) == 0)
    if "markers" in trace["mode"] and len(points) and not unseen:
        out.append(_dots(points, trace["marker"]))
    return "".join(out)


def _dots(points: Array, marker: Mapping[str, Any]) -> str:
    n = len(points)
    sizes = np.broadcast_to(np.asarray(marker.get("size", 6), float), n)
    if marker.get("sizemode") == "area":
        sizes = np.sqrt(sizes / marker["sizeref"])
    rings = np.broadcast_to(np.asarray(marker.get("line", {}).get("width", 0), float), n)
    opacities = np.broadcast_to(np.asarray(marker.get("opacity", 1), float), n)
    colours = marker.get("color", BLUE)
    if "colorscale" in marker:
        low, high = marker["cmin"], marker["cmax"]
        colours = [sample(marker["colorscale"], (float(c) - low) / (high - low)) for c in np.asarray(colours).tolist()]
    elif isinstance(colours, str):
        colours = [colours] * n
    ring = _colour(marker.get("line", {}).get("color", LIGHT.ink), "stroke")
    scale = 0.62  # plotly's pixels, for a picture half as large
    opened = str(marker.get("symbol", "")).endswith("-open")
    shapes = []
    for i in range(0, n, -(-n // DOTS)):
        x, y = points[i].tolist()
        if not math.isfinite(x + y):
            continue
        if opened:
            mark = _colour(colours[i], "stroke") + ' stroke-width="1.5"'
        else:
            mark = _colour(colours[i], "fill")
            mark += f' {ring} stroke-width="{rings[i] * 0.7:.1f}"' if rings[i] > 0 else ""
        mark += f' opacity="{opacities[i]:.2f}"' if opacities[i] < 1 else ""
        r = max(sizes[i] * scale / 2, 1)
        if "square" in str(marker.get("symbol")):
            shapes.append(f'<rect x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r:.1f}" height="{2 * r:.1f}" {mark}/>')
        elif "line-ns" in str(marker.get("symbol")):
            shapes.append(f'<path d="M{x:.1f} {y - r:.1f}V{y + r:.1f}" {mark}/>')
        else:
            shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" {mark}/>')
    return "".join(shapes)


def _heatmap(board: _Board, trace: Mapping[str, Any]) -> str:
    z = np.asarray(trace["z"], float)
    if z.ndim != 2 or not z.size:
        return ""
    down, across = -(-z.shape[0] // ROWS), -(-z.shape[1] // COLUMNS)
    z = z[::down, ::across]
    r, c = z.shape
    (left, top), (right, bottom) = board.low, board.high
    corners = board(np.linspace(left, right, c + 1), np.full(c + 1, top))[:, 0]
    sides = board(np.full(r + 1, left), np.linspace(min(top, bottom), max(top, bottom), r + 1))[:, 1]
    share = (z - trace["zmin"]) / max(trace["zmax"] - trace["zmin"], 1e-12)
    level = np.where(np.isfinite(share), np.clip(share, 0, 1) * (SHADES - 1), -1).round().astype(int)
    out = []
    for shade in range(SHADES):
        cells = "".join(
            f"M{corners[j]:.1f} {sides[i]:.1f}H{corners[j + 1]:.1f}V{sides[i + 1]:.1f}H{corners[j]:.1f}Z"
            for i, j in np.argwhere(level == shade).tolist()
        )
        if cells:
            colour = _colour(sample(trace["colorscale"], shade / (SHADES - 1)), "fill")
            out.append(f'<path d="{cells}" {colour} shape-rendering="crispEdges"/>')
    return "".join(out)


def _bars(board: _Board, trace: Mapping[str, Any]) -> str:
    lying = trace["orientation"] == "h"
    places, values = (trace["y"], trace["x"]) if lying else (trace["x"], trace["y"])
    thick = 0.75 / board.arms
    place = board.drawn
    board.drawn += 1
    out = []
    for where, value in zip(places, values):
        if value is None:
            continue
        low = where - 0.375 + place * thick
        across, up = (low, low + thick), (0.0, value)
        (x0, y0), (x1, y1) = board(*((up, across) if lying else (across, up)))
        box = f'x="{min(x0, x1):.1f}" y="{min(y0, y1):.1f}" width="{abs(x1 - x0):.1f}" height="{abs(y1 - y0):.1f}"'
        out.append(f"<rect {box} {_colour(trace['marker']['color'], 'fill')}/>")
    return "".join(out)


_MARKS = {"scatter": _scatter, "scattergl": _scatter, "heatmap": _heatmap, "bar": _bars}
