"""Colour refinement, the 1-dimensional Weisfeiler-Leman test, on any number of graphs at once.

In each round a node's new colour names its old colour together with the multiset of its neighbours'
colours, until no class splits any more. A colour is a 64-bit number: a multiset is named by the sum of its
members' well-mixed numbers, so that no list is ever sorted. Two nodes that the test tells apart share a
colour by bad luck once in 2^64 pairs: for a million nodes, once in thirty million runs.
"""

import torch
from jaxtyping import Int
from torch import Tensor

_OWN = -0x61C8864680B583EB  # odd and large: a node's own colour counts otherwise than any number of neighbours


def refine(
    edge_index: Int[Tensor, "2 m"],
    num_nodes: int,
    colours: Int[Tensor, " n"] | None = None,
    rounds: int | None = None,
) -> Int[Tensor, " n"]:
    """The colours 0, 1, ... of all nodes, comparable between all graphs that `edge_index` holds.

    Args:
        edge_index: long; a node sees the senders of its incoming edges (undirected: each edge in both directions).
        num_nodes: n, of all graphs together.
        colours: at the start, 0 or more, all equal by default.
        rounds: how many; by default, until the partition is stable.
    """
    sender, receiver = edge_index
    now = torch.zeros(num_nodes, dtype=torch.long) if colours is None else colours
    count = len(now.unique())
    for _ in range(num_nodes if rounds is None else rounds):
        now = _mixed(now)
        now = (now * _OWN).index_add_(0, receiver, now.index_select(0, sender))
        if rounds is None:
            finer = len(now.unique())
            if finer == count:
                break  # no class was split, so none ever will be
            count = finer
    return now.unique(return_inverse=True)[1]


def alike(colours: Int[Tensor, " n"], batch: Int[Tensor, " n"]) -> Int[Tensor, " g"]:
    """For each graph the number of its class; graphs in one class have the same colours equally often.

    Args:
        colours: from `refine`, on all graphs together.
        batch: the graph of each node, 0 to g - 1.
    """
    graphs = int(batch.max()) + 1 if batch.numel() else 0
    names = torch.zeros(graphs, dtype=torch.long).index_add(0, batch, _mixed(colours))
    return names.unique(return_inverse=True)[1]


def _mixed(z: Tensor) -> Tensor:
    """Each 64-bit number scattered, one to one: the finish of SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = z + _OWN
    z = z.bitwise_xor_((z >> 30).bitwise_and_(0x3FFFFFFFF)).mul_(-0x40A7B892E31B1A47)
    z = z.bitwise_xor_((z >> 27).bitwise_and_(0x1FFFFFFFFF)).mul_(-0x6B2FB644ECCEEE15)
    return z.bitwise_xor_((z >> 31).bitwise_and_(0x1FFFFFFFF))
