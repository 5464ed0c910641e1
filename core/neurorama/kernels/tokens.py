r"""A graph as a sequence of tokens: which sets of nodes are tokens, and what a token is made of.

Graph Mamba (Behrouz and Hashemi, 2024, https://arxiv.org/abs/2402.08678) takes what random walks from a node meet,
GSM++ (Behrouz et al., 2025, https://arxiv.org/abs/2411.15671) the clusters of a hierarchy. In both the nodes of a set
pass messages along the edges between them, by a layer of GatedGCN (Bresson and Laurent, 2017,
https://arxiv.org/abs/1711.07553), and their mean is the token:

$$h_i' = h_i + \mathrm{ReLU}\Big(U h_i + \frac{\sum_{j \sim i} \eta_{ij} \odot V h_j}{\sum_{j \sim i} \eta_{ij}}\Big),
\qquad \eta_{ij} = \sigma(P h_i + Q h_j)$$
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from .clustering import affinity_clustering
from .lines import in_lines
from .partition import Patches, patches
from .propagation import Adjacency
from .segment import segment_mean, segment_sum
from .walks import uniform_walks


def walk_sets(graph: Adjacency, walks: int, length: int, generator: Generator | None = None) -> Patches:
    """For each node the subgraph induced by all that `walks` random walks of `length` steps from it meet.

    Args:
        graph: undirected, without self-loops and repeated edges.
        walks: M, 1 or more.
        length: 0 and more; 0 gives the node alone.
    """
    n = graph.num_nodes
    start = torch.arange(n).repeat_interleave(walks)
    met = uniform_walks(graph.crow, graph.col, start, length, generator).reshape(n, -1).sort(dim=1).values
    there = torch.cat([torch.ones(n, 1, dtype=torch.bool), met.diff(dim=1) > 0], dim=1)  # each node once
    asked = met[:, :, None] * n + met[:, None, :]
    keys = graph.row * n + graph.col  # ascending
    found = torch.searchsorted(keys, asked).clamp(max=max(len(keys) - 1, 0))
    near = keys[found] == asked if len(keys) else torch.zeros_like(asked, dtype=torch.bool)
    owner, receiver, sender = (near & there[:, :, None] & there[:, None, :]).nonzero().T
    place = (there.flatten().cumsum(0) - 1).unflatten(0, there.shape)
    inside = torch.stack([place[owner, sender], place[owner, receiver]])
    return Patches(met[there], there.nonzero()[:, 0], inside, graph.order[found[owner, receiver, sender]], n)


def cluster_sets(
    edge_index: Int[Tensor, "2 m"], num_nodes: int, cost: Float[Tensor, " m"]
) -> tuple[Patches, Int[Tensor, " t"]]:
    """All clusters of the affinity hierarchy as t sets, the nodes themselves first, and the level of each.

    A cluster that joins nothing in a round does not come again.

    Args:
        edge_index: long, of one graph or of several side by side.
        num_nodes: n.
        cost: of each edge, as in `affinity_clustering`.
    """
    levels = affinity_clustering(edge_index, num_nodes, cost).levels
    height, counts = len(levels), levels.amax(1) + 1
    first = counts.cumsum(0) - counts
    shift = num_nodes * torch.arange(height)[:, None, None]
    every = (edge_index + shift).transpose(0, 1).flatten(1)  # the graph once for each level
    all_levels = (levels + first[:, None]).flatten()
    found = patches(every, height * num_nodes, all_levels, int(counts.sum()), hops=0)
    joins = torch.unique(torch.stack([levels[1:] + first[1:, None], levels[:-1] + first[:-1, None]]).flatten(1), dim=1)
    new = joins[0].bincount(minlength=found.count) > 1
    new[:num_nodes] = True
    name, kept = new.cumsum(0) - 1, new[found.patch]
    place, inside = kept.cumsum(0) - 1, new[found.patch[found.edge_index[0]]]
    level = torch.arange(height).repeat_interleave(counts)[new]
    return Patches(
        found.node[kept] % num_nodes,
        name[found.patch[kept]],
        place[found.edge_index[:, inside]],
        found.edge[inside] % edge_index.shape[1],
        int(new.sum()),
    ), level


class SetsInLine:
    """Sets of nodes of g graphs: each graph's in a line, from the highest level to the lowest.

    Args:
        sets: t of them, none with nodes of two graphs.
        level: of each set.
        batch: the graph of each node.
    """

    def __init__(self, sets: Patches, level: Int[Tensor, " t"], batch: Int[Tensor, " n"]) -> None:
        self.sets, self.level = sets, level
        self.graph = batch.new_empty(sets.count).index_put((sets.patch,), batch[sets.node])
        self.line = in_lines(self.graph, -level)


class GatedGCN(nn.Module):
    """A layer as above. (n, d), edges (2, m) -> (n, d)"""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.maps = nn.Linear(width, 4 * width)

    def forward(self, h: Float[Tensor, "n d"], edge_index: Int[Tensor, "2 m"]) -> Float[Tensor, "n d"]:
        src, dst = edge_index
        u, v, p, q = self.maps(h).chunk(4, dim=1)
        gate = (p[dst] + q[src]).sigmoid()
        heard = segment_sum(gate * v[src], dst, len(h)) / segment_sum(gate, dst, len(h)).clamp(min=1e-6)
        return h + (u + heard).relu()


class SetTokens(nn.Module):
    """A token for each set: GatedGCN inside it, then the mean. (n, d), t sets -> (t, d)"""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inside = GatedGCN(width)

    def forward(self, x: Float[Tensor, "n d"], sets: Patches) -> Float[Tensor, "t d"]:
        return segment_mean(self.inside(x[sets.node], sets.edge_index), sets.patch, sets.count)
