"""Node classification from few labels: the arena of depth.

A system is an `nn.Module` that maps a `NodeTask` to logits (n, c). It may bring its own `lr`, `weight_decay` and
`optimiser`, and it may have `hidden(task) -> list[Tensor]`, the states of the nodes after each of its layers (or hops),
(n, d) each, in the mode (training or evaluation) that it is in; from them comes the curve "energy by layer". Where it
is not trained by cross-entropy on the labelled nodes, `objective(task) -> Tensor` is the loss of the next step instead;
it sees the labels of `task.train` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from neurorama import Arena, Curve, Graph, Params, Points, Trace, Value, data, descend
from neurorama.kernels.propagation import Adjacency, adjacency, normalised

from .nets import GCN, MLP

VIEWS = {
    "graph": "Predicted class of each node; a ring marks a mistake, a thick rim a node whose label was given.",
    "energy by layer": "How rough the node states are after each layer, 0 being blurred: does depth smooth them away?",
    "representation": "The nodes' logits, coloured by true class: are the classes apart, or blurred into one point?",
    "test accuracy": "Share of the test nodes that are right (on minesweeper, the area under the ROC curve).",
    "validation accuracy": "The same on nodes set aside to choose the step at which an arm is judged.",
    "distance between nodes": "Half the mean distance between the directions of two nodes: 0 is over-smoothed.",
    "loss": "Cross-entropy on the few labelled nodes.",
}


@dataclass(frozen=True)
class NodeTask:
    """A graph, a few labels, and `near`, its propagation matrix with self-loops.

    The graph is undirected, without self-loops and repeated edges; it may have isolated nodes and several components.

    Args:
        near: (n, n), symmetrically normalised, D^-1/2 (A + I) D^-1/2.
        train, val, test: (n,) boolean masks.
        measure: what the score is, "accuracy" or "ROC AUC" (of the second of two classes).
    """

    graph: data.GraphData
    near: Adjacency
    train: Tensor
    val: Tensor
    test: Tensor
    measure: Literal["accuracy", "ROC AUC"] = "accuracy"

    @property
    def edge_index(self) -> Tensor:
        """(2, m) long, each edge in both directions."""
        return self.graph.edge_index

    @property
    def x(self) -> Tensor:
        return self.graph.x

    @property
    def y(self) -> Tensor:
        assert self.graph.y is not None
        return self.graph.y

    @cached_property
    def edges(self) -> np.ndarray:
        """`edge_index` as frames share it: read-only."""
        edges = self.graph.edge_index.numpy().copy()
        edges.setflags(write=False)
        return edges

    @cached_property
    def sums(self) -> Adjacency:
        """A, without self-loops: `sums @ h` adds up the neighbours."""
        return adjacency(self.edge_index, len(self.x))

    @cached_property
    def energy(self) -> float:
        """The Dirichlet energy of the features."""
        return energy(self.x, self.near)

    @property
    def sizes(self) -> tuple[int, int]:
        """(features, classes)."""
        return self.x.shape[1], self.graph.num_classes


class Depth(Params):
    """The common knob of this arena."""

    depth: int = Field(16, ge=1, le=32, description="layers, or hops, of every system that can be deep")


@final
class NodeClassification(Arena[nn.Module, NodeTask]):
    """Systems map a NodeTask to logits (n, c); a few nodes are labelled, the score is the accuracy on the others.

    A system may bring its own `lr` and `weight_decay`; the budget of steps is everyone's. Public splits are taken in
    turn by `seed` where the source has them; else four nodes of each class are labelled and the rest is halved. On
    minesweeper the score is the area under the ROC curve, as in its paper (Platonov et al., 2023,
    https://arxiv.org/abs/2302.11640), since four fifths of its nodes have the same label.
    """

    title = "Nodes from few labels"
    metric = "test accuracy"
    sources = (
        "karate",
        "blocks",
        "blocks-mixed",
        "blocks-opposed",
        "cora",
        "citeseer",
        "texas",
        "cornell",
        "actor",
        "chameleon-filtered",
        "squirrel-filtered",
        "minesweeper",
    )
    own = True
    steps = 100
    knobs = Depth
    views = VIEWS

    def meaning(self, source: str) -> str:
        return f"{_measure(source)} on the test nodes"

    def data(self, source: str, seed: int) -> NodeTask:
        graph = data.usable(data.labelled(source, seed), source)
        assert graph.y is not None
        splits = graph.splits
        split = splits[seed % len(splits)] if splits else data.synthetic.few_labels(graph.y, 4, seed)
        return NodeTask(graph, normalised(graph.edge_index, graph.num_nodes), *split, _measure(source))

    def baselines(self, data: NodeTask, depth: int = 16) -> Mapping[str, nn.Module]:
        features, classes = data.sizes
        flat = {"GCN, 2 layers": GCN(features, 16, classes, 2), "MLP": MLP(features, 16, classes)}  # alike at any depth
        return {"GCN": GCN(features, 16, classes, depth), **flat}

    def train(self, system: nn.Module, data: NodeTask, steps: int) -> Iterator[float]:
        def loss() -> Tensor:
            system.train()
            if hasattr(system, "objective"):
                return system.objective(data)  # type: ignore[operator]
            return nn.functional.cross_entropy(system(data)[data.train], data.y[data.train])

        lr, decay = getattr(system, "lr", 0.01), getattr(system, "weight_decay", 5e-4)
        return descend(loss, system.parameters(), steps, lr, decay, getattr(system, "optimiser", "Adam"))

    @torch.no_grad()
    def logits(self, system: nn.Module, data: NodeTask) -> Tensor:
        """(n, c) in evaluation mode."""
        system.eval()
        return system(data)

    def score(self, system: nn.Module, data: NodeTask) -> float:
        return measured(self.logits(system, data), data, data.test)

    def scores(self, system: nn.Module, data: NodeTask) -> tuple[float, float]:
        logits = self.logits(system, data)
        return measured(logits, data, data.val), measured(logits, data, data.test)

    @torch.no_grad()
    def look(self, arm: str, system: nn.Module, data: NodeTask) -> dict[str, Value]:
        """What every node classifier shows: predicted classes, the nodes' places, how far apart they are, and (where
        the system has `hidden`) the Dirichlet energy of the features and after each layer."""
        logits = self.logits(system, data)
        guess = logits.argmax(1)
        wrong, names = guess != data.y, data.graph.names
        values: dict[str, Value] = {
            f"graph/{arm}": Graph(data.edges, len(guess), guess, wrong=wrong, train=data.train, names=names),
            f"representation/{arm}": Points(logits, data.y, wrong=wrong, items="nodes", names=names),
            f"distance between nodes/{arm}": spread(logits),
            f"validation accuracy/{arm}": measured(logits, data, data.val),
        }
        if hasattr(system, "hidden"):
            energies = [data.energy, *(energy(h, data.near) for h in system.hidden(data))]  # type: ignore[operator]
            values[f"energy by layer/{arm}"] = Curve(range(len(energies)), energies, "layer", "Dirichlet energy")
        return values


def _measure(source: str) -> Literal["accuracy", "ROC AUC"]:
    return "ROC AUC" if source == "minesweeper" else "accuracy"


def measured(logits: Tensor, task: NodeTask, mask: Tensor) -> float:
    """The task's measure of logits (n, c) on the nodes of a mask (n,)."""
    if task.measure == "ROC AUC":
        from sklearn.metrics import roc_auc_score  # slow to load, and seldom needed

        return float(roc_auc_score(task.y[mask], (logits[:, 1] - logits[:, 0])[mask]))
    return float((logits.argmax(1) == task.y)[mask].float().mean())


def energy(h: Tensor, near: Adjacency) -> float:
    r"""Dirichlet energy of node states `h` (n, d), per unit of their size:

    $$E(H) = \frac{\mathrm{tr}(H^\top (I - \hat A) H)}{\|H\|_F^2} = \frac{1}{2 \|H\|_F^2} \sum_{(i, j) \in \tilde E}
    \Big\| \frac{h_i}{\sqrt{\tilde d_i}} - \frac{h_j}{\sqrt{\tilde d_j}} \Big\|^2$$

    with self-loops in the edges and the degrees. The numerator is the energy of Cai and Wang (2020,
    https://arxiv.org/abs/2006.13318); divided by the squared norm, as Di Giovanni et al. (2022,
    https://arxiv.org/abs/2206.10991) do, it does not change when all states grow or shrink together, so that layers of
    different width and scale can be compared. It lies between 0 (every column is a multiple of the square roots of the
    degrees, all that infinitely many averages leave) and 2; states that are all zero count as 0.
    """
    h = h.detach()
    size = float((h * h).sum())
    return max(0.0, float((h * (h - near @ h)).sum()) / size) if size > 0 else 0.0


def spread(h: Tensor) -> float:
    """Smoothness of `h` (n, d) as Liu et al. (2020) measure it: the mean over pairs of half the distance between
    their directions. 0 means that all nodes point the same way (over-smoothed), 1 that they oppose each other.
    Of more than a thousand nodes, evenly spaced ones stand for all."""
    h = h[:: 1 + len(h) // 1000]
    return float(torch.pdist(nn.functional.normalize(h, dim=1)).mean() / 2)


def at_best_validation(trace: Trace, arm: str) -> float:
    """Test accuracy where validation accuracy was highest (the first time): the usual protocol, no peeking."""
    val, test = trace.numbers(f"validation accuracy/{arm}"), trace.numbers(f"test accuracy/{arm}")
    return test[val.index(max(val))]


NODES = NodeClassification()
