"""Neighbour sampling over a graph in CSR form, whole frontiers at once (Hamilton et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor


def neighbours(
    crow: Int[Tensor, " n1"], col: Int[Tensor, " m"], nodes: Int[Tensor, " b"], fanout: int, replace: bool = False
) -> tuple[Int[Tensor, " s"], Int[Tensor, " s"]]:
    """(place, sampled): neighbours `sampled` (s,) of `nodes[place]` (s,), drawn uniformly.

    Args:
        crow, col: row i of the CSR pattern holds the neighbours of node i, at `col[crow[i]:crow[i + 1]]`.
        nodes: whose neighbours to draw.
        fanout: how many for each; -1 takes all.
        replace: draw each one anew; otherwise they differ, and a node with fewer than `fanout` gives all it has.
    """
    degree = crow[nodes + 1] - crow[nodes]
    if replace and fanout >= 0:
        place = torch.arange(len(nodes)).repeat_interleave((degree > 0) * fanout)
        offset = (torch.rand(len(place), dtype=torch.double) * degree[place]).long()
        return place, col[crow[nodes][place] + offset]
    place = torch.arange(len(nodes)).repeat_interleave(degree)
    rank = torch.arange(len(place)) - (degree.cumsum(0) - degree)[place]
    entry = crow[nodes][place] + rank
    if fanout >= 0:
        # a random order within each node, as one sort: the whole part of the key is the node's place
        order = torch.argsort(place + torch.rand(len(place), dtype=torch.double))
        keep = order[rank < fanout]
        place, entry = place[keep], entry[keep]
    return place, col[entry]


@dataclass(frozen=True, eq=False)
class Sample:
    """The sampled surroundings of some seeds.

    Args:
        nodes: (s,) node numbers in the whole graph, each once, the seeds first, then hop by hop.
        edge_index: (2, e) sender and receiver, as places in `nodes`.
        seeds: how many of `nodes` are seeds.
    """

    nodes: Tensor
    edge_index: Tensor
    seeds: int


def surroundings(
    crow: Int[Tensor, " n1"], col: Int[Tensor, " m"], seeds: Int[Tensor, " b"], fanouts: Sequence[int]
) -> Sample:
    """Draws `fanouts[0]` neighbours of each seed, `fanouts[1]` of each node newly met, and so on, without replacement.

    Raises:
        ValueError: a seed is there twice.
    """
    if len(seeds.unique()) != len(seeds):
        raise ValueError("a seed is there twice")
    place_of = torch.full((len(crow) - 1,), -1)
    place_of[seeds] = torch.arange(len(seeds))
    nodes, frontier, start, edges = seeds, seeds, 0, []
    for fanout in fanouts:
        receiver, sender = neighbours(crow, col, frontier, fanout)
        fresh = sender[place_of[sender] < 0].unique()
        place_of[fresh] = torch.arange(len(nodes), len(nodes) + len(fresh))
        edges.append(torch.stack([place_of[sender], start + receiver]))
        start, frontier, nodes = len(nodes), fresh, torch.cat([nodes, fresh])
    return Sample(nodes, torch.cat(edges, dim=1), len(seeds))
