"""Representations and rasters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Array, Items, Renderer, axis, bar, count, limits, text
from .edges import line_of
from .nodes import extent, scale_of
from .projection import kept, project
from .theme import SHADES, Theme, class_scale

MANY = 3_000  # more dots than this go to WebGL
NAMED = 25  # items whose names are written beside them


class Representations(Renderer):
    """Points: one dot per item; wider than two, in one projection of the whole run."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.flat: dict[tuple[str, int], Array] = {}  # by the identity of a value: the values live as long as this
        self.method: dict[tuple[str, int], str] = {}
        for arm, line in self.lines.items():
            for width in {points.x.shape[1] for points in line.values}:
                some = [points for points in line.values if points.x.shape[1] == width]
                laid = [_plain(points.x) for points in some]
                if width > 2:
                    laid, self.method[arm, width] = project([points.x for points in some], self.scene.projection)
                self.flat |= {(arm, id(points)): flat for points, flat in zip(some, laid)}
        every, flat = list(self.every()), list(self.flat.values())
        self.strip = all(points.x.shape[1] == 1 for points in every)
        self.span = [_most([x[:, i] for x in flat]) for i in (0, 1)]
        if self.strip:
            self.span[1] = [-1.0, 1.0]
        self.quantity = extent(
            points.values for points in every if points.values is not None and points.classes is None
        )
        labels = [int(points.classes.max()) + 1 for points in every if points.classes is not None and len(points.x)]
        self.shades = min(SHADES, max(labels, default=1))
        self.linked = any(points.links is not None for points in every)

    def items(self, arms: Sequence[str], at: int) -> Items | None:
        points = self.lines[arms[0]].at(at)
        if points is None:
            return None
        known = {"class": points.classes, "value": points.values, "a mistake": points.wrong}
        return Items(points.items, points.names, {name: fact for name, fact in known.items() if fact is not None})

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        (arm,) = arms
        some = self.lines[arm].values[-1]
        n = len(some.x)
        size = 10 if n <= 60 else 7.5 if n <= 350 else 5 if n <= 1500 else 3.5
        if some.classes is None and some.values is not None:
            colours = {"colorscale": scale_of(self.quantity), "cmin": self.quantity[0],
                       "cmax": self.quantity[1], "showscale": True, "colorbar": bar("", theme)}  # fmt: skip
        elif some.classes is None:
            colours = {"color": self.scene.style(arm)[0]}
        else:
            colours = {"colorscale": class_scale(self.shades), "cmin": -1.5, "cmax": self.shades - 0.5}
        rim = 0.6 * (
            some.classes is None and some.values is not None
        )  # the ends of the scale are near the panel's tone
        dots: dict[str, Any] = {
            "type": "scattergl" if n > MANY else "scatter", "mode": "markers", "meta": "items", "hoverinfo": "none",
            "marker": {"size": size, "opacity": 0.9, "line": {"color": theme.ink, "width": rim}, **colours},
        }  # fmt: skip
        if some.names and n <= NAMED and max(len(str(name)) for name in some.names) <= 18:
            dots |= {"mode": "markers+text", "text": [text(name) for name in some.names], "cliponaxis": False,
                     "textposition": "top center", "textfont": {"size": 10, "color": theme.soft}}  # fmt: skip
        links = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "line": {"color": theme.edge, "width": 1}}
        x, y = some.axes or [f"{'UMAP' if 'UMAP' in self.method.values() else 'component'} {i}" for i in (1, 2)]
        layout = {"xaxis": axis(x, self.span[0]), "yaxis": axis(y, self.span[1])}
        if self.strip:
            layout = {"xaxis": axis(some.axes[0] if some.axes else "value", self.span[0]),
                      "yaxis": {"visible": False, "range": self.span[1], "autorange": False},
                      "margin": {"l": 12, "r": 12, "t": 8, "b": 40}}  # fmt: skip
        return [links, dots] if self.linked else [dots], layout

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        (arm,) = arms
        points = self.lines[arm].at(at)
        if points is None:
            return [{"x": [], "y": []}] * (1 + self.linked)
        where = self.flat[arm, id(points)].astype(np.float32)
        marker: dict[str, Any] = {}
        if points.classes is not None:
            classes = np.asarray(points.classes)
            marker["color"] = np.where(classes < 0, -1, classes % self.shades)
        elif points.values is not None:
            marker["color"] = points.values
        if points.wrong is not None:
            marker["line"] = {"width": np.where(points.wrong, 2, 0.6 * (points.classes is None))}
        drawn: list[dict[str, Any]] = [{"x": where[:, 0], "y": where[:, 1], "marker": marker}]
        if self.linked:
            links = np.zeros((0, 2), int) if points.links is None else np.asarray(points.links)
            drawn.insert(0, line_of(where[links[:, 0]], where[links[:, 1]]))
        return drawn

    def note(self, arms: Sequence[str], at: int) -> str:
        (arm,) = arms
        points = self.lines[arm].at(at)
        if points is None:
            return ""
        flat = self.flat[arm, id(points)]
        (left, right), (low, high) = self.span
        x, y = flat[np.isfinite(flat).all(1)].T
        lost = int(((x < left) | (x > right) | (y < low) | (y > high)).sum())
        outside = f"{count(lost, 'dot')} {'lies' if lost == 1 else 'lie'} outside the picture." if lost else ""
        if points.x.shape[1] <= 2:
            return outside
        share = kept(points.x, flat)
        said = (
            f"{points.x.shape[1]} dimensions, projected once for the whole run ({self.method[arm, points.x.shape[1]]})"
        )
        if share is not None:
            said += f"; {share:.0%} of neighbours kept".replace("%", " %")
        said += "; same scale in all arms." if len(self.lines) > 1 else "."
        return f"{said} {outside}".rstrip()

    def says(self, arms: Sequence[str], at: int) -> str:
        points = self.lines[arms[0]].at(at)
        said = f"{count(len(points.x), 'dot')} of {self.series}"
        if points.classes is not None and len(points.x):
            said += f", coloured by {len(np.unique(points.classes))} classes"
        if points.wrong is not None:
            said += f", {count(int(np.sum(points.wrong)), 'mistake')}"
        flat = self.flat[arms[0], id(points)]
        flat = flat[np.isfinite(flat).all(1)]
        if len(flat) and not self.strip:
            share = np.ptp(flat, axis=0) / [self.span[0][1] - self.span[0][0], self.span[1][1] - self.span[1][0]]
            said += f", spread over {float(share.max()):.0%} of the picture".replace("%", " %")
        return said


def _plain(x: Array) -> Array:
    """(n, d) -> (n, 2) for d up to 2; a strip has its dots spread evenly over its height."""
    if x.shape[1] == 2:
        return x
    height = (np.arange(len(x)) * 0.6180339887) % 1 - 0.5
    return np.stack([x[:, 0] if x.shape[1] else np.zeros(len(x)), height], 1)


def _most(columns: list[Array]) -> list[float]:
    """Limits that hold all dots, or all but a few far ones that would press the others together.

    Far is what lies more than a whole width outside the middle 98 % of the dots of every step.
    """
    good = [column[np.isfinite(column)] for column in columns]
    low, high = limits([np.quantile(column, (0.01, 0.99)) for column in good if len(column)], 0)
    near = [column[(column >= 2 * low - high) & (column <= 2 * high - low)] for column in good]
    everything, core = limits(good), limits(near)
    return core if everything[1] - everything[0] > 1.5 * (core[1] - core[0]) else everything


class Rasters(Renderer):
    """Events: a mark for each event, time to the right, one row per unit."""

    wide = 1.3

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        every = list(self.every())
        self.across = limits((events.times for events in every), 0.02)
        self.units = max(events.num_units for events in every)
        self.most = max(len(events.times) for events in every)
        labels = [int(events.classes.max()) + 1 for events in every if events.classes is not None and len(events.times)]
        self.shades = min(SHADES, max(labels, default=1))

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        (arm,) = arms
        some = self.lines[arm].values[-1]
        row = (height - 50) / max(self.units, 1)
        look: dict[str, Any] = {
            "symbol": "line-ns-open",
            "size": float(np.clip(row * 0.8, 3, 14)),
            "line": {"width": 1.5},
        }
        if self.most > MANY:
            look = {"symbol": "square", "size": float(np.clip(row * 0.7, 2, 5)), "line": {"width": 0}}
        if some.classes is None:
            look["color"] = theme.text(self.scene.style(arm)[0])
        else:
            look |= {"colorscale": class_scale(self.shades), "cmin": -1.5, "cmax": self.shades - 0.5}
        unit = text(some.items.removesuffix("s"))
        marks = {
            "type": "scattergl" if self.most > MANY else "scatter", "mode": "markers", "meta": "items", "marker": look,
            "hovertemplate": f"{text(some.time)} %{{x:.4~g}}, {unit} %{{y}}<extra></extra>",
        }  # fmt: skip
        return [marks], {
            "xaxis": axis(some.time, self.across),
            "yaxis": axis(unit, [-0.7, self.units - 0.3], showgrid=self.units <= 30),
        }

    def items(self, arms: Sequence[str], at: int) -> Items | None:
        return Items(self.lines[arms[0]].values[-1].items)

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        events = self.lines[arms[0]].at(at)
        if events is None:
            return [{"x": [], "y": []}]
        marks: dict[str, Any] = {"x": events.times, "y": events.units}
        if events.classes is not None:
            classes = np.asarray(events.classes)
            marks["marker"] = {"color": np.where(classes < 0, -1, classes % self.shades)}
        return [marks]

    def says(self, arms: Sequence[str], at: int) -> str:
        events = self.lines[arms[0]].at(at)
        return (
            f"Raster of {count(len(events.times), 'event')} of {events.num_units:,} {events.items} over {events.time}"
        )
