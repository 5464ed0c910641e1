"""Networks that keep added edges apart from those of the graph: a relation, with weights of its own, for each kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from neurorama.kernels.propagation import Adjacency, normalised

from .batches import Batch, Wiring
from .shortcuts import with_pairs

Added = Callable[[Tensor, int], list[Tensor]]  # (edge_index, num_nodes) -> pairs (2, a) of each kind


class Relational(nn.Module):
    r"""A GCN whose added edges are of some kinds, each with weights of its own. Batch -> (n, c)

    $H' = \sigma(\hat A H W_0 + \sum_r \hat A_r H W_r)$, with batch normalisation inside; $\hat A_r$ has no self-loops.

    Args:
        hidden: width with one kind of added edges; with more, layers are narrower, so that weights are about as many.
        added: what to add to a graph, one set of pairs for each of the `kinds`.
    """

    def __init__(self, features: int, hidden: int, classes: int, depth: int, added: Added, kinds: int) -> None:
        super().__init__()
        width = round(hidden * math.sqrt(2 / (1 + kinds)))
        widths = [features, *[width] * (depth - 1), classes]
        self.w = nn.ModuleList(
            nn.ModuleList(nn.Linear(a, b, bias=r == 0) for r in range(1 + kinds)) for a, b in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in widths[1:-1])
        self.added, self.kinds = added, kinds
        self.pieces: dict[tuple[bytes, int], list[Tensor]] = {}
        self.known: dict[Wiring, list[Adjacency]] = {}

    def pairs(self, edges: Tensor, n: int) -> list[Tensor]:
        """What is added to a graph; chosen once, when it is first met."""
        key = edges.numpy().tobytes(), n
        if key not in self.pieces:
            self.pieces[key] = self.added(edges, n)
        return self.pieces[key]

    def near(self, wiring: Wiring) -> list[Adjacency]:
        """The matrices of the edges as given, and of each kind of added ones."""
        if wiring not in self.known:
            each = [(self.pairs(*piece), piece[1]) for piece in wiring.pieces]
            more = [
                Wiring.of([(with_pairs(pairs[kind][:, :0], pairs[kind]), n) for pairs, n in each])
                for kind in range(self.kinds)
            ]
            apart = [normalised(one.edge_index, wiring.num_nodes, self_loops=False) for one in more]
            self.known[wiring] = [wiring.near, *apart]
        return self.known[wiring]

    def forward(self, batch: Batch) -> Tensor:
        h, near = batch.x, self.near(batch.wiring)
        for w, norm in zip(self.w, [*self.norms, None]):
            h = torch.stack([a @ linear(h) for a, linear in zip(near, w)]).sum(0)  # type: ignore[arg-type]
            h = norm(h).relu() if norm else h
        return h
