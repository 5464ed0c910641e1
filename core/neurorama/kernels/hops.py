"""How many edges lie between two nodes: all distances of small graphs, and the shells of large ones.

The k-hop shell of a graph is the set of pairs at a distance of exactly k: what a layer reads that looks k hops far
without looking nearer (Gutteridge et al., 2023; Barbero et al., 2024). Distances follow the edges from sender to
receiver; an undirected graph has each edge in both directions. Several graphs side by side are one graph.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array, eye_array
from scipy.sparse.csgraph import dijkstra
from torch import Tensor


def distances(
    edge_index: Int[Tensor, "2 m"], num_nodes: int, sources: Int[Tensor, " s"] | None = None
) -> Float[Tensor, "s n"]:
    """(s, n) the number of edges on a shortest path from each source to each node, infinite where there is none.

    Args:
        edge_index: long.
        num_nodes: n.
        sources: all nodes by default; time is O(s (n + m)) up to a logarithm, memory O(s n).
    """
    indices = None if sources is None else sources.numpy()
    return torch.from_numpy(dijkstra(_pattern(edge_index, num_nodes), unweighted=True, indices=indices)).float()


def shells(edge_index: Int[Tensor, "2 m"], num_nodes: int, depth: int) -> list[Int[Tensor, "2 pairs"]]:
    """For k = 1, ..., `depth` the pairs (sender, receiver) at a distance of exactly k, by sender, then by receiver.

    Memory goes with the number of pairs, not with n^2; the last shells are empty once no path is that long. A node is
    at distance 0 from itself, so self-loops are in no shell, and an edge that comes twice is one pair.

    Args:
        edge_index: long.
        num_nodes: n.
        depth: 0 or more.
    """
    near = _pattern(edge_index, num_nodes)
    seen = shell = csr_array(eye_array(num_nodes))
    found = []
    for _ in range(depth):
        reached = _ones(csr_array(shell @ near))
        shell = csr_array(reached - reached * seen)
        shell.eliminate_zeros()
        shell.sort_indices()
        seen = seen + shell
        sender = np.repeat(np.arange(num_nodes), np.diff(shell.indptr))
        found.append(torch.from_numpy(np.stack([sender, shell.indices]).astype(np.int64)))
    return found


def _pattern(edge_index: Tensor, num_nodes: int) -> csr_array:
    """(n, n) one where there is an edge from the row's node to the column's."""
    src, dst = edge_index.numpy()
    return _ones(csr_array((np.ones(len(src)), (src, dst)), shape=(num_nodes, num_nodes)))


def _ones(matrix: csr_array) -> csr_array:
    matrix.data[:] = 1.0
    return matrix
