"""Graphs, explanations laid over them, and flows between two sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..trace import Graph
from .base import BAR, Array, Renderer, bar, count, limits, number, text
from .edges import TINTS, WIDTHS, fair, key_of_changes, levels, line, line_of, stepped, tints
from .nodes import OnNodes, extent
from .theme import GREEN, Theme

CLEAR = 350  # nodes whose edges are drawn without transparency
TOUCHED = 400  # edges whose values a pointer can ask for
NOTHING = Graph(np.zeros((2, 0)), 0)  # what is drawn before the first frame


class Graphs(OnNodes):
    """A Graph: classes or a quantity on nodes; weights as width, a quantity as colour of edges; arrows where directed.

    Added edges are a thick green line, dropped ones dashed and faint.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        every = list(self.every())
        self.heaviest = limits((np.abs(g.weights) for g in every if g.weights is not None), 0, zero=True)[1]
        self.tint = extent(g.edge_values for g in every if g.edge_values is not None)
        self.weighted, self.tinted, self.changed = (
            {arm: any(getattr(graph, name) is not None for graph in line.values) for arm, line in self.lines.items()}
            for name in ("weights", "edge_values", "change")
        )
        # added edges are green lines as wide as they weigh; without weights all alike, and below a quantity a green rim
        self.greens = {arm: self.changed[arm] and self.weighted[arm] and not self.tinted[arm] for arm in self.lines}

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        (arm,) = arms
        if self._dense(arm):
            return self._crowd(arm, theme, height)
        graph, tinted, changed = self._some(arm), self.tinted[arm], self.changed[arm]
        kind = "scattergl" if self._big(arm) else "scatter"
        n = graph.num_nodes
        thin = (1.2 if n <= 100 else 0.8 if n <= 350 else 0.5) + 1.4 * tinted
        widths = [0.6 + i + tinted for i in range(WIDTHS)] if self.weighted[arm] else [thin]
        colours = tints(self.tint, theme) if tinted else [theme.edge, GREEN][: 1 + self.greens[arm]]
        clear = 1.0 if n <= CLEAR or tinted else 0.5

        def edge(colour: str, width: float, opacity: float = clear, **more: Any) -> dict[str, Any]:
            if graph.directed and kind == "scatter":
                tip = {"symbol": "arrow", "angleref": "previous", "standoff": self._size(n, height) / 2 + 1}
                more |= {"mode": "lines+markers", "marker": tip | {"opacity": 1, "color": theme.soft}}
            return line(kind, colour, width, opacity, **more)

        lines = [edge(colour, width) for width in widths for colour in colours]
        layout = self._layout(arm, height)
        if tinted:  # a rim, as the ends of a scale are near the panel's tone
            lines.insert(0, line(kind, theme.soft, max(widths) * 0.5 + thin * 0.5 + 1.2, 0.6))
        if changed:
            if not self.greens[arm]:
                lines.insert(0, edge(GREEN, thin + (4.5 if tinted else 1.0), 1.0))
            lines.append(line(kind, theme.soft, 1.2, 0.7, dash="dot"))
            layout["annotations"] = [key_of_changes(theme)]
            layout["margin"] |= {"b": 26}
        if tinted:
            lines.append(self._middles(arm, kind, colours, theme))
        return [*lines, *self._nodes(arm, theme, height)], layout

    def _middles(self, arm: str, kind: str, colours: list[str], theme: Theme) -> dict[str, Any]:
        """The colour bar of the edges, on unseen dots in their middles that tell a pointer their values."""
        graph = self._some(arm)
        scale = bar(graph.edge_unit, theme)
        if self._quantities(arm):  # the usual place is the nodes'
            scale |= {"x": 0, "xanchor": "right"}
        unit = text(graph.edge_unit or "value")
        return {
            "type": kind, "mode": "markers",
            "hovertemplate": f"%{{text}}<br>{unit} %{{marker.color:.3~g}}<extra></extra>",
            "marker": {"size": 9, "opacity": 0, "colorscale": stepped(colours), "cmin": self.tint[0],
                       "cmax": self.tint[1], "showscale": True, "colorbar": scale},
        }  # fmt: skip

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        (arm,) = arms
        if self._dense(arm):
            return self._crowd_patches(arm, self.lines[arm].at(at))
        graph = self.lines[arm].at(at) or NOTHING
        where, tinted = self.where[arm], self.tinted[arm]
        given = None if graph.weights is None else np.abs(graph.weights)
        edges, weights, values, change = self.distinct(graph, given, graph.edge_values, graph.change)
        chosen = fair(edges.shape[1])
        edges = edges[:, chosen]
        width, tint = np.zeros((2, len(chosen)), int)
        if weights is not None:  # a weight of zero is no line
            width = np.where(weights[chosen] > 0, levels(weights[chosen], 0, self.heaviest, WIDTHS), -1)
        if tinted:
            shown = np.full(len(chosen), np.nan) if values is None else values[chosen]
            low, high = self.tint
            tint = levels(shown, low, high, TINTS)
        fate = np.zeros(len(chosen)) if change is None else change[chosen]
        greens = self.greens[arm]
        if greens:
            tint = (fate > 0).astype(int)
        stays = (fate >= 0) & (tinted | greens | (fate == 0))  # a green line is enough, but a quantity is drawn on it

        groups = [
            stays & (width == i) & (tint == j)
            for i in range(WIDTHS if self.weighted[arm] else 1)
            for j in range(TINTS if tinted else 1 + greens)
        ]
        if tinted:
            groups.insert(0, stays & (width >= 0))
        if self.changed[arm]:
            groups = [*[fate > 0] * (not greens), *groups, fate < 0]
        lines = [line_of(where[edges[0, group]], where[edges[1, group]]) for group in groups]
        if graph.directed and not self._big(arm):
            for drawn in lines:
                drawn["marker"] = {"size": np.tile([0, 8, 0], len(drawn["x"]) // 3)}
        if tinted:
            lines.append(self._asked(graph, edges[:, stays], shown[stays], where))
        return [*lines, *self._node_patches(arm, graph)]

    def _asked(self, graph: Graph, edges: Array, values: Array, where: Array) -> dict[str, Any]:
        """Middles, names and values of edges; of many, a single place nowhere, which keeps the colour bar."""
        if not 0 < len(values) <= TOUCHED:
            return {"x": [None], "y": [None], "text": [""], "marker": {"color": [0.0]}}
        x, y = (where[edges[0]] + where[edges[1]]).T.astype(np.float32) / 2
        names, arrow = self._names(graph), "→" if graph.directed else "–"
        said = [f"{text(names[a])} {arrow} {text(names[b])}" for a, b in edges.T.tolist()]
        return {"x": x, "y": y, "text": said, "marker": {"color": values.astype(np.float32)}}

    def tall(self, arms: Sequence[str], width: float, most: int) -> int:
        return super().tall(arms, width - BAR * self.tinted[arms[0]], most)

    def note(self, arms: Sequence[str], at: int) -> str:
        said = [super().note(arms, at)]
        if self.weighted[arms[0]] and not self._dense(arms[0]):
            said.append(f"The widest edge weighs {number(self.heaviest)}.")
        return " ".join(filter(None, said))

    def says(self, arms: Sequence[str], at: int) -> str:
        graph = self.lines[arms[0]].at(at)
        said = f"Graph of {self._who(arms, at)}"
        if self._dense(arms[0]):
            return said
        values, change = self.distinct(graph, graph.edge_values, graph.change)[1:]
        if values is not None and np.isfinite(values).any():
            low, high = float(np.nanmin(values)), float(np.nanmax(values))
            said += f", edges coloured by {graph.edge_unit or 'a value'} from {number(low)} to {number(high)}"
        if change is not None:
            said += f", {count(int((change > 0).sum()), 'edge')} added and {int((change < 0).sum()):,} dropped"
        return said


class Masks(OnNodes):
    """A Mask: the weights of an explanation as width of edges, over the pale graph that is explained."""

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        (arm,) = arms
        if self._dense(arm):
            return self._crowd(arm, theme, height)
        kind = "scattergl" if self._big(arm) else "scatter"
        colour = theme.text(self.scene.style(arm)[0])
        size = self._size(self._some(arm).num_nodes, height)

        steps = [line(kind, colour, 1.2 + 0.9 * i, 0.35 + 0.65 * i / (WIDTHS - 1)) for i in range(WIDTHS)]
        target = {
            "type": kind, "mode": "markers", "hoverinfo": "skip",
            "marker": {"symbol": "square-open", "size": size + 10, "color": theme.ink, "line": {"width": 2.5}},
        }  # fmt: skip
        return [
            line(kind, GREEN, 9, 0.45),
            line(kind, theme.edge, 0.8, 0.5),
            *steps,
            *self._nodes(arm, theme, height),
            target,
        ], self._layout(arm, height)

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        (arm,) = arms
        mask = self.lines[arm].at(at)
        if self._dense(arm):
            return self._crowd_patches(arm, mask)
        if mask is None:
            return [{"x": [], "y": []}] * (WIDTHS + 5)
        where, graph = self.where[arm], mask.over
        edges, weights, marked = self.distinct(graph, np.nan_to_num(mask.edges), mask.truth)
        truth = edges[:, :0] if marked is None else edges[:, marked > 0.5]
        level = np.clip(np.ceil(weights * (WIDTHS + 1)) - 2, -1, WIDTHS - 1).astype(int)
        pale = np.flatnonzero(level < 0)
        pale = pale[fair(len(pale))]
        groups = [truth, edges[:, pale], *(edges[:, level == i] for i in range(WIDTHS))]
        lines = [line_of(where[pair[0]], where[pair[1]]) for pair in groups]
        rims, nodes = self._node_patches(arm, graph)
        if mask.nodes is not None:
            nodes["marker"]["opacity"] = np.clip(0.2 + 0.8 * np.nan_to_num(mask.nodes), 0.2, 1)
        aim = where[[mask.target]] if mask.target is not None else where[:0]
        return [*lines, rims, nodes, {"x": aim[:, 0], "y": aim[:, 1]}]

    def note(self, arms: Sequence[str], at: int) -> str:
        mask = self.lines[arms[0]].at(at)
        if mask is None or self._dense(arms[0]):
            return super().note(arms, at)
        said = ["A square marks the node that is explained."] if mask.target is not None else []
        said += ["A broad band marks the planted motif."] if mask.truth is not None else []
        return " ".join([*said, super().note(arms, at)]).strip()

    def says(self, arms: Sequence[str], at: int) -> str:
        mask = self.lines[arms[0]].at(at)
        heavy = int((self.distinct(mask.over, mask.edges)[1] > 0.5).sum())
        return f"Explanation over a graph of {self._who(arms, at)}: {count(heavy, 'edge')} weigh more than a half"


class Flows(Renderer):
    """A Flow: two columns, a curve for each link, as wide as its weight; dots as large as their sum."""

    wide = 1.2

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.heaviest = limits((flow.weights for flow in self.every()), 0, zero=True)[1]
        sums = [flow.weights.sum(i) for flow in self.every() for i in (0, 1)]
        self.largest = limits(sums, 0, zero=True)[1]

    @staticmethod
    def _column(k: int) -> Array:
        return (k - 1) / 2 - np.arange(k) if k < 2 else 1 - 2 * np.arange(k) / (k - 1)

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        (arm,) = arms
        some = self.lines[arm].values[-1]
        colour = self.scene.style(arm)[0]
        widest = min(12.0, 0.5 * height / max(len(some.sources), len(some.targets), 1))
        links = [
            {"type": "scatter", "mode": "lines", "hoverinfo": "skip",
             "opacity": 0.25 + 0.45 * i / (WIDTHS - 1),
             "line": {"color": colour, "width": 0.8 + (widest - 0.8) * i / (WIDTHS - 1)}}
            for i in range(WIDTHS)
        ]  # fmt: skip
        most = max(len(some.sources), len(some.targets))
        font = {"size": 11 if most * 14 < height else 9, "color": theme.ink}
        ends = [
            {"type": "scatter", "mode": "markers+text", "hoverinfo": "text", "cliponaxis": False,
             "marker": {"color": theme.text(colour), "sizemode": "area", "sizeref": 1 / widest**2 * self.largest,
                        "sizemin": 2, "line": {"width": 0}},
             "text": [text(name if len(str(name)) <= 18 else str(name)[:17] + "…") for name in names],
             "textposition": f"middle {side}", "textfont": font}
            for names, side in ((some.sources, "left"), (some.targets, "right"))
        ]  # fmt: skip
        room = [min(18, max((len(str(name)) for name in names), default=0)) for names in (some.sources, some.targets)]
        off = {"visible": False, "autorange": False}
        return [*links, *ends], {
            "xaxis": {**off, "range": [-0.04, 1.04]},
            "yaxis": {**off, "range": [-1.1, 1.1]},
            "margin": {"l": 14 + 6.5 * room[0], "r": 14 + 6.5 * room[1], "t": 6, "b": 6},
        }

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        flow = self.lines[arms[0]].at(at)
        if flow is None:
            return [{"x": [], "y": []}] * (WIDTHS + 2)
        weights = np.nan_to_num(flow.weights)
        left, right = (self._column(k) for k in weights.shape)
        level = np.clip(np.ceil(weights / max(self.heaviest, 1e-12) * WIDTHS) - 1, -1, WIDTHS - 1).astype(int)
        t = np.linspace(0, 1, 17)
        bend = t * t * (3 - 2 * t)
        links = []
        for i in range(WIDTHS):
            a, b = np.nonzero(level == i)
            y = left[a][:, None] * (1 - bend) + right[b][:, None] * bend
            gap = np.full((len(a), 1), np.nan)
            links.append({"x": np.hstack([np.tile(t, (len(a), 1)), gap]).ravel(), "y": np.hstack([y, gap]).ravel()})
        ends = []
        for names, sums, x, y in ((flow.sources, weights.sum(1), 0, left), (flow.targets, weights.sum(0), 1, right)):
            said = [f"{text(name)}: {number(v)} {text(flow.unit)}".strip() for name, v in zip(names, sums.tolist())]
            size = np.maximum(sums, 0)
            ends.append({"x": [x] * len(y), "y": y, "hovertext": said, "marker": {"size": size}})
        return [*links, *ends]

    def says(self, arms: Sequence[str], at: int) -> str:
        flow = self.lines[arms[0]].at(at)
        shape = f"Links from {count(len(flow.sources), 'source')} to {count(len(flow.targets), 'target')}"
        if not flow.weights.size:
            return shape
        a, b = np.unravel_index(int(np.nanargmax(np.nan_to_num(flow.weights))), flow.weights.shape)
        return f"{shape}, the strongest from {flow.sources[a]} to {flow.targets[b]}"
