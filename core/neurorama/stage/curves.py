"""What has an axis of quantities: curves over time, functions, bars and distributions. Arms share one figure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Array, Items, Renderer, apart, axis, count, limits, listing, number, text
from .theme import MARGIN, TIME, Theme, rgb

LABELLED = 4  # the names of more arms than this stand above the picture
HEADING = 32  # characters of a line there
ROW = 0.075  # the height of a line of a label, as a share of a low figure
_SIGNS = {"solid": "■", "dash": "- -", "dot": "· ·", "dashdot": "- ·"}


def _label(arm: str) -> str:
    return "<br>".join("\u2002" + text(line) for line in textwrap.wrap(arm, 11, break_long_words=False)[:3])


class _Lines(Renderer):
    """Lines of several arms with their names at the end."""

    joint = True
    span: list[float]

    def _spread(self, arms: Sequence[str], heights: Sequence[float]) -> list[float]:
        """Where the arms' names stand, beside the ends of their lines; heights on the scale of the figure."""
        row = (self.span[1] - self.span[0]) * ROW
        return apart(heights, [row * (_label(arm).count("<br>") + 1) for arm in arms], self.span)

    def _labelled(self, arms: Sequence[str]) -> bool:
        return len(arms) <= LABELLED and any(arms)

    def _line(self, arm: str, theme: Theme, **more: Any) -> dict[str, Any]:
        colour, dash = self.scene.style(arm)
        return {
            "type": "scatter",
            "mode": "lines",
            "name": text(arm or self.series),
            "line": {"color": colour, "width": 2.5 if colour != theme.soft else 2, "dash": dash},
            **more,
        }

    def _names(self, arms: Sequence[str], theme: Theme) -> dict[str, Any]:
        """The trace that writes each arm's name; its places are patched in."""
        return {
            "type": "scatter",
            "mode": "text",
            "text": [_label(arm) for arm in arms],
            "textposition": "middle right",
            "textfont": {"size": 12, "color": [theme.text(self.scene.style(arm)[0]) for arm in arms]},
            "cliponaxis": False,
            "hoverinfo": "skip",
        }

    def _heading(self, arms: Sequence[str], theme: Theme) -> dict[str, Any]:
        """The arms' names in their colours above the picture, where they cannot stand at the end of a line."""
        lines, room = [[]], HEADING
        for arm in arms if any(arms) else ():
            if lines[-1] and len(arm) + 4 > room:
                lines, room = [*lines, []], HEADING
            room -= len(arm) + 4
            colour, dash = self.scene.style(arm)
            sign = f'<span style="color:{colour}">{_SIGNS[dash]}</span>'
            lines[-1].append(f'{sign} <span style="color:{theme.text(colour)}">{text(arm)}</span>')
        words = "<br>".join("&nbsp;&nbsp; ".join(line) for line in lines)
        place = {"xref": "paper", "yref": "paper", "x": 1, "y": 1, "xanchor": "right", "yanchor": "bottom"}
        note = {"text": words, "align": "right", "showarrow": False, **place}
        return {"annotations": [note] if words else [], "margin": MARGIN | {"t": 8 + 16 * len(lines) * bool(words)}}

    def _frame(self, arms: Sequence[str], theme: Theme, **more: Any) -> dict[str, Any]:
        """Room for the labels on the right, or the names above."""
        if not self._labelled(arms):
            return {**self._heading(arms, theme), **more}
        longest = max(len(part) for arm in arms for part in _label(arm).split("<br>"))
        return {"margin": MARGIN | {"r": 10 + 7 * longest}, **more}


class Numbers(_Lines):
    """A float: its curve over the whole run, and the present moment as a vermilion line."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        every = [np.asarray(line.values, np.float64) for line in self.lines.values()]
        good = np.concatenate([line[np.isfinite(line)] for line in every])
        low, high = np.quantile(good, (0.05, 0.95)) if good.size else (1.0, 1.0)
        self.log = bool(good.size and good.min() > 0 and high > 1000 * low)
        self.span = limits([np.log10(good)] if self.log else every)

    def _height(self, value: float) -> float:
        return float(np.log10(value)) if self.log and value > 0 else value

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        traces = []
        for arm in arms:
            hover = f"%{{y:.4~g}}<extra>{text(arm)}</extra>"
            dots = {"mode": "lines+markers", "marker": {"size": 5}} if len(self.lines[arm].steps) < 2 else {}
            traces.append(
                self._line(arm, theme, x=self.lines[arm].steps, y=_gaps(self.lines[arm].values), hovertemplate=hover)
                | dots
            )
        if self._labelled(arms):
            traces.append(self._names(arms, theme) | self._ends(arms))
        ends = [10**edge for edge in self.span] if self.log else self.span
        traces.append(
            {"type": "scatter", "mode": "lines", "y": ends, "line": {"color": TIME, "width": 1.5}, "hoverinfo": "skip"}
        )  # fmt: skip
        colours = [self.scene.style(arm)[0] for arm in arms]
        traces.append(
            {"type": "scatter", "mode": "markers", "hoverinfo": "skip", "cliponaxis": False,
             "marker": {"size": 8, "color": colours, "line": {"color": theme.panel, "width": 1.5}}}
        )  # fmt: skip
        scale = {"type": "log", "dtick": 1} if self.log else {}
        return traces, self._frame(
            arms,
            theme,
            xaxis=axis(self.scene.time, [self.scene.start, max(self.scene.end, self.scene.start + 1)]),
            yaxis=axis(self.series, self.span, **scale),
            hovermode="x unified",
        )

    def _ends(self, arms: Sequence[str]) -> dict[str, Any]:
        last = [next((v for v in reversed(self.lines[arm].values) if np.isfinite(v)), np.nan) for arm in arms]
        spread = self._spread(arms, [self._height(value) for value in last])
        return {
            "x": [self.lines[arm].steps[-1] for arm in arms],
            "y": _gaps([10**place for place in spread] if self.log else spread),
        }

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        now = [self.lines[arm].at(at) for arm in arms]
        fixed: list[dict[str, Any]] = [{} for _ in arms] + [{}] * self._labelled(arms)
        return [*fixed, {"x": [at, at]}, {"x": [at] * len(arms), "y": _gaps(now)}]

    def note(self, arms: Sequence[str], at: int) -> str:
        return "Logarithmic scale." if self.log else ""

    def says(self, arms: Sequence[str], at: int) -> str:
        values = [(arm, self.lines[arm].at(at)) for arm in arms]
        now = [f"{arm} {number(value)}".strip() for arm, value in values if value is not None]
        return (
            f"Curve of {self.series} over {self.scene.time}: {listing(now)}"
            if now
            else f"{self.series}, not yet measured"
        )


def _gaps(values: Sequence[Any]) -> list[float | None]:
    """Numbers that are missing or not finite become gaps."""
    return [float(value) if value is not None and np.isfinite(value) else None for value in values]


class Functions(_Lines):
    """A Curve: a function as it stands at this step."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        every = list(self.every())
        self.across, self.span = limits((c.x for c in every), 0.02), limits(c.y for c in every)
        self.axis, self.unit = every[0].axis, every[0].unit

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        traces = []
        for arm in arms:
            hover = f"%{{x:.4~g}}: %{{y:.4~g}}<extra>{text(arm)}</extra>"
            dots = any(curve.dots for curve in self.lines[arm].values)
            look = {"mode": "lines+markers", "marker": {"size": 6, "color": self.scene.style(arm)[0]}} if dots else {}
            traces.append(self._line(arm, theme, hovertemplate=hover) | look)
        if self._labelled(arms):
            traces.append(self._names(arms, theme))
        return traces, self._frame(
            arms, theme, xaxis=axis(self.axis, self.across), yaxis=axis(self.unit or self.series, self.span)
        )

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        now = [self.lines[arm].at(at) for arm in arms]
        drawn: list[dict[str, Any]] = [{"x": c.x, "y": c.y} if c is not None else {"x": [], "y": []} for c in now]
        if self._labelled(arms):
            ends = [(c.x[-1], c.y[-1]) if c is not None and len(c.x) else (np.nan, np.nan) for c in now]
            heights = self._spread(arms, [float(np.clip(y, self.span[0], self.span[1])) for _, y in ends])
            drawn.append({"x": _gaps([x for x, _ in ends]), "y": _gaps(heights)})
        return drawn

    def says(self, arms: Sequence[str], at: int) -> str:
        now = {arm: self.lines[arm].at(at) for arm in arms}
        parts = [
            f"{arm} between {number(float(np.nanmin(c.y)))} and {number(float(np.nanmax(c.y)))}".strip()
            for arm, c in now.items()
            if c is not None and np.isfinite(c.y).any()
        ]
        what = f"{self.unit or self.series} over {self.axis or 'its argument'}"
        return f"Curve of {what}: {listing(parts) if parts else 'empty'}"


class Distributions(_Lines):
    """A Hist: counts as steps, the threshold dashed."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        every = list(self.every())
        self.across = limits((h.bounds for h in every), 0)
        peaks = np.array([np.max(h.counts, initial=0.0) for h in every])
        usual = float(np.quantile(peaks, 0.9))
        self.cut = bool(0 < 2 * usual < peaks.max())  # a spike of a few steps would flatten all others
        self.span = limits([[usual]] if self.cut else (h.counts for h in every), zero=True)
        self.axis = every[0].axis

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        traces: list[dict[str, Any]] = []
        for arm in arms:
            colour = self.scene.style(arm)[0]
            traces.append(
                self._line(
                    arm, theme, fill="tozeroy", hovertemplate=f"from %{{x:.3~g}}: %{{y:.4~g}}<extra>{text(arm)}</extra>"
                )
            )
            traces[-1]["line"] |= {"shape": "hv", "width": 2}
            traces[-1]["fillcolor"] = _clear(colour, 0.22)
        for arm in arms:
            traces.append(
                {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "showlegend": False,
                 "line": {"color": theme.text(self.scene.style(arm)[0]), "width": 1.5, "dash": "dash"}}
            )  # fmt: skip
        return traces, {
            "xaxis": axis(self.axis or self.series, self.across),
            "yaxis": axis("count", self.span),
            **self._heading(arms, theme),
        }

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        now = [self.lines[arm].at(at) for arm in arms]
        drawn: list[dict[str, Any]] = []
        for h in now:
            drawn.append(
                {"x": h.bounds, "y": np.append(h.counts, h.counts[-1:])} if h is not None else {"x": [], "y": []}
            )
        for h in now:
            level = None if h is None else h.line
            drawn.append({"x": [level, level], "y": self.span} if level is not None else {"x": [], "y": []})
        return drawn

    def note(self, arms: Sequence[str], at: int) -> str:
        now = [self.lines[arm].at(at) for arm in arms]
        highest = max((float(np.max(h.counts, initial=0.0)) for h in now if h is not None), default=0.0)
        if self.cut and highest > self.span[1]:
            return f"The highest column, {number(highest)}, leaves the picture."
        return ""

    def says(self, arms: Sequence[str], at: int) -> str:
        parts = []
        for arm in arms:
            h = self.lines[arm].at(at)
            if h is not None and h.counts.sum() > 0:
                middles = (h.bounds[1:] + h.bounds[:-1]) / 2
                mean = float((middles * h.counts).sum() / h.counts.sum())
                parts.append(f"{arm} {number(float(h.counts.sum()))} values around {number(mean)}".strip())
        return f"Distribution of {self.axis or self.series}: {listing(parts) if parts else 'empty'}"


def _clear(colour: str, share: float) -> str:
    return f"rgba({','.join(map(str, rgb(colour)))},{share})"


class Quantities(_Lines):
    """Bars: named quantities side by side, grouped by arm; lying down where the names are long."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        every = list(self.every())
        self.names = list(dict.fromkeys(str(name) for bars in every for name in bars.names))
        self.place = {name: i for i, name in enumerate(self.names)}
        lines = [bars.line for bars in every if bars.line is not None]
        self.written = len(self.lines) * len(self.names) <= 12
        self.span = limits([*(bars.values for bars in every), lines], 0.2 if self.written else 0.05, zero=True)
        self.unit = every[0].unit
        longest = max((len(name) for name in self.names), default=0)
        self.lying = longest > 12 or longest * len(self.names) > 60

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        value = "x" if self.lying else "y"
        written = {"texttemplate": "%{text}", "textposition": "outside", "textangle": 0, "cliponaxis": False}
        traces: list[dict[str, Any]] = []
        for arm in arms:
            colour = self.scene.style(arm)[0]
            traces.append(
                {
                    "type": "bar",
                    "meta": "items",
                    "orientation": "h" if self.lying else "v",
                    "name": text(arm or self.series),
                    "marker": {"color": colour},
                    "hovertext": [text(name) for name in self.names],
                    "hovertemplate": f"%{{hovertext}}: %{{{value}:.4~g}}<extra>{text(arm)}</extra>",
                }
                | (written | {"textfont": {"size": 11, "color": theme.text(colour)}} if self.written else {})
            )
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "line": {"color": theme.soft, "width": 1.5, "dash": "dash"},
                "hoverinfo": "skip",
            }
        )
        shown = range(0, len(self.names), max(1, -(-len(self.names) // 24)))
        ticks = {"tickvals": list(shown), "ticktext": [self._tick(self.names[i]) for i in shown], "tickangle": 0}
        edges = [-0.5, max(len(self.names), 1) - 0.5]
        names = axis("", edges[::-1] if self.lying else edges, showgrid=False, **ticks)
        zero = {"zeroline": True, "zerolinecolor": theme.soft, "zerolinewidth": 1}
        few = {"nticks": 4 if self.lying else 6, "tickangle": 0}
        values = axis(self.unit or self.series, self.span, **zero, **few)
        layout: dict[str, Any] = {"xaxis": values, "yaxis": names} if self.lying else {"xaxis": names, "yaxis": values}
        layout = {**layout, "barmode": "group", **self._heading(arms, theme)}
        if self.lying:
            longest = max(len(line) for name in ticks["ticktext"] for line in name.split("<br>"))
            layout["margin"] |= {"l": 12 + 6.2 * min(22, longest), "r": 40 if self.written else MARGIN["r"]}
        return traces, layout

    def items(self, arms: Sequence[str], at: int) -> Items | None:
        kind = next((bars.items for bars in self.every() if bars.items), "")
        return Items(kind, self.names) if kind else None

    def _tick(self, name: str) -> str:
        name = text(name if len(name) <= 22 else name[:21] + "…")
        width = 8 if not self.lying else 14 if len(self.names) <= 6 else 22
        return "<br>".join(textwrap.wrap(name, width, break_long_words=False, break_on_hyphens=False))

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        drawn: list[dict[str, Any]] = []
        level = None
        for arm in arms:
            bars = self.lines[arm].at(at)
            heights: Array = np.full(len(self.names), np.nan)
            if bars is not None:
                heights[[self.place[str(name)] for name in bars.names]] = bars.values
                level = bars.line if bars.line is not None else level
            places, values = list(range(len(self.names))), _gaps(heights.tolist())
            drawn.append({"x": values, "y": places} if self.lying else {"x": places, "y": values})
            if self.written:
                drawn[-1]["text"] = ["" if value is None else number(value) for value in values]
        across, here = ([-0.5, len(self.names) - 0.5], [level, level]) if level is not None else ([], [])
        return [*drawn, {"x": here, "y": across} if self.lying else {"x": across, "y": here}]

    def says(self, arms: Sequence[str], at: int) -> str:
        parts = []
        for arm in arms:
            bars = self.lines[arm].at(at)
            if bars is not None and len(bars.values) and np.isfinite(bars.values).any():
                top = int(np.nanargmax(bars.values))
                parts.append(f"{arm} highest at {bars.names[top]} with {number(float(bars.values[top]))}".strip())
        return f"{count(len(self.names), 'bar')} of {self.unit or self.series}: {listing(parts) if parts else 'empty'}"
