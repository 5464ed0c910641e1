"""Sets of nodes against networkx, and the gated layer against PyG's and its sums written out."""

from __future__ import annotations

import networkx as nx
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neurorama.kernels.clustering import affinity_clustering
from neurorama.kernels.partition import Patches
from neurorama.kernels.propagation import adjacency
from neurorama.kernels.tokens import GatedGCN, SetTokens, cluster_sets, walk_sets


def drawn(n: int, seed: int) -> tuple[nx.Graph, Tensor]:
    graph = nx.gnp_random_graph(n, 0.25, seed=seed)
    return graph, torch.tensor(list(graph.to_directed().edges), dtype=torch.long).reshape(-1, 2).T.contiguous()


def induced(sets: Patches, graph: nx.Graph, edges: Tensor) -> list[set[int]]:
    """The sets, after a look at whether they hold all edges between their nodes, each under its right number."""
    assert torch.equal(sets.node[sets.edge_index], edges[:, sets.edge])
    assert torch.equal(sets.patch[sets.edge_index[0]], sets.patch[sets.edge_index[1]])
    found = [set(sets.node[sets.patch == number].tolist()) for number in range(sets.count)]
    held = sets.patch[sets.edge_index[0]].bincount(minlength=sets.count).tolist()
    assert held == [2 * graph.subgraph(some).number_of_edges() for some in found]
    assert sum(map(len, found)) == len(sets.node)
    return found


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 12), st.integers(0, 3), st.integers(0, 10_000))
def test_walks_stay_near_and_all_neighbours_are_met_in_the_end(n: int, length: int, seed: int) -> None:
    graph, edges = drawn(n, seed)
    for walks in (1, 60):
        sets = walk_sets(adjacency(edges, n), walks, length, torch.Generator().manual_seed(seed))
        for v, some in enumerate(induced(sets, graph, edges)):
            near = nx.single_source_shortest_path_length(graph, v, cutoff=length)
            assert v in some <= set(near)
            assert len(some) <= walks * length + 1
            if walks == 60 and length == 1 and len(near) < 6:
                assert some == set(near)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 14), st.integers(0, 10_000))
def test_all_clusters_come_once(n: int, seed: int) -> None:
    graph, edges = drawn(n, seed)
    cost = torch.rand(edges.shape[1], generator=torch.Generator().manual_seed(seed))
    sets, level = cluster_sets(edges, n, cost)
    found = induced(sets, graph, edges)
    levels = affinity_clustering(edges, n, cost).levels.tolist()
    expected = {frozenset(v for v in range(n) if row[v] == c) for row in levels for c in row}
    assert len(found) == len(expected)
    assert {frozenset(some) for some in found} == expected
    assert found[:n] == [{v} for v in range(n)]
    for some, height in zip(found, level.tolist()):
        rows = [
            number for number, row in enumerate(levels) if some in [{v for v in range(n) if row[v] == c} for c in row]
        ]
        assert height == min(rows)


def test_the_gated_layer_is_its_sums_written_out() -> None:
    torch.manual_seed(0)
    _, edges = drawn(7, 3)
    layer, h = GatedGCN(4), torch.randn(7, 4)
    u, v, p, q = (weight @ h.T for weight in layer.maps.weight.chunk(4))
    bu, bv, bp, bq = layer.maps.bias.chunk(4)
    for i in range(7):
        near = edges[0, edges[1] == i].tolist()
        gates = [(p[:, i] + bp + q[:, j] + bq).sigmoid() for j in near]
        heard = sum(g * (v[:, j] + bv) for g, j in zip(gates, near)) / sum(gates) if near else torch.zeros(4)
        torch.testing.assert_close(layer(h, edges)[i], h[i] + (u[:, i] + bu + heard).relu(), atol=1e-5, rtol=1e-4)


def test_a_token_hears_only_its_own_set() -> None:
    torch.manual_seed(0)
    graph, edges = drawn(8, 1)
    tokens, x = SetTokens(4), torch.randn(8, 4)
    sets = walk_sets(adjacency(edges, 8), 2, 2, torch.Generator().manual_seed(0))
    for number, some in enumerate(induced(sets, graph, edges)):
        order = sorted(some)
        inside = torch.tensor([[order.index(u), order.index(v)] for u, v in edges.T.tolist() if {u, v} <= some])
        alone = tokens.inside(x[order], inside.long().reshape(-1, 2).T).mean(0)
        torch.testing.assert_close(tokens(x, sets)[number], alone, atol=1e-5, rtol=1e-4)
