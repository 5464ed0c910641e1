r"""Effective resistance: the graph as an electrical network in which each edge conducts by its weight.

$$R_{uv} = (e_u - e_v)^\top L^+ (e_u - e_v), \qquad R_{tot} = \sum_{u<v} R_{uv} = n\,\mathrm{tr}\,L^+$$

An edge $uv$ of weight $w$, added within a component, changes $L$ by rank one, so that with $k = L^+(e_u - e_v)$

$$L'^+ = L^+ - \frac{k k^\top}{1/w + R_{uv}}, \qquad
R_{tot} - R'_{tot} = n\,\frac{|k|^2}{1/w + R_{uv}}.$$

Black et al. (2023), https://arxiv.org/abs/2302.06835, who add edges greedily by that drop (GTR). In a graph of
several components each is a network of its own: no current flows between them, and the resistance is infinite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg
from torch import Generator, Tensor


@dataclass(frozen=True, eq=False)
class Circuit:
    """All that is to be known of a small network; memory n^2.

    Args:
        pinv: (n, n) double, the pseudo-inverse of the Laplacian.
        component: (n,) the component of each node.
    """

    pinv: Float[Tensor, "n n"]
    component: Int[Tensor, " n"]

    @property
    def together(self) -> Bool[Tensor, "n n"]:
        """Which pairs lie in one component."""
        return self.component[:, None] == self.component

    def potential(self, u: int, v: int) -> Float[Tensor, " n"]:
        """Of each node, when a unit of current enters at `u` and leaves at `v`; an edge carries weight times its drop.

        Raises:
            ValueError: no current can flow from `u` to `v`.
        """
        if self.component[u] != self.component[v]:
            raise ValueError(f"nodes {u} and {v} lie in different components: no current flows between them")
        return self.pinv[:, u] - self.pinv[:, v]

    def resistance(self) -> Float[Tensor, "n n"]:
        """Of each pair; infinite between components."""
        return _squared_distances(self.pinv).masked_fill(~self.together, torch.inf)

    def total(self) -> float:
        """The sum of the resistances of all pairs that lie in one component; the others would be infinite."""
        return float((self._size * self.pinv.diagonal()).sum())

    def gains(self) -> Float[Tensor, "n n"]:
        """What `total` loses by one more edge of weight 1 between each pair; O(n^3).

        Zero on the diagonal and between components: those edges would make an infinite resistance finite, which no
        sum shows (the authors' code leaves them out too). A pair that has an edge already gets a second one.
        """
        drop = _squared_distances(self.pinv @ self.pinv) / (1 + _squared_distances(self.pinv))
        return (self._size[:, None] * drop).masked_fill(~self.together, 0.0)

    def with_edge(self, u: int, v: int, weight: float = 1.0) -> Circuit:
        """The network with one more edge, by an update of rank one; O(n^2).

        Between two components the update is Meyer's (1973), for a vector outside the range of the matrix.
        """
        k = self.pinv[:, u] - self.pinv[:, v]
        back = 1 / weight + k[u] - k[v]
        if self.component[u] == self.component[v]:
            return Circuit(self.pinv - torch.outer(k, k) / back, self.component)
        one, other = ((self.component == self.component[end]).to(k) for end in (u, v))
        p = one / one.sum() - other / other.sum()  # the part of e_u - e_v that lies outside the range of L
        p = p / p.square().sum()
        pinv = self.pinv - torch.outer(k, p) - torch.outer(p, k) + back * torch.outer(p, p)
        return Circuit(pinv, self.component.where(other == 0, self.component[u]))

    @property
    def _size(self) -> Tensor:
        """(n,) how many nodes the component of each node has."""
        return self.component.bincount()[self.component].to(self.pinv)


def circuit(edge_index: Int[Tensor, "2 m"], num_nodes: int, weight: Float[Tensor, " m"] | None = None) -> Circuit:
    """The network of an undirected graph, exactly; O(n^3), so for some thousands of nodes.

    Args:
        edge_index: long, each edge in both directions; one that comes twice conducts twice, a self-loop not at all.
        num_nodes: n.
        weight: conductances above zero, the same in both directions, ones by default.

    Raises:
        ValueError: an edge has no counterpart of the same weight, or a weight is not positive.
    """
    matrix = _conductances(edge_index, num_nodes, weight)
    count, component = connected_components(matrix, directed=False)
    member = np.eye(count)[component]
    null = (member / member.sum(0)) @ member.T  # the projection onto what is constant on each component
    inverse = np.linalg.inv(_laplacian(matrix).toarray() + null) - null
    return Circuit(torch.from_numpy((inverse + inverse.T) / 2), torch.from_numpy(component).long())


def sketch(
    edge_index: Int[Tensor, "2 m"],
    num_nodes: int,
    dims: int,
    weight: Float[Tensor, " m"] | None = None,
    generator: Generator | None = None,
) -> Float[Tensor, "n dims"]:
    r"""Points whose squared distances are, on average, the effective resistances, for large graphs.

    Random signs $q$ on the edges, anew for each dimension, give $z = L^+ B^\top W^{1/2} q / \sqrt{dims}$. A resistance
    is off by a factor of about $1 \pm \sqrt{2 / dims}$: Spielman and Srivastava (2008), https://arxiv.org/abs/0803.0929.
    Each dimension is one run of conjugate gradients, so time goes with dims, edges and the root of the condition
    number; memory is O(m + n dims). Distances between components mean nothing.

    Args:
        edge_index, num_nodes, weight: as in `circuit`.
        dims: at least 1.
        generator: of the signs.

    Raises:
        ValueError: as in `circuit`.
        RuntimeError: the solver does not converge.
    """
    matrix = _conductances(edge_index, num_nodes, weight)
    upper = matrix.tocoo()
    once = upper.row < upper.col
    u, v, root = upper.row[once], upper.col[once], np.sqrt(upper.data[once])
    system = _laplacian(matrix)
    degree = system.diagonal()
    scale = diags_array(1 / np.where(degree > 0, degree, 1.0))
    points = torch.empty(num_nodes, dims, dtype=torch.float64)
    for dim in range(dims):
        sign = 2 * torch.randint(2, (len(u),), generator=generator).numpy() - 1
        flow = sign * root
        source = np.bincount(u, flow, num_nodes) - np.bincount(v, flow, num_nodes)
        z, failed = cg(system, source, rtol=1e-6, maxiter=10 * num_nodes, M=scale)
        if failed:
            raise RuntimeError(f"conjugate gradients did not converge in {failed} steps")
        points[:, dim] = torch.from_numpy(z)
    return points / dims**0.5


def _squared_distances(gram: Tensor) -> Tensor:
    """(n, n) between points whose inner products are `gram`; never negative, zero on the diagonal."""
    size = gram.diagonal()
    return (size[:, None] + size - 2 * gram).clamp(min=0).fill_diagonal_(0)


def _laplacian(matrix: csr_array) -> csr_array:
    return csr_array(diags_array(matrix.sum(1)) - matrix)


def _conductances(edge_index: Tensor, num_nodes: int, weight: Tensor | None) -> csr_array:
    """The symmetric (n, n) matrix of weights, without its diagonal."""
    u, v = edge_index[:, edge_index[0] != edge_index[1]].numpy()
    entries = np.ones(edge_index.shape[1]) if weight is None else weight.detach().double().numpy()
    if not (entries > 0).all():
        raise ValueError("a conductance is not above zero")
    entries = entries[(edge_index[0] != edge_index[1]).numpy()]
    matrix = csr_array((entries, (u, v)), shape=(num_nodes, num_nodes))
    if abs(matrix - matrix.T).max() > 1e-6 * entries.max(initial=0):
        raise ValueError("an edge lacks its other direction, or has another weight there")
    return matrix
