"""What a Graph and a Mask share: where the nodes are, how they look, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..trace import Graph, Mask
from . import density
from .base import BAR, LEAST, Array, Items, Renderer, bar, count, limits, number, text
from .density import DENSE
from .edges import EDGES, Edges
from .layout import places
from .theme import QUANTITY, SHADES, SIGNED, Scale, Theme, class_colour, class_scale, on, sample

DRAWN = 2_000  # nodes that are drawn one by one; more go to WebGL
NUMBERED = 60  # nodes whose numbers are written into them
LINKED = 20_000  # edges of a graph that a player is told of one by one
NAMED = 120  # nodes that have their names beside them, where there is room


def extent(quantities: Iterable[Any]) -> list[float]:
    """[low, high] of a quantity that is a colour, over the whole run; zero is the middle where it has two signs."""
    low, high = limits(quantities, 0)
    return [-max(-low, high), max(-low, high)] if low < 0 < high else [low, high]


def scale_of(span: Sequence[float]) -> Scale:
    """The colours of a quantity within `extent`."""
    return SIGNED if span[0] < 0 < span[1] else QUANTITY


def _spans(layout: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    return layout["xaxis"]["range"], layout["yaxis"]["range"]


def _akin(edges: Sequence[Array], n: int) -> bool:
    """Whether graphs on the same names are one graph with some changes: of the smaller one the other has most edges."""
    first, *others = [set((low * n + high).tolist()) for low, high in edges]
    return all(2 * len(first & other) >= min(len(first), len(other)) for other in others)


def _given(graph: Graph) -> Array:
    """(2, m) the edges that the graph had as it was given."""
    edges = np.asarray(graph.edges)
    return edges if graph.change is None else edges[:, np.asarray(graph.change) <= 0]


class OnNodes(Renderer):
    """What a Graph and a Mask share: places of nodes, fixed for the whole run, and how nodes look."""

    wide = 1.5

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.where = self._placed()
        graphs = [self.graph(value) for value in self.every()]
        self._edges: dict[tuple[int, int, bool], Edges] = {}
        self.quantity = extent(graph.values for graph in graphs if graph.values is not None)
        labels = [int(graph.classes.max()) + 1 for graph in graphs if graph.classes is not None and graph.num_nodes]
        self.shades = min(SHADES, max(labels, default=1))

    @staticmethod
    def graph(value: Any) -> Any:
        return value.over if isinstance(value, Mask) else value

    def _placed(self) -> dict[str, Array]:
        """Where the nodes of each arm are: alike in all arms where names or numbers tell which are the same."""
        graphs = {arm: [self.graph(value) for value in line.values] for arm, line in self.lines.items()}
        sizes = {arm: max(graph.num_nodes for graph in those) for arm, those in graphs.items()}
        names = {arm: tuple(map(str, those[-1].names)) for arm, those in graphs.items()}
        if len(set(sizes.values())) == 1 and len(set(names.values())) == 1:
            everyone = self._place([graph for those in graphs.values() for graph in those], max(sizes.values()))
            return dict.fromkeys(graphs, everyone)
        if any(not found or len(set(found)) < sizes[arm] for arm, found in names.items()):
            return {arm: self._place(those, sizes[arm]) for arm, those in graphs.items()}
        number = {name: i for i, name in enumerate(dict.fromkeys(name for found in names.values() for name in found))}
        ranks = {arm: np.array([number[name] for name in found]) for arm, found in names.items()}
        ends = {arm: ranks[arm][np.concatenate([_given(graph) for graph in those], 1)] for arm, those in graphs.items()}
        if not _akin([np.unique(np.sort(edges, 0), axis=1) for edges in ends.values()], len(number)):
            return {arm: self._place(those, sizes[arm]) for arm, those in graphs.items()}
        everyone = places(np.concatenate(list(ends.values()), 1), len(number))
        return {arm: everyone[ranks[arm]] for arm in graphs}

    @staticmethod
    def _place(graphs: Sequence[Any], n: int) -> Array:
        """One layout for all edges that ever are, but those that are added to the graph as it was given."""
        seen = {(id(graph.edges), id(graph.change)): graph for graph in graphs}
        distinct_edges = {edges.tobytes(): edges for edges in map(_given, seen.values())}
        layers = graphs[-1].layers
        return places(
            np.concatenate(list(distinct_edges.values()), axis=1),
            n,
            layers if layers is not None and len(layers) == n else None,
        )

    def distinct(self, graph: Graph, *quantities: Any) -> tuple[Any, ...]:
        """Edges to draw, (2, m'), and each of the `quantities` (m,) for them; see `Edges`. Frames share their work."""
        key = id(graph.edges), graph.num_nodes, graph.directed  # the values, and so their arrays, live as long as this
        if key not in self._edges:
            self._edges[key] = Edges(graph)
        edges = self._edges[key]
        return edges.pairs, *map(edges.carry, quantities)

    def _some(self, arm: str) -> Any:
        return self.graph(self.lines[arm].values[-1])

    def _big(self, arm: str) -> bool:
        return self._some(arm).num_nodes > DRAWN

    def _dense(self, arm: str) -> bool:
        return self._some(arm).num_nodes > DENSE

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
        degree = np.bincount(self.distinct(graph)[0].ravel(), minlength=graph.num_nodes)
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

    def _nodes(self, arm: str, theme: Theme, height: int) -> list[dict[str, Any]]:
        """Two traces: rims of nodes whose label was seen, and the nodes."""
        graph = self._some(arm)
        size = self._size(graph.num_nodes, height)
        above, inside = self._above(arm, height), self._inside(graph)
        kind = "scattergl" if self._big(arm) else "scatter"
        if self._quantities(arm):
            colours = {"colorscale": scale_of(self.quantity), "cmin": self.quantity[0],
                       "cmax": self.quantity[1], "showscale": True, "colorbar": bar(graph.unit, theme)}  # fmt: skip
        else:
            colours = {"colorscale": class_scale(self.shades), "cmin": -1.5, "cmax": self.shades - 0.5}
        rims: dict[str, Any] = {
            "type": kind, "mode": "markers", "hoverinfo": "skip", "cliponaxis": False,
            "marker": {"size": size + min(8, size * 0.7), "color": theme.soft, "line": {"width": 0}},
        }  # fmt: skip
        nodes: dict[str, Any] = {
            "type": kind, "mode": "markers+text" if above or inside else "markers",
            "meta": "items", "hoverinfo": "none", "cliponaxis": False,
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

    def _crowd(self, arm: str, theme: Theme, height: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The template of a graph of which nodes are only counted."""
        layout = self._layout(arm, height)
        return density.template(self.where[arm], _spans(layout), theme), layout

    def _crowd_patches(self, arm: str, value: Any) -> list[dict[str, Any]]:
        """Its patches, with the neighbours of one node."""
        if value is None:
            return [{"z": []}, *[{"x": [], "y": []}] * 3]
        graph = self.graph(value)
        node = self._centre(value)
        around = node, density.neighbours(self.distinct(graph)[0], node)
        return density.patches(self.where[arm][: graph.num_nodes], _spans(self._layout(arm, 0)), around)

    def _centre(self, value: Any) -> int:
        """The node whose neighbours are drawn on a crowd: the one that is explained, or the best connected one."""
        if isinstance(value, Mask) and value.target is not None:
            return value.target
        graph = self.graph(value)
        return int(np.bincount(self.distinct(graph)[0].ravel(), minlength=graph.num_nodes).argmax())

    def items(self, arms: Sequence[str], at: int) -> Items | None:
        value = self.lines[arms[0]].at(at)
        if value is None or self._dense(arms[0]):
            return None
        graph = self.graph(value)
        known = {"class": graph.classes, graph.unit or "value": graph.values}
        if isinstance(value, Mask):
            known["weight"] = value.nodes
        known |= {"a mistake": graph.wrong, "label was given": graph.train}
        links = self.distinct(graph)[0]
        facts = {name: fact for name, fact in known.items() if fact is not None}
        return Items(graph.items, graph.names, facts, links if links.shape[1] <= LINKED else None)

    def _node_patches(self, arm: str, graph: Graph) -> list[dict[str, Any]]:
        where = self.where[arm][: graph.num_nodes]
        colours = self._colours(graph)
        wrong = np.zeros(graph.num_nodes, bool) if graph.wrong is None else np.asarray(graph.wrong)
        train = np.zeros(graph.num_nodes, bool) if graph.train is None else np.asarray(graph.train)
        x, y = where.T.astype(np.float32)
        ring = 2.5 if graph.num_nodes <= 350 else 1.5
        rim = 0.6 * (self._quantities(arm) and not self._big(arm))  # the ends of a scale are near the panel's tone
        nodes: dict[str, Any] = {
            "x": x, "y": y,
            "marker": {"color": colours, "line": {"width": np.where(wrong, ring, rim)}},
        }  # fmt: skip
        if self._inside(graph):
            low, high = self.quantity
            quantity = self._quantities(arm)
            shades = [
                sample(scale_of(self.quantity), (c - low) / (high - low)) if quantity else class_colour(c)
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
        room = width - margin["l"] - margin["r"] - BAR * (self._quantities(arm) or self._dense(arm))
        return min(most, max(LEAST, round(room * y / x) + margin["t"] + margin["b"]))

    def note(self, arms: Sequence[str], at: int) -> str:
        value = self.lines[arms[0]].at(at)
        if value is None:
            return ""
        graph = self.graph(value)
        pairs = self.distinct(graph)[0]
        m = pairs.shape[1]
        said = []
        if self._dense(arms[0]):
            node = self._centre(value)
            all_, shown = int((pairs == node).sum()), len(density.neighbours(pairs, node))
            drawn = count(all_, "neighbour") if shown == all_ else f"{shown} of its {all_:,} neighbours"
            return (
                f"{graph.num_nodes:,} nodes: more than {DENSE:,} are counted, not drawn one by one. "
                f"On top: {'node' if isinstance(value, Mask) else 'the best connected node,'} {node}, and {drawn}."
            )
        if m > EDGES:
            said.append(f"A fair sample of {EDGES:,} of {m:,} edges is drawn.")
        if graph.num_nodes > DRAWN:
            said.append(f"{graph.num_nodes:,} nodes: more than {DRAWN:,} are drawn as plain dots.")
        return " ".join(said)

    def _who(self, arms: Sequence[str], at: int) -> str:
        graph = self.graph(self.lines[arms[0]].at(at))
        m = self.distinct(graph)[0].shape[1]
        said = f"{count(graph.num_nodes, 'node')} and {count(m, 'edge')}"
        if self._dense(arms[0]):
            return f"{said}, drawn as how many nodes lie where"
        if graph.classes is not None and graph.num_nodes:
            said += f", coloured by {len(np.unique(graph.classes))} classes"
        elif graph.values is not None and graph.num_nodes:
            low, high = np.nanmin(graph.values), np.nanmax(graph.values)
            said += f", coloured by {graph.unit or 'a value'} from {number(float(low))} to {number(float(high))}"
        if graph.wrong is not None:
            said += f", {count(int(np.sum(graph.wrong)), 'mistake')}"
        return said
