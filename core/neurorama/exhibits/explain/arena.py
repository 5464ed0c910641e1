"""Explaining predictions: which edges made a frozen network say what it says?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, final

import torch
from torch import Tensor, nn

from neurorama import Arena, Graph, data, descend
from neurorama.kernels.explainer import Blocks, aucs, computation_graphs
from neurorama.kernels.propagation import Adjacency, normalised
from neurorama.kernels.segment import segment_sum

LAYERS = 3


class Net(nn.Module):
    """Three graph convolutions of width 20 and a linear layer that reads all three. (n, n), (n, d) -> (n, c)"""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Linear(width, 20) for width in (features, 20, 20))
        self.out = nn.Linear(60, classes)

    def forward(self, near: Adjacency, x: Tensor) -> Tensor:
        read = []
        for convolution in self.convolutions:
            x = (near @ (x @ convolution.weight.T) + convolution.bias).relu()  # type: ignore[operator, union-attr]
            read.append(x)
        return self.out(torch.cat(read, 1))


@dataclass(frozen=True, eq=False)
class Case:
    """A frozen network's predictions about the nodes of planted motifs, and the edges that are known to matter.

    Args:
        predicted: (n,) the network's classes.
        nodes: (e,) the explained nodes.
        blocks: their computation graphs side by side.
        pairs: (2, p) the undirected edges of `blocks`.
        pair: (M,) which of them each entry of `blocks` is; p, one too many, where it is a loop.
        truth: (p,) whether it belongs to the explained node's own motif.
    """

    graph: data.GraphData
    net: Net
    predicted: Tensor
    nodes: Tensor
    blocks: Blocks
    pairs: Tensor
    pair: Tensor
    truth: Tensor

    @property
    def owner(self) -> Tensor:
        """(p,) the explanation that each undirected edge belongs to."""
        return self.blocks.owner[self.pairs[0]]

    def logits(self, edges: Tensor, features: Tensor) -> Tensor:
        """(e, c) what the network says under the masks `edges` (M,) and `features` (e, d)."""
        blocks, near = self.blocks, self.blocks.near
        weight = torch.where(
            self.pair < len(self.truth), near.weight * edges, near.weight
        )  # a node always hears itself
        return self.net(near.reweighted(weight), self.graph.x[blocks.node] * features[blocks.owner])[blocks.target]

    def nll(self, edges: Tensor, features: Tensor) -> Tensor:
        """(e,) minus log probability of each prediction under the masks."""
        return nn.functional.cross_entropy(self.logits(edges, features), self.predicted[self.nodes], reduction="none")

    def whole(self) -> tuple[Tensor, Tensor]:
        """Masks that leave everything in place."""
        return torch.ones(len(self.pair)), torch.ones(len(self.nodes), self.graph.x.shape[1])

    def undirected(self, scores: Tensor) -> Tensor:
        """(M,) -> (p,): the mean of both directions, where one that the network does not read counts 0."""
        return segment_sum(scores, self.pair, len(self.truth) + 1)[:-1] / 2

    def kept(self, scores: Tensor, edges: int = 6) -> float:
        """Share of nodes whose predicted class stays when only the `edges` edges that score highest are left."""
        order = torch.argsort(self.undirected(scores), descending=True, stable=True)
        order = order[torch.argsort(self.owner[order], stable=True)]
        count = torch.bincount(self.owner)
        place = torch.arange(len(order)) - (count.cumsum(0) - count)[self.owner[order]]
        left = torch.zeros(len(order) + 1).index_put((order,), (place < edges).float())
        guess = self.logits(left[self.pair], self.whole()[1]).argmax(1)
        return float((guess == self.predicted[self.nodes]).float().mean())

    def drawn(self, which: int) -> tuple[Graph, int, Tensor]:
        """One computation graph, the place of the explained node in it, and (k,) which of `pairs` its edges are."""
        mine, edges = (self.blocks.owner == which).nonzero()[:, 0], (self.owner == which).nonzero()[:, 0]
        numbers = self.blocks.node[mine]
        names = [str(number) for number in numbers.tolist()]
        graph = Graph(self.pairs[:, edges] - mine[0], len(mine), self.predicted[numbers], names=names)
        return graph, int(self.blocks.target[which] - mine[0]), edges


class Explainer(Protocol):
    """Learns on a case, if it learns at all, and scores the entries of its blocks: high means that it matters."""

    def learn(self, case: Case, steps: int) -> Iterator[float]: ...

    def scores(self, case: Case) -> Tensor: ...


class Gradient:
    """How fast each prediction's loss changes with the entry of each edge."""

    def learn(self, case: Case, steps: int) -> Iterator[float]:
        for _ in range(steps):
            yield float(case.nll(*case.whole()).mean())

    def scores(self, case: Case) -> Tensor:
        edges, features = case.whole()
        (slope,) = torch.autograd.grad(case.nll(edges.requires_grad_(), features).sum(), edges)
        return slope.abs()


class Nearness(Gradient):
    """Knows nothing of the network: an edge counts by how few hops it is away."""

    def scores(self, case: Case) -> Tensor:
        near, blocks = case.blocks.near, case.blocks
        reached = torch.zeros(near.num_nodes, dtype=torch.bool)
        reached[blocks.target] = True
        score = torch.zeros(len(near.row))
        for _ in range(LAYERS):
            score += reached[near.row]
            reached = reached | (torch.zeros(near.num_nodes).index_add(0, near.col, reached[near.row].float()) > 0)
        return score


@final
class Explanation(Arena[Explainer, Case]):
    """Explainers score the edges that a network reads; the score is the mean over nodes of their motif's AUC."""

    title = "Which edges mattered?"
    metric = "edge AUC"
    sources = ("ba-houses", "ba-shapes")

    def fit(self, net: Net, graph: data.GraphData, steps: int) -> Iterator[float]:
        """Trains the network that is to be explained on four fifths of the nodes; yields the share it has right."""
        near = normalised(graph.edge_index, graph.num_nodes)
        train = torch.randperm(graph.num_nodes)[: graph.num_nodes * 4 // 5]
        assert graph.y is not None
        y = graph.y

        def loss() -> Tensor:
            nonlocal right
            logits = net(near, graph.x)
            right = float((logits.argmax(1) == y).float().mean())
            return nn.functional.cross_entropy(logits[train], y[train])

        right = 0.0
        for _ in descend(loss, net.parameters(), steps, lr=0.02, weight_decay=5e-4):
            yield right

    @torch.no_grad()
    def case(self, net: Net, graph: data.GraphData) -> Case:
        """All nodes of motifs, to be explained as `net` sees them, right or wrong; `net` is frozen."""
        net.requires_grad_(False)
        near = normalised(graph.edge_index, graph.num_nodes)
        predicted, house = net(near, graph.x).argmax(1), graph.truth["house"]
        nodes = (house >= 0).nonzero()[:, 0]
        blocks = computation_graphs(near, nodes, LAYERS)
        pairs, pair = blocks.pairs()
        edge = pairs[0] != pairs[1]
        pair = torch.where(edge, edge.cumsum(0) - 1, edge.sum())[pair]
        pairs = pairs[:, edge]
        own = house[nodes][blocks.owner[pairs[0]]]
        truth = (house[blocks.node[pairs]] == own).all(0)
        return Case(graph, net, predicted, nodes, blocks, pairs, pair, truth)

    def data(self, source: str, seed: int) -> Case:
        graph = data.graph(source, seed)
        net = Net(graph.x.shape[1], graph.num_classes)
        for _ in self.fit(net, graph, 1500):
            pass
        return self.case(net, graph)

    def baselines(self, data: Case) -> Mapping[str, Explainer]:
        return {"gradient": Gradient(), "nearness": Nearness()}

    def train(self, system: Explainer, data: Case, steps: int) -> Iterator[float]:
        return system.learn(data, steps)

    def score(self, system: Explainer, data: Case) -> float:
        scores = data.undirected(system.scores(data))
        return float(aucs(scores, data.truth, data.owner, len(data.nodes)).mean())


EXPLANATION = Explanation()
