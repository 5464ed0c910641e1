"""Affinity clustering against networkx's spanning trees, scipy's single linkage, and its definition round by round."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from torch import Generator, Tensor

from neurorama.kernels.clustering import Hierarchy, affinity_clustering


def graph(n: int, seed: int, ties: bool = False) -> tuple[Tensor, Tensor]:
    """Directed edges with costs, some in both directions at different costs, some self-loops."""
    draw = Generator().manual_seed(seed)
    edge_index = (torch.rand(n, n, generator=draw) < 0.3).nonzero().T.contiguous()
    cost = torch.rand(edge_index.shape[1], dtype=torch.float64, generator=draw)
    return edge_index, (4 * cost).round() if ties else cost


def as_networkx(edge_index: Tensor, cost: Tensor, n: int) -> nx.Graph:
    g = nx.Graph()
    g.add_nodes_from(range(n))
    for (u, v), w in zip(edge_index.T.tolist(), cost.tolist()):
        if u != v and w < g.get_edge_data(u, v, {"weight": np.inf})["weight"]:
            g.add_edge(u, v, weight=w)
    return g


@settings(deadline=None)
@given(st.integers(1, 14), st.integers(0, 10_000))
def test_edges_are_the_minimum_spanning_forest(n: int, seed: int) -> None:
    edge_index, cost = graph(n, seed)
    found = affinity_clustering(edge_index, n, cost)
    expected = nx.minimum_spanning_tree(as_networkx(edge_index, cost, n), algorithm="boruvka")
    ours = {(u, v, w) for (u, v), w in zip(found.edges.T.tolist(), found.costs.tolist())}
    assert ours == {(min(u, v), max(u, v), w) for u, v, w in expected.edges(data="weight")}


@settings(deadline=None)
@given(st.integers(1, 14), st.integers(0, 10_000))
def test_equal_costs_make_no_cycle_and_the_forest_is_still_minimal(n: int, seed: int) -> None:
    edge_index, cost = graph(n, seed, ties=True)
    found = affinity_clustering(edge_index, n, cost)
    g = as_networkx(edge_index, cost, n)
    forest = nx.Graph(found.edges.T.tolist())
    forest.add_nodes_from(range(n))
    assert nx.is_forest(forest)
    assert found.edges.shape[1] == n - nx.number_connected_components(g)
    assert float(found.costs.sum()) == nx.minimum_spanning_tree(g).size(weight="weight")


@settings(deadline=None)
@given(st.integers(1, 14), st.integers(0, 10_000))
def test_each_round_joins_every_cluster_to_its_nearest(n: int, seed: int) -> None:
    edge_index, cost = graph(n, seed)
    found = affinity_clustering(edge_index, n, cost)
    assert found.levels[0].tolist() == list(range(n))
    for before, after in zip(found.levels.tolist(), found.levels[1:].tolist()):
        merged = nx.Graph()
        merged.add_nodes_from(before)
        for c in set(before):
            leaving = [
                (w, before[u], before[v])
                for (u, v), w in zip(edge_index.T.tolist(), cost.tolist())
                if (before[u] == c) != (before[v] == c)
            ]
            if leaving:
                merged.add_edge(*min(leaving)[1:])
        expected = {frozenset(v for v in range(n) if before[v] in part) for part in nx.connected_components(merged)}
        assert expected == {frozenset(v for v in range(n) if after[v] == c) for c in set(after)}
        firsts = [after.index(c) for c in range(max(after) + 1)]
        assert firsts == sorted(firsts)
    last = found.levels[-1]
    components = list(nx.connected_components(as_networkx(edge_index, cost, n)))
    assert len(last.unique()) == len(components)
    assert all(len(last[list(part)].unique()) == 1 for part in components)


@settings(deadline=None)
@given(st.integers(2, 12), st.integers(0, 10_000))
def test_merges_by_cost_are_single_linkage(n: int, seed: int) -> None:
    points = torch.randn(n, 2, dtype=torch.float64, generator=Generator().manual_seed(seed))
    distance = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(0)
    edge_index = torch.ones(n, n).triu(1).nonzero().T.contiguous()
    found = affinity_clustering(edge_index, n, distance[tuple(edge_index)])
    theirs = linkage(squareform(distance.numpy(), checks=False), "single")
    np.testing.assert_allclose(found.costs.sort().values, theirs[:, 2])
    cut = float(theirs[(n - 1) // 2, 2])  # the forest of the edges up to a height are scipy's clusters at that height
    forest = nx.Graph(found.edges[:, found.costs <= cut].T.tolist())
    forest.add_nodes_from(range(n))
    flat = fcluster(theirs, cut, "distance")
    assert {frozenset(part) for part in nx.connected_components(forest)} == {
        frozenset(np.flatnonzero(flat == c).tolist()) for c in set(flat)
    }


@settings(deadline=None)
@given(st.integers(1, 14), st.integers(0, 10_000))
def test_in_order_every_cluster_stands_together(n: int, seed: int) -> None:
    found = affinity_clustering(*_three(n, seed))
    order = found.order
    assert sorted(order.tolist()) == list(range(n))
    for level in found.levels:
        in_row = level[order]
        assert int((in_row.diff() != 0).sum()) + 1 == len(level.unique())


def _three(n: int, seed: int) -> tuple[Tensor, int, Tensor]:
    edge_index, cost = graph(n, seed)
    return edge_index, n, cost


def test_a_path_is_halved_in_every_round() -> None:
    edge_index = torch.stack([torch.arange(7), torch.arange(1, 8)])
    found = affinity_clustering(edge_index, 8, torch.tensor([1.0, 2, 1, 3, 1, 2, 1]))
    assert found.levels.tolist() == [list(range(8)), [0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 0, 0, 1, 1, 1, 1], [0] * 8]
    assert sorted(zip(found.rounds.tolist(), found.costs.tolist())) == [(1, 1.0)] * 4 + [(2, 2.0)] * 2 + [(3, 3.0)]
    assert found.order.tolist() == list(range(8))


def test_rounds_are_few_and_nothing_is_left_alone_without_need() -> None:
    n = 3000
    points = torch.randn(n, 2, dtype=torch.float64, generator=Generator().manual_seed(0))
    draw = torch.randint(n, (2, 20 * n), generator=Generator().manual_seed(1))
    found = affinity_clustering(draw, n, (points[draw[0]] - points[draw[1]]).norm(dim=1))
    sizes = [len(level.unique()) for level in found.levels]
    assert all(after <= before / 2 for before, after in pairwise(sizes))
    assert sizes[-1] == 1


def test_without_edges_every_node_stays_alone() -> None:
    found: Hierarchy = affinity_clustering(torch.zeros(2, 0, dtype=torch.long), 3, torch.zeros(0))
    assert found.levels.tolist() == [[0, 1, 2]]
    assert found.edges.shape == (2, 0)
    assert found.order.tolist() == [0, 1, 2]
