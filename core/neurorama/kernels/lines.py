"""A batch of graphs as sequences: each graph's nodes in a line, padded to the longest, for what reads dense batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Lines:
    """The nodes of g graphs in g lines of L places.

    Args:
        place: (n,) where each node stands in the lines laid end to end.
        mask: (g, L) which places are taken, from the left.
    """

    place: Int[Tensor, " n"]
    mask: Bool[Tensor, "g L"]

    def line_up(self, x: Shaped[Tensor, "n d"]) -> Shaped[Tensor, "g L d"]:
        """The rows of the nodes in line; 0 where nobody stands."""
        flat = x.new_zeros(self.mask.numel(), x.shape[1]).index_copy(0, self.place, x)
        return flat.unflatten(0, self.mask.shape)

    def disperse(self, lines: Shaped[Tensor, "g L d"]) -> Shaped[Tensor, "n d"]:
        """Back to a row for each node."""
        return lines.flatten(0, 1)[self.place]

    def adjacency(
        self, edge_index: Int[Tensor, "2 m"], weight: Float[Tensor, " m"] | None = None
    ) -> Float[Tensor, "g L L"]:
        """At (graph, sender, receiver) the weight of that edge, 1 by default; an edge that comes twice counts twice.

        Args:
            edge_index: long, between nodes of the same graph.
        """
        longest = self.mask.shape[1]
        src, dst = self.place[edge_index]
        entries = torch.ones(len(src), device=src.device) if weight is None else weight
        flat = entries.new_zeros(self.mask.numel() * longest).index_add(
            0, src * longest + dst % max(longest, 1), entries
        )
        return flat.reshape(*self.mask.shape, longest)


def in_lines(batch: Int[Tensor, " n"], score: Shaped[Tensor, " n"] | None = None) -> Lines:
    """Each graph's nodes in ascending order of `score`, and where they tie in the order of their numbers.

    Args:
        batch: the graph of each node, 0 to g - 1, in any order.
        score: for instance the degree; by default all tie.
    """
    order = torch.arange(len(batch), device=batch.device) if score is None else torch.argsort(score, stable=True)
    order = order[torch.argsort(batch[order], stable=True)]
    count = torch.bincount(batch)
    longest = int(count.max()) if len(count) else 0
    rank = torch.arange(len(batch), device=batch.device) - (count.cumsum(0) - count)[batch[order]]
    place = torch.empty_like(batch)
    place[order] = batch[order] * longest + rank
    return Lines(place, torch.arange(longest, device=batch.device) < count[:, None])
