"""What memories of nodes in a stream of events need: the newest event of each node, and running moments."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


def newest(
    src: Int[Tensor, "events"], dst: Int[Tensor, "events"], num_nodes: int
) -> tuple[Int[Tensor, "touched"], Int[Tensor, "touched"], Int[Tensor, "touched"]]:
    """Of each node in a batch its last event, which is all that a memory with the "last" aggregator sees of the batch.

    Args:
        src, dst: (m,) the two ends of each event, oldest first.
        num_nodes: n.

    Returns:
        node: (k,) the touched nodes, ascending.
        other: (k,) who was at the other end.
        event: (k,) the number of that event in the batch.
    """
    m = src.numel()
    ends, others, order = torch.cat([src, dst]), torch.cat([dst, src]), torch.arange(m).repeat(2)
    event = torch.full((num_nodes,), -1).scatter_reduce(0, ends, order, "amax")
    last = order == event[ends]
    other = torch.empty(num_nodes, dtype=torch.long)
    other[ends[last]] = others[last]
    node = (event >= 0).nonzero()[:, 0]
    return node, other[node], event[node]


@dataclass
class Moments:
    """Count, sum and sum of squares of vectors, one set for each node: a Gaussian with diagonal covariance, online."""

    count: Float[Tensor, "n 1"]
    total: Float[Tensor, "n d"]
    squares: Float[Tensor, "n d"]

    @classmethod
    def empty(cls, num_nodes: int, width: int) -> Moments:
        return cls(torch.zeros(num_nodes, 1), torch.zeros(num_nodes, width), torch.zeros(num_nodes, width))

    def add(self, node: Int[Tensor, "k"], value: Float[Tensor, "k d"]) -> None:
        """Counts one more `value` (k, d) for each of `node` (k,); a node may come several times."""
        self.count.index_add_(0, node, torch.ones(len(node), 1))
        self.total.index_add_(0, node, value)
        self.squares.index_add_(0, node, value.square())

    def mean(self, node: Int[Tensor, "k"]) -> Float[Tensor, "k d"]:
        """(k, d); zero where nothing was counted."""
        return self.total[node] / self.count[node].clamp(min=1)

    def variance(self, node: Int[Tensor, "k"]) -> Float[Tensor, "k d"]:
        """(k, d), of the values themselves (divided by the count, not one less); never negative."""
        return (self.squares[node] / self.count[node].clamp(min=1) - self.mean(node).square()).clamp(min=0)
