"""Graphs, explanations laid over them, and flows between two sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..trace import Graph, Mask
from .base import BAR, LEAST, Array, Renderer, bar, count, limits, number, text
from .layout import places
from .theme import GREEN, QUANTITY, SHADES, SIGNED, Scale, Theme, class_colour, class_scale, on, sample

DRAWN = 2_000  # nodes that are drawn one by one; more go to WebGL
EDGES = 6_000  # edges that are drawn; of more, a fair sample
NUMBERED = 60  # nodes whose numbers are written into them
NAMED = 120  # nodes that have their names beside them, where there is room
CLEAR = 350  # nodes whose edges are drawn without transparency
WIDTHS = 5  # steps of an edge's width


def line_of(starts: Array, ends: Array) -> dict[str, Any]:
    """(m, 2) and (m, 2) -> one broken line through all pairs."""
    gap = np.full(len(starts), np.nan)
    x = np.stack([starts[:, 0], ends[:, 0], gap], 1).ravel()
    y = np.stack([starts[:, 1], ends[:, 1], gap], 1).ravel()
    return {"x": x.astype(np.float32), "y": y.astype(np.float32)}


def distinct(graph: Graph, weights: Array | None = None) -> tuple[Array, Array | None]:
    """Edges to draw, (2, m'): no loops, undirected ones once with the larger of their two weights."""
    edges = np.asarray(graph.edges)
    if not graph.directed:
        edges = np.sort(edges, axis=0)
    code = edges[0] * graph.num_nodes + edges[1]
    codes, where = np.unique(code, return_inverse=True)
    once = np.stack([codes // max(graph.num_nodes, 1), codes % max(graph.num_nodes, 1)])
    strongest = None
    if weights is not None:
        strongest = np.full(len(codes), -np.inf)
        np.maximum.at(strongest, where.ravel(), np.asarray(weights, np.float64))
    proper = once[0] != once[1]
    return once[:, proper], None if strongest is None else strongest[proper]


class _OnNodes(Renderer):
    """What a Graph and a Mask share: places of nodes, fixed for the whole run, and how nodes look."""

    wide = 1.5

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        sizes = {arm: max(self.graph(value).num_nodes for value in line.values) for arm, line in self.lines.items()}
        same = len(set(sizes.values())) == 1
        everyone = self._place([self.graph(v) for v in self.every()], max(sizes.values())) if same else None
        self.where = {
            arm: everyone if everyone is not None else self._place([self.graph(v) for v in line.values], sizes[arm])
            for arm, line in self.lines.items()
        }
        graphs = [self.graph(value) for value in self.every()]
        quantities = [graph.values for graph in graphs if graph.values is not None]
        self.quantity = limits(quantities, 0)
        if quantities and self.quantity[0] < 0 < self.quantity[1]:
            reach = max(map(abs, self.quantity))
            self.quantity = [-reach, reach]
        labels = [int(graph.classes.max()) + 1 for graph in graphs if graph.classes is not None and graph.num_nodes]
        self.shades = min(SHADES, max(labels, default=1))

    @staticmethod
    def graph(value: Any) -> Any:
        return value.over if isinstance(value, Mask) else value

    @staticmethod
    def _place(graphs: Sequence[Any], n: int) -> Array:
        """One layout for all edges that ever are."""
        seen = {id(graph.edges): graph.edges for graph in graphs}
        distinct_edges = {np.asarray(edges).tobytes(): edges for edges in seen.values()}
        layers = graphs[-1].layers
        return places(
            np.concatenate(list(distinct_edges.values()), axis=1),
            n,
            layers if layers is not None and len(layers) == n else None,
        )

    def _some(self, arm: str) -> Any:
        return self.graph(self.lines[arm].values[-1])

    def _big(self, arm: str) -> bool:
        return self._some(arm).num_nodes > DRAWN

    def _size(self, n: int, height: int) -> float:
        size = 20 if n <= 40 else 14 if n <= 80 else 10 if n <= 160 else 8 if n <= 350 else 5 if n <= DRAWN else 3
        return size * (1 if height >= 320 or n > 160 else 0.75)

    @staticmethod
    def _names(graph: Graph) -> list[str]:
        return [str(name) for name in graph.names] or [str(i) for i in range(graph.num_nodes)]

    def _inside(self, graph: Graph) -> bool:
        """Whether names fit into the dots."""
        return graph.num_nodes <= NUMBERED and max(map(len, self._names(graph)), default=0) <= 2

    def _above(self, arm: str, height: int) -> list[str]:
        """Names that are words stand above the dots: the best connected nodes first, as long as there is room."""
        graph = self._some(arm)
        if self._inside(graph) or not graph.names or graph.num_nodes > NAMED:
            return []
        if all(str(name).isdigit() for name in graph.names):  # a number beside a dot tells nothing
            return []
        where = self.where[arm][: graph.num_nodes]
        pixels = min((height - 40) / 2, 1.25 * height / 2) / max(float(np.abs(where[:, 1]).max()), 0.62)
        degree = np.bincount(distinct(graph)[0].ravel(), minlength=graph.num_nodes)
        dot = self._size(graph.num_nodes, height)
        shown, taken = [""] * graph.num_nodes, np.zeros((0, 3))
        for node in np.argsort(-degree, kind="stable").tolist():
            name = str(graph.names[node])
            name = name if len(name) <= 16 else name[:15] + "…"
            box = np.array([*(where[node] * pixels), 3 * len(name)])  # middle, bottom, and half of its width in pixels
            apart = np.abs(taken - box)
            over = where * pixels - box[:2]  # of the other dots' middles, as seen from this dot
            hides = (np.abs(over[:, 0]) < box[2]) & (over[:, 1] > dot / 2) & (over[:, 1] < dot + 12)
            if not hides.any() and not ((apart[:, 0] < taken[:, 2] + box[2]) & (apart[:, 1] < 12)).any():
                shown[node], taken = text(name), np.vstack([taken, box])
        return shown

    def _quantities(self, arm: str) -> bool:
        graph = self._some(arm)
        return graph.values is not None and graph.classes is None

    def _scale(self) -> Scale:
        return SIGNED if self.quantity[0] < 0 else QUANTITY

    def _nodes(self, arm: str, theme: Theme, height: int) -> list[dict[str, Any]]:
        """Two traces: rims of nodes whose label was seen, and the nodes."""
        graph = self._some(arm)
        size = self._size(graph.num_nodes, height)
        above, inside = self._above(arm, height), self._inside(graph)
        kind = "scattergl" if self._big(arm) else "scatter"
        if self._quantities(arm):
            colours = {"colorscale": self._scale(), "cmin": self.quantity[0],
                       "cmax": self.quantity[1], "showscale": True, "colorbar": bar(graph.unit, theme)}  # fmt: skip
        else:
            colours = {"colorscale": class_scale(self.shades), "cmin": -1.5, "cmax": self.shades - 0.5}
        rims: dict[str, Any] = {
            "type": kind, "mode": "markers", "hoverinfo": "skip", "cliponaxis": False,
            "marker": {"size": size + min(8, size * 0.7), "color": theme.soft, "line": {"width": 0}},
        }  # fmt: skip
        nodes: dict[str, Any] = {
            "type": kind, "mode": "markers+text" if above or inside else "markers", "hoverinfo": "text",
            "cliponaxis": False,
            "marker": {"size": size, "opacity": 1, "line": {"color": theme.ink, "width": 0}, **colours},
        }  # fmt: skip
        if inside:
            nodes |= {"text": [text(name) for name in self._names(graph)], "textfont": {"size": 10}}
        elif above:
            nodes |= {"text": above, "textposition": "top center", "textfont": {"size": 10, "color": theme.ink}}
        if self._big(arm):
            del rims["cliponaxis"], nodes["cliponaxis"]
        return [rims, nodes]

    def _colours(self, graph: Graph) -> Array:
        if graph.classes is not None:
            classes = np.asarray(graph.classes)
            return np.where(classes < 0, -1, classes % self.shades)
        if graph.values is not None:
            return np.asarray(graph.values)
        return np.zeros(graph.num_nodes, np.int64)

    def _node_patches(self, arm: str, graph: Graph, extra: Sequence[str] | None = None) -> list[dict[str, Any]]:
        where = self.where[arm][: graph.num_nodes]
        colours = self._colours(graph)
        wrong = np.zeros(graph.num_nodes, bool) if graph.wrong is None else np.asarray(graph.wrong)
        train = np.zeros(graph.num_nodes, bool) if graph.train is None else np.asarray(graph.train)
        said = [text(name) for name in self._names(graph)]
        if graph.classes is not None:
            said = [f"{name}<br>class {label}" for name, label in zip(said, np.asarray(graph.classes).tolist())]
        if graph.values is not None:
            unit = text(graph.unit or "value")
            said = [f"{name}<br>{unit} {number(v)}" for name, v in zip(said, np.asarray(graph.values).tolist())]
        if extra is not None:
            said = [name + more for name, more in zip(said, extra)]
        said = [
            f"{s}{'<br>a mistake' * w}{'<br>label was given' * t}"
            for s, w, t in zip(said, wrong.tolist(), train.tolist())
        ]
        x, y = where.T.astype(np.float32)
        ring, rim = (
            (2.5 if graph.num_nodes <= 350 else 1.5),
            0.6 * self._quantities(arm),
        )  # the ends of a scale are near the panel's tone
        nodes: dict[str, Any] = {
            "x": x, "y": y, "hovertext": said,
            "marker": {"color": colours, "line": {"width": np.where(wrong, ring, rim)}},
        }  # fmt: skip
        if self._inside(graph):
            low, high = self.quantity
            quantity = self._quantities(arm)
            shades = [
                sample(self._scale(), (c - low) / (high - low)) if quantity else class_colour(c)
                for c in colours.tolist()
            ]
            nodes["textfont"] = {"color": [on(shade) for shade in shades]}
        return [{"x": x[train], "y": y[train]}, nodes]

    def _layout(self, arm: str, height: int) -> dict[str, Any]:
        where = self.where[arm]
        room = 0.09
        x, y = (
            [float(where[:, i].min()) - room, float(where[:, i].max()) + room] if len(where) else [-1.0, 1.0]
            for i in (0, 1)
        )
        off = {"visible": False, "autorange": False}
        above = self._above(arm, height)
        side = 6 + 3 * min(17, max(map(len, above), default=0))
        return {
            "xaxis": {**off, "range": x},
            "yaxis": {**off, "range": y, "scaleanchor": "x"},
            "margin": {"l": side, "r": side, "t": 16 if above else 6, "b": 6},
        }

    def tall(self, arms: Sequence[str], width: float, most: int) -> int:
        (arm,) = arms
        layout = self._layout(arm, most)
        margin = layout["margin"]
        x, y = (np.ptp(layout[name]["range"]) for name in ("xaxis", "yaxis"))
        room = width - margin["l"] - margin["r"] - BAR * self._quantities(arm)
        return min(most, max(LEAST, round(room * y / x) + margin["t"] + margin["b"]))

    def _sample(self, m: int) -> Array:
        """Which of `m` edges are drawn: all, or always the same fair sample."""
        return np.arange(m) if m <= EDGES else np.sort(np.random.default_rng(0).choice(m, EDGES, replace=False))

    def note(self, arms: Sequence[str], at: int) -> str:
        value = self.lines[arms[0]].at(at)
        if value is None:
            return ""
        graph = self.graph(value)
        m = distinct(graph)[0].shape[1]
        said = []
        if m > EDGES:
            said.append(f"A fair sample of {EDGES:,} of {m:,} edges is drawn.")
        if graph.num_nodes > DRAWN:
            said.append(f"{graph.num_nodes:,} nodes: more than {DRAWN:,} are drawn as plain dots.")
        return " ".join(said)

    def _who(self, arms: Sequence[str], at: int) -> str:
        graph = self.graph(self.lines[arms[0]].at(at))
        m = distinct(graph)[0].shape[1]
        said = f"{count(graph.num_nodes, 'node')} and {count(m, 'edge')}"
        if graph.classes is not None and graph.num_nodes:
            said += f", coloured by {len(np.unique(graph.classes))} classes"
        elif graph.values is not None and graph.num_nodes:
            low, high = np.nanmin(graph.values), np.nanmax(graph.values)
            said += f", coloured by {graph.unit or 'a value'} from {number(float(low))} to {number(float(high))}"
        if graph.wrong is not None:
            said += f", {count(int(np.sum(graph.wrong)), 'mistake')}"
        return said


class Graphs(_OnNodes):
    """A Graph: classes or a quantity on nodes, weights as width of edges, arrows where directed."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.heaviest = limits((np.abs(g.weights) for g in self.every() if g.weights is not None), 0, zero=True)[1]

    def _weighted(self, arm: str) -> bool:
        return any(graph.weights is not None for graph in self.lines[arm].values)

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        (arm,) = arms
        graph = self._some(arm)
        size = self._size(graph.num_nodes, height)
        thin = 1.2 if graph.num_nodes <= 100 else 0.8 if graph.num_nodes <= 350 else 0.5
        widths = [0.6 + i for i in range(WIDTHS)] if self._weighted(arm) else [thin]
        lines = []
        for width in widths:
            line: dict[str, Any] = {
                "type": "scattergl" if self._big(arm) else "scatter", "mode": "lines", "hoverinfo": "skip",
                "line": {"color": theme.edge, "width": width}, "opacity": 1 if graph.num_nodes <= CLEAR else 0.5,
            }  # fmt: skip
            if graph.directed and not self._big(arm):
                tip = {
                    "symbol": "arrow",
                    "angleref": "previous",
                    "standoff": size / 2 + 1,
                    "color": theme.soft,
                    "opacity": 1,
                }
                line |= {"mode": "lines+markers", "marker": tip}
            lines.append(line)
        return [*lines, *self._nodes(arm, theme, height)], self._layout(arm, height)

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        (arm,) = arms
        graph = self.lines[arm].at(at)
        buckets = WIDTHS if self._weighted(arm) else 1
        if graph is None:
            return [{"x": [], "y": []}] * (buckets + 2)
        edges, weights = distinct(graph, None if graph.weights is None else np.abs(graph.weights))
        chosen = self._sample(edges.shape[1])
        edges = edges[:, chosen]
        where = self.where[arm]
        if weights is None:
            level = np.zeros(edges.shape[1], int)
        else:
            share = np.nan_to_num(weights[chosen]) / max(self.heaviest, 1e-12)
            level = np.clip(np.ceil(share * WIDTHS) - 1, -1, WIDTHS - 1).astype(int)  # a weight of zero is no line
        lines = []
        for i in range(buckets):
            line = line_of(where[edges[0, level == i]], where[edges[1, level == i]])
            if graph.directed and not self._big(arm):
                line["marker"] = {"size": np.tile([0, 8, 0], int((level == i).sum()))}
            lines.append(line)
        return [*lines, *self._node_patches(arm, graph)]

    def says(self, arms: Sequence[str], at: int) -> str:
        return f"Graph of {self._who(arms, at)}"


class Masks(_OnNodes):
    """A Mask: the weights of an explanation as width of edges, over the pale graph that is explained."""

    def template(self, arms: Sequence[str], theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        (arm,) = arms
        kind = "scattergl" if self._big(arm) else "scatter"
        colour = theme.text(self.scene.style(arm)[0])
        size = self._size(self._some(arm).num_nodes, height)

        def line(shade: str, width: float, opacity: float) -> dict[str, Any]:
            pen = {"color": shade, "width": width}
            return {"type": kind, "mode": "lines", "hoverinfo": "skip", "line": pen, "opacity": opacity}

        steps = [line(colour, 1.2 + 0.9 * i, 0.35 + 0.65 * i / (WIDTHS - 1)) for i in range(WIDTHS)]
        target = {
            "type": kind, "mode": "markers", "hoverinfo": "skip",
            "marker": {"symbol": "square-open", "size": size + 10, "color": theme.ink, "line": {"width": 2.5}},
        }  # fmt: skip
        return [
            line(GREEN, 9, 0.45),
            line(theme.edge, 0.8, 0.5),
            *steps,
            *self._nodes(arm, theme, height),
            target,
        ], self._layout(arm, height)

    def patches(self, arms: Sequence[str], at: int) -> list[dict[str, Any]]:
        (arm,) = arms
        mask = self.lines[arm].at(at)
        if mask is None:
            return [{"x": [], "y": []}] * (WIDTHS + 5)
        where, graph = self.where[arm], mask.over
        edges, weights = distinct(graph, np.nan_to_num(mask.edges))
        assert weights is not None
        truth = edges[:, :0]
        if mask.truth is not None:
            planted, marked = distinct(graph, np.asarray(mask.truth, np.float64))
            truth = planted[:, marked > 0.5]  # type: ignore[operator]
        level = np.clip(np.ceil(weights * (WIDTHS + 1)) - 2, -1, WIDTHS - 1).astype(int)
        pale = np.flatnonzero(level < 0)
        pale = pale[self._sample(len(pale))]
        groups = [truth, edges[:, pale], *(edges[:, level == i] for i in range(WIDTHS))]
        lines = [line_of(where[pair[0]], where[pair[1]]) for pair in groups]
        extra = None
        if mask.nodes is not None:
            extra = [f"<br>weight {number(v)}" for v in mask.nodes.tolist()]
        rims, nodes = self._node_patches(arm, graph, extra)
        if mask.nodes is not None:
            nodes["marker"]["opacity"] = np.clip(0.2 + 0.8 * np.nan_to_num(mask.nodes), 0.2, 1)
        aim = where[[mask.target]] if mask.target is not None else where[:0]
        return [*lines, rims, nodes, {"x": aim[:, 0], "y": aim[:, 1]}]

    def note(self, arms: Sequence[str], at: int) -> str:
        mask = self.lines[arms[0]].at(at)
        if mask is None:
            return ""
        said = ["A square marks the node that is explained."] if mask.target is not None else []
        said += ["A broad band marks the planted motif."] if mask.truth is not None else []
        return " ".join([*said, super().note(arms, at)]).strip()

    def says(self, arms: Sequence[str], at: int) -> str:
        mask = self.lines[arms[0]].at(at)
        heavy = int((distinct(mask.over, mask.edges)[1] > 0.5).sum())  # type: ignore[operator]
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
