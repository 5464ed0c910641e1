"""Telling graphs apart: the arena of expressive power."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import networkx as nx
import torch
from torch import Tensor, nn

from neurorama import Arena, data, descend
from neurorama.kernels.propagation import Adjacency, adjacency
from neurorama.kernels.segment import segment_mean


@dataclass(frozen=True)
class Batch:
    """Several graphs as one: `near` (N, N) sums neighbours, `x` (N, d), `graph` (N,) each node's graph, `y` (g,)."""

    near: Adjacency
    x: Tensor
    graph: Tensor
    y: Tensor

    @classmethod
    def of(cls, graphs: Sequence[data.GraphData], y: Tensor) -> Batch:
        sizes = torch.tensor([graph.num_nodes for graph in graphs])
        starts = sizes.cumsum(0) - sizes
        edge_index = torch.cat([graph.edge_index + start for graph, start in zip(graphs, starts)], dim=1)
        near = adjacency(edge_index, int(sizes.sum()))
        return cls(
            near, torch.cat([graph.x for graph in graphs]), torch.arange(len(graphs)).repeat_interleave(sizes), y
        )


@dataclass(frozen=True)
class GraphTask:
    """Graphs to classify: batches to train on, one batch to be tested on, and its graphs."""

    train: tuple[Batch, ...]
    test: Batch
    graphs: tuple[data.GraphData, ...]
    classes: int


class GNN(nn.Module):
    """Plain message passing: h_v becomes relu(BN(W_1 h_v + W_2 sum of the neighbours' h)). Batch -> logits (g, c)"""

    def __init__(self, features: int, hidden: int, classes: int, depth: int = 4) -> None:
        super().__init__()
        self.embed = nn.Linear(features, hidden)
        self.own = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(depth))
        self.others = nn.ModuleList(nn.Linear(hidden, hidden, bias=False) for _ in range(depth))
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden, momentum=None) for _ in range(depth))
        self.read = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes))

    def start(self, batch: Batch) -> Tensor:  # -> (N, hidden)
        return self.embed(batch.x)

    @torch.no_grad()
    def settle(self, batches: Sequence[Batch]) -> None:
        """Means and variances of the norms, taken anew over `batches`: running ones trail behind fast weights."""
        self.train()
        for norm in self.norms.children():
            assert isinstance(norm, nn.BatchNorm1d)
            norm.reset_running_stats()
        for batch in batches:
            self(batch)
        self.eval()

    def pooled(self, batch: Batch) -> Tensor:  # -> (g, hidden)
        h = self.start(batch)
        for own, others, norm in zip(self.own, self.others, self.norms):
            h = norm(own(h) + batch.near @ others(h)).relu()
        return segment_mean(h, batch.graph, len(batch.y))

    def forward(self, batch: Batch) -> Tensor:
        return self.read(self.pooled(batch))


def regular_graphs(seed: int, count: int = 600, num_nodes: int = 10) -> data.GraphSet:
    """Random 3-regular graphs, half of them with a triangle: colour refinement cannot tell any two apart."""
    draw = torch.Generator().manual_seed(seed)
    found: tuple[list[data.GraphData], list[data.GraphData]] = ([], [])
    while min(len(kind) for kind in found) < count // 2:
        number = int(torch.randint(2**31 - 1, (), generator=draw))
        graph = data.from_networkx(nx.random_regular_graph(3, num_nodes, seed=number))
        near = torch.zeros(num_nodes, num_nodes).index_put(tuple(graph.edge_index), torch.ones(3 * num_nodes))
        kind = found[int((near @ near * near).sum() > 0)]
        if len(kind) < count // 2:
            kind.append(data.GraphData(graph.edge_index, torch.ones(num_nodes, 1)))
    y = torch.arange(2).repeat_interleave(count // 2)
    return data.GraphSet((*found[0], *found[1]), y, ("no triangle", "a triangle"))


@final
class GraphClassification(Arena[GNN, GraphTask]):
    """Systems are GNNs that map a Batch to logits (g, c). A third of the graphs is held out.

    A system that draws random numbers may answer differently each time; it brings its own average over draws as `vote`.
    """

    title = "Telling graphs apart"
    metric = "test accuracy"
    sources = ("triangles", "mutag", "proteins")
    steps = 400

    def data(self, source: str, seed: int) -> GraphTask:
        graphs = regular_graphs(seed) if source == "triangles" else data.graphs(source, seed)
        assert graphs.y is not None
        order = torch.randperm(len(graphs.graphs), generator=torch.Generator().manual_seed(seed))
        held_out = len(order) // 3
        parts = [order[:held_out], *order[held_out:].split(50)]
        test, *train = (Batch.of([graphs.graphs[i] for i in part], graphs.y[part]) for part in parts)
        shown = tuple(graphs.graphs[i] for i in parts[0])
        return GraphTask(tuple(train), test, shown, int(graphs.y.max()) + 1)

    def baselines(self, data: GraphTask) -> Mapping[str, GNN]:
        return {"plain GNN": GNN(data.test.x.shape[1], 32, data.classes)}

    def train(self, system: GNN, data: GraphTask, steps: int) -> Iterator[float]:
        def loss() -> Tensor:
            system.train()
            batch = data.train[int(torch.randint(len(data.train), ()))]
            return nn.functional.cross_entropy(system(batch), batch.y)

        return descend(loss, system.parameters(), steps, lr=0.005)

    @torch.no_grad()
    def score(self, system: GNN, data: GraphTask) -> float:
        system.settle(data.train)
        answer = getattr(system, "vote", system)(data.test)
        return float((answer.argmax(1) == data.test.y).float().mean())


GRAPHS = GraphClassification()
