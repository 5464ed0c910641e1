"""Affinity clustering of a graph: Boruvka's spanning tree read as a hierarchy, and the order of its leaves.

In each round every cluster looks for its cheapest edge to another cluster, and what is joined by such edges becomes one
cluster: at least half of the clusters vanish, so that log2 n rounds do. All the edges together are the minimum
spanning tree, whose merges in the order of their cost would be single linkage. Bateni et al. (2017), Affinity
Clustering: Hierarchical Clustering at Scale, https://research.google/pubs/affinity-clustering-hierarchical-clustering-at-scale/;
GSM++ reads a graph in this order (Behrouz et al., 2025, https://proceedings.mlr.press/v267/behrouz25a.html).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Clusters of clusters of nodes.

    Args:
        levels: (rounds + 1, n) the cluster of each node, from the nodes themselves to the connected components. Each
            level numbers its clusters 0, 1, ..., in the order of their smallest node.
        edges: (2, t) the edges of the spanning tree or forest, the smaller end first.
        rounds: (t,) the round that each was found in, from 1: it joins clusters of `levels[round - 1]`.
        costs: (t,) what each costs.
    """

    levels: Int[Tensor, "level n"]
    edges: Int[Tensor, "2 t"]
    rounds: Int[Tensor, " t"]
    costs: Float[Tensor, " t"]

    @property
    def order(self) -> Int[Tensor, " n"]:
        """The nodes as the leaves of the tree, depth first: at every level a cluster's nodes follow each other."""
        return torch.from_numpy(np.lexsort(self.levels.numpy()))  # the last row is the first key


def affinity_clustering(edge_index: Int[Tensor, "2 m"], num_nodes: int, cost: Float[Tensor, " m"]) -> Hierarchy:
    """The hierarchy of a graph, or of several side by side; O(m log m).

    Args:
        edge_index: long; directions, self-loops and all but the cheapest of parallel edges do not matter.
        num_nodes: n.
        cost: of each edge, finite: for instance the distance of what its ends hold. Of two that cost the same that
            with the smaller node numbers is taken.
    """
    ends, costs = _pairs(edge_index.numpy(), cost.detach().numpy())
    label = np.arange(num_nodes)
    levels, found, rounds = [label], [], []
    while True:
        a, b = label[ends]
        apart = (a != b).nonzero()[0]
        if not len(apart):
            break
        cheapest = np.full(num_nodes, ends.shape[1])
        for side in (a, b):
            np.minimum.at(cheapest, side[apart], apart)  # edges are in the order of their cost
        taken = np.unique(cheapest[cheapest < ends.shape[1]])
        found.append(taken)
        rounds.append(np.full(len(taken), len(levels)))
        label = _joined(label, a[taken], b[taken])
        levels.append(label)
    tree = np.concatenate([*found, np.zeros(0, dtype=int)]).astype(int)
    when = np.concatenate([*rounds, np.zeros(0, dtype=int)]).astype(int)
    return Hierarchy(
        torch.from_numpy(np.stack(levels)),
        torch.from_numpy(ends[:, tree]),
        torch.from_numpy(when),
        torch.from_numpy(costs[tree]),
    )


def _pairs(edge_index: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each undirected edge once, the smaller end first, from the cheapest to the dearest; (2, p) and (p,)."""
    low, high = edge_index.min(0), edge_index.max(0)
    order = np.lexsort((high, low, cost))
    order = order[low[order] != high[order]]
    ends = np.stack([low[order], high[order]])
    _, first = np.unique(ends, axis=1, return_index=True)
    first.sort()
    return ends[:, first], cost[order][first]


def _joined(label: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The clusters of all nodes once a[i] and b[i] are one, numbered by their smallest node."""
    count = label.max() + 1
    bridges = coo_array((np.ones(len(a)), (a, b)), shape=(count, count))
    _, joined = connected_components(bridges, directed=False)
    _, first, inverse = np.unique(joined[label], return_index=True, return_inverse=True)
    return first.argsort().argsort()[inverse]
