"""Node classification from few labels: the arena of depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from neurorama import Arena, Graph, Points, Trace, Value, data, descend
from neurorama.kernels.propagation import Adjacency, normalised

VIEWS = {
    "graph": "Predicted class of each node; a ring marks a mistake, a thick rim a node whose label was given.",
    "representation": "The nodes' logits, coloured by true class: are the classes apart, or blurred into one point?",
    "test accuracy": "All arms have the same graph, labels and budget.",
    "validation accuracy": "On nodes set aside to choose the step at which an arm is judged.",
    "distance between nodes": "Half the mean distance between the directions of two nodes: 0 is over-smoothed.",
    "loss": "Cross-entropy on the few labelled nodes.",
}


@dataclass(frozen=True)
class NodeTask:
    """A graph, a few labels, and `near`, its propagation matrix with self-loops."""

    graph: data.GraphData
    near: Adjacency
    train: Tensor
    val: Tensor
    test: Tensor

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

    @property
    def sizes(self) -> tuple[int, int]:
        """(features, classes)."""
        return self.x.shape[1], self.graph.num_classes


class GCN(nn.Module):
    """The graph convolutional network of Kipf and Welling: transform and average in every layer. NodeTask -> (n, c)."""

    def __init__(self, features: int, hidden: int, classes: int, depth: int, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [features, *[hidden] * (depth - 1), classes]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.dropout = nn.Dropout(dropout)

    def forward(self, task: NodeTask) -> Tensor:
        h = task.x
        for layer in self.layers[:-1]:
            h = (task.near @ layer(self.dropout(h))).relu()
        return task.near @ self.layers[-1](self.dropout(h))

    def work(self, task: NodeTask) -> int:
        """Multiply-adds of all products in a training step; going backward repeats one for each factor it updates."""
        n, edges = len(task.x), task.near.col.numel()
        widths = [task.x.shape[1], *(layer.bias.numel() for layer in self.layers)]  # type: ignore[union-attr, operator]
        pairs = list(pairwise(widths))
        return sum(3 * n * d * h + 2 * edges * h for d, h in pairs) - n * widths[0] * widths[1]


@final
class NodeClassification(Arena[nn.Module, NodeTask]):
    """Systems map a NodeTask to logits (n, c); a few nodes are labelled, the score is the accuracy on the others.

    A system may bring its own `lr` and `weight_decay`; the budget of steps is everyone's.
    """

    title = "Nodes from few labels"
    metric = "test accuracy"
    sources = ("karate", "blocks", "blocks-opposed", "cora", "citeseer", "texas", "cornell", "actor")
    own = True
    steps = 100

    def data(self, source: str, seed: int) -> NodeTask:
        graph = data.labelled(source, seed)
        assert graph.y is not None
        splits = graph.splits
        split = splits[seed % len(splits)] if splits else data.synthetic.few_labels(graph.y, 4, seed)
        return NodeTask(graph, normalised(graph.edge_index, graph.num_nodes), *split)

    def baselines(self, data: NodeTask) -> Mapping[str, nn.Module]:
        features, classes = data.sizes
        return {"GCN, 2 layers": GCN(features, 16, classes, 2), "GCN, 16 layers": GCN(features, 16, classes, 16)}

    def train(self, system: nn.Module, data: NodeTask, steps: int) -> Iterator[float]:
        def loss() -> Tensor:
            system.train()
            return nn.functional.cross_entropy(system(data)[data.train], data.y[data.train])

        lr, decay = getattr(system, "lr", 0.01), getattr(system, "weight_decay", 5e-4)
        return descend(loss, system.parameters(), steps, lr=lr, weight_decay=decay)

    @torch.no_grad()
    def logits(self, system: nn.Module, data: NodeTask) -> Tensor:
        """(n, c) in evaluation mode."""
        system.eval()
        return system(data)

    def score(self, system: nn.Module, data: NodeTask) -> float:
        return self._accuracy(self.logits(system, data), data, data.test)

    @staticmethod
    def _accuracy(logits: Tensor, data: NodeTask, mask: Tensor) -> float:
        return float((logits.argmax(1) == data.y)[mask].float().mean())

    def look(self, arm: str, system: nn.Module, data: NodeTask) -> dict[str, Value]:
        """What every node classifier shows: predicted classes, the nodes' places, and how far apart they are."""
        logits = self.logits(system, data)
        guess = logits.argmax(1)
        wrong, names = guess != data.y, data.graph.names
        return {
            f"graph/{arm}": Graph(data.edges, len(guess), guess, wrong=wrong, train=data.train, names=names),
            f"representation/{arm}": Points(logits, data.y, wrong=wrong, items="nodes", names=names),
            f"distance between nodes/{arm}": spread(logits),
            f"validation accuracy/{arm}": self._accuracy(logits, data, data.val),
        }


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
