"""Balanced parts of a graph with few edges between them, by METIS, and patches: parts that overlap.

Karypis and Kumar (1998) coarsen, cut and refine; pymetis runs their library. Graph ViT/MLP-Mixer (He et al., 2023,
https://arxiv.org/abs/2212.13350) widens each part by some hops, so that no edge is lost between patches.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from torch import Generator, Tensor


def partition(
    edge_index: Int[Tensor, "2 m"],
    num_nodes: int,
    parts: int,
    batch: Int[Tensor, " n"] | None = None,
    generator: Generator | None = None,
) -> Int[Tensor, " n"]:
    """The part of each node, 0 to `parts` - 1, of about equal size and with few edges between them; time O(n + m).

    A graph of fewer nodes than parts has one node in each part, and empty parts; so may have a very small one.

    Args:
        edge_index: long; directions, doubles and self-loops do not matter.
        num_nodes: n.
        parts: how many, at least 1.
        batch: the graph of each node, ascending; each is cut on its own, and graph g has the parts from g * `parts` on.
        generator: of METIS's seed; another seed, another partition of like quality.

    Raises:
        ValueError: no parts, or an edge between two graphs of the batch.
    """
    import pymetis

    if parts < 1:
        raise ValueError(f"a graph cannot be cut into {parts} parts")
    near = _undirected(edge_index, num_nodes)
    batch = torch.zeros(num_nodes, dtype=torch.long) if batch is None else batch
    if bool((batch[edge_index[0]] != batch[edge_index[1]]).any()):
        raise ValueError("an edge lies between two graphs of the batch")
    options = pymetis.Options(seed=int(torch.randint(2**31 - 1, (), generator=generator)))
    label = torch.empty(num_nodes, dtype=torch.long)
    starts = [0, *batch.bincount().cumsum(0).tolist()]
    for graph, (a, b) in enumerate(pairwise(starts)):
        first = near.indptr[a]
        if parts == 1 or b - a <= parts:
            own = torch.arange(b - a) % parts
        else:
            crow, col = near.indptr[a : b + 1] - first, near.indices[first : near.indptr[b]] - a
            _, found = pymetis.part_graph(parts, pymetis.CSRAdjacency(crow, col), options=options)
            own = torch.tensor(found)
        label[a:b] = graph * parts + own
    return label


@dataclass(frozen=True, eq=False)
class Patches:
    """Overlapping parts of a graph, side by side as one graph.

    Args:
        node: (s,) the number of each of its nodes in the whole graph.
        patch: (s,) the patch of each, ascending.
        edge_index: (2, e) the edges inside patches, as places in `node`.
        edge: (e,) which column of the whole graph's `edge_index` each is.
        count: of patches, empty ones included.
    """

    node: Int[Tensor, " s"]
    patch: Int[Tensor, " s"]
    edge_index: Int[Tensor, "2 e"]
    edge: Int[Tensor, " e"]
    count: int

    def shared(self) -> Float[Tensor, "count count"]:
        """How many nodes two patches have in common; their sizes on the diagonal: the coarsened graph."""
        member = csr_array(
            (np.ones(len(self.node)), (self.patch.numpy(), self.node.numpy())),
            shape=(self.count, int(self.node.max()) + 1 if len(self.node) else 1),
        )
        return torch.from_numpy((member @ member.T).toarray()).float()


def patches(
    edge_index: Int[Tensor, "2 m"], num_nodes: int, part: Int[Tensor, " n"], count: int, hops: int = 1
) -> Patches:
    """The parts, each with all nodes within `hops` edges of it, and every edge between two nodes of a patch.

    From one hop on each edge is inside some patch. Several graphs side by side are one graph.

    Args:
        edge_index: long; its directions are kept, but do not matter for who is near.
        num_nodes: n.
        part: of each node, 0 to `count` - 1, as from `partition`.
        count: how many patches, for all graphs together.
        hops: 0 leaves the parts as they are.
    """
    near = _undirected(edge_index, num_nodes)
    member = csr_array((np.ones(num_nodes), (part.numpy(), np.arange(num_nodes))), shape=(count, num_nodes))
    for _ in range(hops):
        member = csr_array(member + member @ near)
        member.data[:] = 1.0
    member.sort_indices()
    patch, node = np.repeat(np.arange(count), np.diff(member.indptr)), member.indices.astype(np.int64)
    # each edge, once for each patch of its sender, is kept where its receiver is in that patch too
    src, dst = edge_index.numpy()
    order = np.argsort(src, kind="stable")
    starts = np.searchsorted(src[order], np.arange(num_nodes + 1))
    copies = (starts[1:] - starts[:-1])[node]
    sender = np.repeat(np.arange(len(node)), copies)
    rank = np.arange(len(sender)) - np.repeat(copies.cumsum() - copies, copies)
    edge = order[starts[node][sender] + rank]
    keys, wanted = patch * num_nodes + node, patch[sender] * num_nodes + dst[edge]
    receiver = np.searchsorted(keys, wanted).clip(max=max(len(keys) - 1, 0))
    inside = keys[receiver] == wanted
    local = np.stack([sender[inside], receiver[inside]])
    node, patch, local, edge = (torch.from_numpy(array) for array in (node, patch, local, edge[inside]))
    return Patches(node, patch, local, edge, count)


def _undirected(edge_index: Tensor, num_nodes: int) -> csr_array:
    """(n, n) one where two nodes share an edge, without self-loops."""
    src, dst = edge_index[:, edge_index[0] != edge_index[1]].numpy()
    ends = np.concatenate([src, dst]), np.concatenate([dst, src])
    near = csr_array((np.ones(len(ends[0])), ends), shape=(num_nodes, num_nodes))
    near.data[:] = 1.0
    return near
