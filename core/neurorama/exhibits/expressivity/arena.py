"""Classification of whole graphs, among them graphs that colour refinement cannot tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import networkx as nx
import torch
from torch import Tensor, nn

from neurorama import Arena, data, descend
from neurorama.kernels.propagation import Adjacency, adjacency
from neurorama.kernels.segment import segment_max, segment_sum

BATCH = 100  # graphs in a training step


@dataclass(frozen=True, eq=False)
class Graphs:
    """g graphs side by side: `near` (N, N) sums over neighbours, `x` (N, d), `batch` (N,) the graph of a node, `y` (g,)."""

    near: Adjacency
    x: Tensor
    batch: Tensor
    y: Tensor

    def first(self) -> data.GraphData:
        """The first of them, alone."""
        inside = self.batch[self.near.row] == 0
        edge_index = torch.stack([self.near.col[inside], self.near.row[inside]])
        return data.GraphData(edge_index, self.x[self.batch == 0])


@dataclass(frozen=True, eq=False)
class GraphTask:
    """Labelled graphs to learn from, in portions of one training step each, and others to be asked about."""

    train: tuple[Graphs, ...]
    test: Graphs

    @property
    def sizes(self) -> tuple[int, int]:
        """(features, classes)."""
        seen = torch.cat([portion.y for portion in self.train])
        return self.test.x.shape[1], int(max(seen.max(), self.test.y.max())) + 1


class GNN(nn.Module):
    """Sum aggregation and a readout by maximum. Graphs, h (N, width) -> (g, width), and `out` of that -> (g, c)

    h' = ReLU(LayerNorm(W1 h + W2 sum of the neighbours' h)), the convolution of Morris et al. (2019).
    """

    def __init__(self, width: int, classes: int, layers: int) -> None:
        super().__init__()
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.others = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.out = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, classes))

    def forward(self, graphs: Graphs, h: Tensor) -> Tensor:
        for own, others, norm in zip(self.own, self.others, self.norms):
            h = norm(own(h) + graphs.near @ others(h)).relu()
        return segment_max(h, graphs.batch, len(graphs.y))


class Plain(nn.Module):
    """The network that starts from the nodes' own features. Graphs -> (g, c)"""

    def __init__(self, features: int, classes: int, width: int = 32, layers: int = 6) -> None:
        super().__init__()
        self.start, self.net = nn.Linear(features, width), GNN(width, classes, layers)

    def forward(self, graphs: Graphs) -> Tensor:
        return self.net.out(self.net(graphs, self.start(graphs.x)))


class Sum(nn.Module):
    """No edges at all: a linear classifier of the summed features. Graphs -> (g, c)"""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)

    def forward(self, graphs: Graphs) -> Tensor:
        return self.linear(segment_sum(graphs.x, graphs.batch, len(graphs.y)))


def side_by_side(graphs: Sequence[data.GraphData], y: Tensor) -> Graphs:
    sizes = torch.tensor([graph.num_nodes for graph in graphs])
    edges = [graph.edge_index + first for graph, first in zip(graphs, (sizes.cumsum(0) - sizes).tolist())]
    near = adjacency(torch.cat(edges, 1), int(sizes.sum()))
    return Graphs(near, torch.cat([graph.x for graph in graphs]), torch.arange(len(graphs)).repeat_interleave(sizes), y)


def triangles(seed: int, count: int = 600, num_nodes: int = 10) -> data.GraphSet:
    """Random 3-regular graphs, half of them with a triangle (label 1). To colour refinement they are all the same."""
    draw = torch.Generator().manual_seed(seed)
    found: tuple[list[data.GraphData], list[data.GraphData]] = ([], [])
    while min(len(side) for side in found) < count // 2:
        graph = nx.random_regular_graph(3, num_nodes, seed=int(torch.randint(2**31, (), generator=draw)))
        side = found[any(nx.triangles(graph).values())]
        if len(side) < count // 2:
            pairs = torch.tensor(list(graph.edges)).T
            side.append(data.GraphData(torch.cat([pairs, pairs.flip(0)], 1), torch.ones(num_nodes, 1)))
    graphs = tuple(graph for pair in zip(*found) for graph in pair)
    return data.GraphSet(graphs, torch.arange(len(graphs)) % 2, ("no triangle", "triangle"))


@final
class GraphClassification(Arena[nn.Module, GraphTask]):
    """Systems map Graphs to logits (g, c). One that draws random numbers is asked `draws` times, and the mean counts."""

    title = "Graphs that look alike"
    metric = "test accuracy"
    sources = ("triangles", "mutag")
    steps = 300

    def data(self, source: str, seed: int) -> GraphTask:
        found = triangles(seed) if source == "triangles" else data.graphs(source, seed)
        assert found.y is not None
        order = torch.randperm(len(found.y), generator=torch.Generator().manual_seed(seed)).tolist()
        cut = len(order) * 2 // 3

        def some(places: list[int]) -> Graphs:
            return side_by_side([found.graphs[i] for i in places], found.y[places])  # type: ignore[index]

        portions = [order[i : min(i + BATCH, cut)] for i in range(0, cut, BATCH)]
        return GraphTask(tuple(some(portion) for portion in portions), some(order[cut:]))

    def baselines(self, data: GraphTask) -> Mapping[str, nn.Module]:
        return {"GNN": Plain(*data.sizes), "features alone": Sum(*data.sizes)}

    def train(self, system: nn.Module, data: GraphTask, steps: int) -> Iterator[float]:
        step = 0

        def loss() -> Tensor:
            nonlocal step
            graphs = data.train[step % len(data.train)]
            step += 1
            return nn.functional.cross_entropy(system(graphs), graphs.y)

        return descend(loss, system.parameters(), steps, lr=0.003)

    @torch.no_grad()
    def chances(self, system: nn.Module, graphs: Graphs) -> Tensor:
        """(draws, g, c) class probabilities."""
        return torch.stack([system(graphs).softmax(1) for _ in range(getattr(system, "draws", 1))])

    def score(self, system: nn.Module, data: GraphTask) -> float:
        guess = self.chances(system, data.test).mean(0).argmax(1)
        return float((guess == data.test.y).float().mean())


GRAPHS = GraphClassification()
