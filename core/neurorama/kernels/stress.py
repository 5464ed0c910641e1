r"""Stress: how far a placement of nodes is from their ideal distances, and steps that lower it.

$$\sigma(x) = \sum_{i<j} w_{ij} \big(|x_i - x_j| - d_{ij}\big)^2, \qquad
x_i \leftarrow \underbrace{\frac{\sum_j w_{ij}\, x_j}{\sum_j w_{ij}}}_{\text{attraction}}
+ \underbrace{\frac{\sum_j w_{ij}\, d_{ij}\, (x_i - x_j) / |x_i - x_j|}{\sum_j w_{ij}}}_{\text{repulsion}}$$

The local step on the right lets each node minimise a bound of its stress while the others stay: one round of messages
(Gansner, Koren and North, 2005), which Li and Cheng (2022), https://arxiv.org/abs/2211.10579, read as a layer of a
graph network; without repulsion it is plain averaging. All nodes at once may overshoot; `majorised` takes them
together and never raises the stress.

Pairs are edges in both directions, (sender j, receiver i): all of them, the graph's own, or those with some pivots.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .hops import distances
from .segment import segment_sum


def all_pairs(distance: Float[Tensor, "n n"]) -> tuple[Int[Tensor, "2 p"], Float[Tensor, " p"], Float[Tensor, " p"]]:
    """(pairs, ideal, weight) of full stress: all pairs a finite distance d above zero apart, ideal d, weight 1/d^2.

    Args:
        distance: on the graph, as from `hops.distances`; infinite between components, which then ignore each other.
    """
    pairs = (distance.isfinite() & (distance > 0)).nonzero().T
    ideal = distance[pairs[0], pairs[1]]
    return pairs, ideal, ideal**-2


def pivot_pairs(
    edge_index: Int[Tensor, "2 m"], num_nodes: int, count: int
) -> tuple[Int[Tensor, "2 p"], Float[Tensor, " p"], Float[Tensor, " p"]]:
    """(pairs, ideal, weight) of sparse stress: all edges, and from each pivot one to all nodes that are farther away.

    The first pivot is a node of most neighbours, each next one as far as can be from all before (in a component without
    any, if there is one). O(count (n + m)) up to a logarithm; p is at most m + `count` n.

    Args:
        edge_index: long, each edge in both directions, without self-loops.
        num_nodes: n.
        count: of pivots; 0 leaves the edges.
    """
    far = torch.zeros(0, num_nodes)
    pivots: list[int] = []
    for _ in range(min(count, num_nodes)):
        pivots.append(int(far.amin(0).argmax() if pivots else edge_index[0].bincount(minlength=num_nodes).argmax()))
        far = torch.cat([far, distances(edge_index, num_nodes, edge_index.new_tensor(pivots[-1:]))])
    which, node = (far.isfinite() & (far > 1)).nonzero().T
    pairs = torch.cat([edge_index, torch.stack([edge_index.new_tensor(pivots)[which], node])], dim=1)
    ideal = torch.cat([torch.ones(edge_index.shape[1]), far[which, node]])
    return pairs, ideal, ideal**-2


def stress(
    x: Float[Tensor, "n d"], pairs: Int[Tensor, "2 p"], ideal: Float[Tensor, " p"], weight: Float[Tensor, " p"]
) -> Float[Tensor, ""]:
    """Of a placement x, each pair counted once though it comes in both directions."""
    j, i = pairs
    return (weight * ((x[i] - x[j]).norm(dim=1) - ideal).square()).sum() / 2


def forces(
    x: Float[Tensor, "n d"], pairs: Int[Tensor, "2 p"], ideal: Float[Tensor, " p"], weight: Float[Tensor, " p"]
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """(attraction, repulsion), whose sum is where the local step takes each node; O(p d).

    A node without pairs is attracted to itself. Nodes in the same place do not repel each other: no direction is given.

    Args:
        x: now.
        ideal, weight: of each pair; weights are above zero.
    """
    j, i = pairs
    total = segment_sum(weight[:, None], i, len(x))
    alone = total == 0
    share = weight[:, None] / total[i]
    apart = x[i] - x[j]
    length = apart.norm(dim=1, keepdim=True)
    direction = apart / length.where(length > 0, 1.0)
    attraction = segment_sum(share * x[j], i, len(x)) + alone * x
    return attraction, segment_sum(share * ideal[:, None] * direction, i, len(x))


def majorised(
    x: Float[Tensor, "n d"], pairs: Int[Tensor, "2 p"], ideal: Float[Tensor, " p"], weight: Float[Tensor, " p"]
) -> Float[Tensor, "n d"]:
    """All nodes where a bound of the stress, tight at x, is lowest (SMACOF, de Leeuw 1977): stress never rises. O(n^3).

    Centred on the origin, for each component of the pairs.
    """
    j, i = pairs
    n = len(x)
    length = (x[i] - x[j]).norm(dim=1)
    pull = torch.where(length > 0, weight * ideal / length.where(length > 0, 1.0), 0.0)
    v, b = (_laplacian(pairs, entries, n) for entries in (weight, pull))
    return torch.linalg.pinv(v, hermitian=True) @ (b @ x)


def _laplacian(pairs: Tensor, entries: Tensor, n: int) -> Tensor:
    near = entries.new_zeros(n, n).index_put((pairs[1], pairs[0]), entries, accumulate=True)
    return torch.diag(near.sum(1)) - near
