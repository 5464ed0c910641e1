"""Shortcuts: edges added before training, two plain ways to choose them, and networks that see the graph with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from neurorama import Value
from neurorama.kernels.hops import distances
from neurorama.kernels.resistance import circuit

from .batches import Batch, Wiring
from .rewiring import one_by_one

AIMS = {
    "resistance left": "The first of three aims, the less the better: the total resistance as a share of that before.",
    "hops spanned": "The second: how far an added edge reaches on average, as a share of the farthest pair.",
    "edges added": "The third: how many, as a share of all pairs that could be joined.",
}


def absent(edge_index: Tensor, num_nodes: int) -> Tensor:
    """(n, n) booleans: the pairs u < v of one component that are no edge; here an edge can be added."""
    pairs = circuit(edge_index, num_nodes).together.triu(1)
    pairs[edge_index[0], edge_index[1]] = False
    return pairs


def with_pairs(edge_index: Tensor, pairs: Tensor) -> Tensor:
    """The edges and the pairs (2, a), which come in both directions. -> (2, m + 2a)"""
    return torch.cat([edge_index, pairs, pairs.flip(0)], dim=1)


def at_random(edge_index: Tensor, num_nodes: int, count: int) -> Tensor:
    """(2, count) absent pairs, all with the same chance; as many as there are where those are fewer."""
    pairs = absent(edge_index, num_nodes).nonzero()
    return pairs[torch.randperm(len(pairs))[:count]].T


def by_spectral_gap(edge_index: Tensor, num_nodes: int, count: int) -> Tensor:
    """(2, count) absent pairs, one after the other the one that, to first order, widens the spectral gap most.

    With x the second eigenvector of D^-1/2 A D^-1/2, that pair has the least x_u x_v / sqrt((1 + d_u)(1 + d_v)):
    FoSR of Karhadkar et al. (2023), https://arxiv.org/abs/2210.11790; the eigenvector is exact here.
    """
    near = torch.zeros(num_nodes, num_nodes, dtype=torch.double)
    near[edge_index[0], edge_index[1]] = 1.0
    free, pairs = absent(edge_index, num_nodes), []
    for _ in range(min(count, int(free.sum()))):
        degree = near.sum(1)
        scale = degree.clamp(min=1).rsqrt()
        x = torch.linalg.eigh(scale[:, None] * near * scale).eigenvectors[:, -2] * (1 + degree).rsqrt()
        u, v = divmod(int(torch.outer(x, x).masked_fill(~free, torch.inf).argmin()), num_nodes)
        near[u, v] = near[v, u] = 1.0
        free[u, v] = False
        pairs.append((u, v))
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T


def aims(edge_index: Tensor, num_nodes: int, added: Mapping[str, Tensor]) -> Iterator[tuple[float, float, float]]:
    """How far each way to add edges reaches the three `AIMS`."""
    before, far = circuit(edge_index, num_nodes).total(), distances(edge_index, num_nodes)
    most, free = far[far.isfinite()].max(), absent(edge_index, num_nodes).sum()
    for pairs in added.values():
        left = circuit(with_pairs(edge_index, pairs), num_nodes).total() / before
        yield left, float(far[tuple(pairs)].mean() / most), float(pairs.shape[1] / free)


def growing(
    edge_index: Tensor, num_nodes: int, added: Mapping[str, Tensor], steps: range
) -> Iterator[dict[str, Value]]:
    """The shared view of rewirings after so many added edges, all arms in step."""
    views = [one_by_one(arm, edge_index, num_nodes, pairs) for arm, pairs in added.items()]
    for step, each in enumerate(zip(*views)):
        if step in steps:
            yield {name: value for view in each for name, value in view.items()}


class Rewired(nn.Module):
    """A system of DISTANCE or GRAPHS that sees each graph with the edges that `edit(edge_index, num_nodes)` gives.

    Each wiring is edited once, when it is first met.
    """

    def __init__(self, system: nn.Module, edit: Callable[[Tensor, int], Tensor]) -> None:
        super().__init__()
        self.system, self.edit = system, edit
        self.known: dict[Wiring, Wiring] = {}
        self.lr = getattr(system, "lr", 0.005)

    def forward(self, batch: Batch) -> Tensor:
        if batch.wiring not in self.known:
            self.known[batch.wiring] = batch.wiring.rewired(self.edit)
        return self.system(batch.on(self.known[batch.wiring]))
