"""Many small graphs as one, block by block, so that one product with a sparse matrix serves them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from neurorama.kernels.propagation import Adjacency, adjacency, normalised

Piece = tuple[Tensor, int]  # one graph: (edge_index (2, m) long, number of nodes)


@dataclass(frozen=True, eq=False)
class Wiring:
    """The edges of a block-diagonal graph; batches of the same graphs share it, and what is worked out from it.

    Args:
        edge_index: (2, m) long, each edge in both directions, none of them from one graph to another.
        batch: (n,) long, ascending: which graph each node belongs to.
        num_graphs: g.
    """

    edge_index: Tensor
    batch: Tensor
    num_graphs: int

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> Wiring:
        """The graphs one after the other."""
        sizes = torch.tensor([n for _, n in pieces])
        starts = sizes.cumsum(0) - sizes
        edges = torch.cat([edges + start for (edges, _), start in zip(pieces, starts)], dim=1)
        return cls(edges, torch.arange(len(pieces)).repeat_interleave(sizes), len(pieces))

    @property
    def num_nodes(self) -> int:
        return len(self.batch)

    @cached_property
    def sizes(self) -> Tensor:
        """(g,) the number of nodes of each graph."""
        return self.batch.bincount(minlength=self.num_graphs)

    @cached_property
    def starts(self) -> Tensor:
        """(g,) the first node of each graph."""
        return self.sizes.cumsum(0) - self.sizes

    @cached_property
    def near(self) -> Adjacency:
        """D^-1/2 (A + I) D^-1/2, with self-loops in D."""
        return normalised(self.edge_index, self.num_nodes)

    @cached_property
    def sums(self) -> Adjacency:
        """A: `sums @ h` adds up the neighbours."""
        return adjacency(self.edge_index, self.num_nodes)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The graphs one by one, each with its nodes numbered from 0."""
        owner = self.batch[self.edge_index[0]]
        order = owner.argsort(stable=True)
        counts = owner.bincount(minlength=self.num_graphs).tolist()
        parts = (self.edge_index - self.starts[owner])[:, order].split(counts, dim=1)
        return tuple(zip(parts, self.sizes.tolist()))

    def rewired(self, edit: Callable[[Tensor, int], Tensor]) -> Wiring:
        """Each graph with the edges that `edit(edge_index, num_nodes)` gives, (2, m'); equal graphs are done once."""
        known: dict[tuple[bytes, int], Tensor] = {}
        pieces = []
        for edges, n in self.pieces:
            key = edges.numpy().tobytes(), n
            if key not in known:
                known[key] = edit(edges, n)
            pieces.append((known[key], n))
        return Wiring.of(pieces)


@dataclass(frozen=True, eq=False)
class Batch:
    """Graphs with features and something to predict for each.

    Args:
        wiring: their edges.
        x: (n, d) float features of all nodes.
        y: (g,) long classes, or float quantities.
        source, target: (g,) long nodes, in DISTANCE only: where the answer stands, and where it is asked for.
    """

    wiring: Wiring
    x: Tensor
    y: Tensor
    source: Tensor | None = None
    target: Tensor | None = None

    @property
    def edge_index(self) -> Tensor:
        """(2, m) long, each edge in both directions."""
        return self.wiring.edge_index

    @property
    def batch(self) -> Tensor:
        """(n,) long, ascending: which graph each node belongs to."""
        return self.wiring.batch

    @property
    def num_graphs(self) -> int:
        return self.wiring.num_graphs

    @property
    def near(self) -> Adjacency:
        """D^-1/2 (A + I) D^-1/2, with self-loops in D."""
        return self.wiring.near

    @property
    def sums(self) -> Adjacency:
        """A: `sums @ h` adds up the neighbours."""
        return self.wiring.sums

    def on(self, wiring: Wiring) -> Batch:
        """The same nodes on other edges."""
        return replace(self, wiring=wiring)

    def copies(self, graph: int, count: int) -> Batch:
        """One of the graphs, `count` times."""
        first, size = int(self.wiring.starts[graph]), int(self.wiring.sizes[graph])
        starts = torch.arange(count) * size

        def moved(node: Tensor | None) -> Tensor | None:
            return None if node is None else node[graph] - first + starts

        return Batch(
            Wiring.of([self.wiring.pieces[graph]] * count),
            self.x[first : first + size].repeat(count, 1),
            self.y[graph].repeat(count),
            moved(self.source),
            moved(self.target),
        )
