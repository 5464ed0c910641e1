"""All pairs of nodes of the same graph, for many graphs of a batch at once, without padding."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .lines import in_lines
from .random_walk_pe import relative_walks


def pair_walks(
    edge_index: Int[Tensor, "2 m"], batch: Int[Tensor, " n"], length: int
) -> tuple[Int[Tensor, " p"], Int[Tensor, " p"], Float[Tensor, "p {length}"]]:
    """(a, b, walks) for each ordered pair of nodes of the same graph, a node with itself among them, in the order of a
    where `batch` ascends: the chances that a walk from a is at b after 0, ..., `length` - 1 steps.

    Time O(g L^3 length), memory O(g L^2 length) for g graphs of at most L nodes.

    Args:
        edge_index: long, within graphs.
        batch: the graph of each node, 0 to g - 1.
    """
    lines = in_lines(batch)
    node = torch.empty(lines.mask.numel(), dtype=torch.long).index_copy(0, lines.place, torch.arange(len(batch)))
    graph, row, col = (lines.mask[:, :, None] & lines.mask[:, None, :]).nonzero().T
    longest = lines.mask.shape[1]
    walks = relative_walks(lines.adjacency(edge_index), length)[graph, row, col]
    return node[graph * longest + row], node[graph * longest + col], walks
