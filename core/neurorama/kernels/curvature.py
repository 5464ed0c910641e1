r"""Balanced Forman curvature: where an edge is a bottleneck (negative) and where its surroundings close up (positive).

$$\mathrm{Ric}(i, j) = \frac{2}{d_i} + \frac{2}{d_j} - 2 + 2\frac{|\#_\Delta|}{\max(d_i, d_j)}
+ \frac{|\#_\Delta|}{\min(d_i, d_j)} + \frac{|\#_\square^i| + |\#_\square^j|}{\gamma_{max}\,\max(d_i, d_j)},$$

and 0 where an end has no other neighbour. $\#_\Delta$ are the common neighbours; $\#_\square^i$ those neighbours k of
i, not of j, that lie on a four-cycle k, i, j, w without a diagonal; $\gamma_{max}$ is how many such cycles pass at
most through one k or one w. Topping et al. (2022), https://arxiv.org/abs/2111.14522; this is the paper's definition,
and the code published with it counts four-cycles otherwise.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from torch import Tensor


def balanced_forman(edge_index: Int[Tensor, "2 m"], num_nodes: int) -> Float[Tensor, " m"]:
    """The curvature of each column of `edge_index`, above -2, in double precision.

    Time and memory are O(m d^2) for degrees about d: no (n, n) matrix is made.

    Args:
        edge_index: long; the graph is taken as undirected and simple, each edge once or in both directions.
        num_nodes: n.

    Raises:
        ValueError: a self-loop, which has no curvature.
    """
    i, j = edge_index.numpy()
    if (i == j).any():
        raise ValueError(f"node {i[i == j][0]} has a self-loop, which has no curvature")
    ends = np.concatenate([i, j]), np.concatenate([j, i])
    near = csr_array((np.ones(len(ends[0])), ends), shape=(num_nodes, num_nodes))
    near.data[:] = 1.0  # an edge that came twice is one
    degree = near.sum(1)
    most, least = np.maximum(degree[i], degree[j]), np.minimum(degree[i], degree[j])
    common = near[i] * near[j]  # (m, n): who closes a triangle over each edge
    triangles = common.sum(1)
    here, there = near[i] - common - _one_hot(j, num_nodes), near[j] - common - _one_hot(i, num_nodes)
    over_k, over_w = here * (there @ near), there * (here @ near)  # (m, n): the cycles through each k, each w
    squares = (over_k > 0).sum(1) + (over_w > 0).sum(1)
    gamma = np.maximum(over_k.max(axis=1).toarray(), 1.0)  # the pairs (k, w) are the same, but not their maxima
    gamma = np.maximum(gamma, over_w.max(axis=1).toarray())
    curvature = 2 / degree[i] + 2 / degree[j] - 2 + triangles * (2 / most + 1 / least) + squares / (gamma * most)
    return torch.from_numpy(np.where(least > 1, curvature, 0.0))


def _one_hot(index: np.ndarray, width: int) -> csr_array:
    return csr_array((np.ones(len(index)), (np.arange(len(index)), index)), shape=(len(index), width))
