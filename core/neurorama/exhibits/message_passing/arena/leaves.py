"""LeafCount: a tree whose root must say how many of its leaves hold a one, and graphs with pairs joined by weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor

from neurorama import Graph, Value
from neurorama.kernels.propagation import Adjacency, adjacency, normalised

from .batches import Batch, Wiring
from .distance import HELD_OUT, SIZE, TRAINED, DistanceTask
from .rewiring import REWIRING, rewired

CHOSEN = {
    "candidates": "All pairs that may be joined: the higher its chance to be drawn, the wider and warmer a line.",
    **REWIRING,
    "useful edges": "Share of the edges taken that lead from the root into the lower half of the tree.",
}


def leaf_count(seed: int, depth: int, layers: int) -> DistanceTask:
    """Binary trees of that depth, all counts of ones from 0 to 2^depth as likely, as Qian et al. (2024) make them.

    A node holds its number, one-hot, and at a leaf a bit; node 0 is the root and target, the last 2^depth are leaves.
    """
    leaves, n = 2**depth, 2 ** (depth + 1) - 1
    child = torch.arange(1, n)
    up = torch.stack([child, (child - 1) // 2])
    piece, draw = (torch.cat([up, up.flip(0)], dim=1), n), Generator().manual_seed(seed)
    few, many = (Wiring.of([piece] * count) for count in (SIZE, HELD_OUT))

    def batch(wiring: Wiring) -> Batch:
        count = wiring.num_graphs
        y = torch.randint(leaves + 1, (count,), generator=draw)
        ones = torch.rand(count, leaves, generator=draw).argsort(1) < y[:, None]
        bits = torch.cat([torch.zeros(count, n - leaves), ones.float()], dim=1)
        x = torch.cat([torch.eye(n).expand(count, n, n), bits[..., None]], dim=2).flatten(0, 1)
        return Batch(wiring, x, y, wiring.starts + n - 1, wiring.starts)

    train = tuple(batch(few) for _ in range(TRAINED))
    return DistanceTask(train, batch(many), batch(many), leaves + 1, depth, layers)


@dataclass(frozen=True, eq=False)
class Weighted:
    """A batch on edges and candidate pairs with weights; what a network reads of it.

    Args:
        pattern: of the edges of all graphs, then of the pairs forth, then back, graph by graph.
        weights: (m,) of each column that the pattern was made from; gradients reach it.
    """

    batch: Batch
    pattern: Adjacency
    weights: Tensor

    @property
    def x(self) -> Tensor:
        return self.batch.x

    @property
    def edge_index(self) -> Tensor:
        return torch.stack([self.pattern.col, self.pattern.row])

    @cached_property
    def sums(self) -> Adjacency:
        """A, weighted."""
        return self.pattern.reweighted(self.weights[self.pattern.order])

    @cached_property
    def near(self) -> Adjacency:
        """D^-1/2 (A + I) D^-1/2, weighted."""
        return normalised(self.edge_index, len(self.x), self.weights[self.pattern.order])


class Join:
    """Batches with pairs joined by weights; the pattern of each wiring, whose graphs are all alike, is made once."""

    def __init__(self) -> None:
        self.patterns: dict[Wiring, Adjacency] = {}

    def __call__(self, batch: Batch, pairs: Tensor, z: Tensor) -> Weighted:
        """`pairs` (2, a) in each graph, both ways, with weights `z` (g, a)."""
        wiring = batch.wiring
        if wiring not in self.patterns:
            shifted = (pairs[:, None] + wiring.starts[:, None]).flatten(1)
            columns = torch.cat([wiring.edge_index, shifted, shifted.flip(0)], dim=1)
            self.patterns[wiring] = adjacency(columns, wiring.num_nodes)
        given = torch.ones(wiring.edge_index.shape[1])
        return Weighted(batch, self.patterns[wiring], torch.cat([given, z.flatten(), z.flatten()]))


def chosen(arm: str, task: DistanceTask, pairs: Tensor, chances: Tensor, taken: Tensor) -> dict[str, Value]:
    """The first test tree with its candidate pairs (2, a) by their chance (a,), and with those that are taken (a,)."""
    edges, n = task.test.wiring.pieces[0]
    once = edges[:, edges[0] < edges[1]]
    both = torch.cat([torch.ones(once.shape[1]), chances])
    useful = (pairs == 0).any(0) & (pairs >= n // 2).any(0)
    return {
        f"candidates/{arm}": Graph(
            torch.cat([once, pairs], dim=1), n, weights=both, edge_values=both, edge_unit="chance"
        ),
        **rewired(arm, edges, n, pairs[:, taken]),
        f"useful edges/{arm}": float(useful[taken].float().mean()),
    }
