"""The same graph gets the same picture, quickly; parts do not overlap."""

from __future__ import annotations

import random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorama.stage import layout
from neurorama.stage.layout import places


def edges_of(graph: nx.Graph) -> np.ndarray:
    return np.array(list(graph.edges()), np.int64).reshape(-1, 2).T


def fresh(edges: np.ndarray, n: int) -> np.ndarray:
    layout._cache.clear()
    return places(edges, n).copy()


@pytest.mark.parametrize("graph", [nx.karate_club_graph(), nx.barabasi_albert_graph(400, 2, seed=0), nx.path_graph(2)])
def test_the_same_graph_gets_the_same_picture(graph: nx.Graph) -> None:
    edges, n = edges_of(graph), len(graph)
    first = fresh(edges, n)
    random.seed(3)  # nor does anyone else's random stream matter
    assert (fresh(edges, n) == first).all()
    both = np.concatenate([edges, edges[::-1], [[0], [0]]], axis=1)
    assert (fresh(both[:, ::-1], n) == first).all()


def test_python_s_own_random_stream_is_left_alone() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    fresh(edges_of(nx.cycle_graph(9)), 9)
    assert random.random() == expected


def test_a_picture_is_made_once() -> None:
    edges = edges_of(nx.cycle_graph(9))
    assert places(edges, 9) is places(edges.copy(), 9)
    assert places(edges, 9) is not places(edges, 10)


def test_neighbours_are_drawn_near_each_other() -> None:
    """In a ring of cliques, linked nodes lie nearer than others."""
    graph = nx.ring_of_cliques(6, 8)
    where = fresh(edges_of(graph), len(graph))
    distance = np.linalg.norm(where[:, None] - where[None], axis=2)
    near = nx.to_numpy_array(graph) > 0
    assert distance[near].mean() < 0.4 * distance[~near].mean()


def test_parts_lie_apart() -> None:
    graph = nx.disjoint_union_all([nx.complete_graph(5), nx.cycle_graph(7), nx.path_graph(2), nx.empty_graph(4)])
    where = fresh(edges_of(graph), len(graph))
    boxes = [where[sorted(part)] for part in nx.connected_components(graph)]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            apart = (one.min(0) > other.max(0)) | (other.min(0) > one.max(0))
            assert apart.any()


def test_layers_are_columns_in_their_own_order() -> None:
    where = places(np.array([[0, 1], [2, 2]]), 5, layers=np.array([0, 0, 1, 2, 2]))
    assert np.unique(where[:, 0]).tolist() == [-1, 0, 1]
    assert where[0, 1] > where[1, 1]
    assert where[2].tolist() == [0, 0]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, max(n - 1, 0))] * 2)))
    )
)
def test_any_graph_has_places_inside_the_unit_box(given_graph: tuple[int, list[tuple[int, int]]]) -> None:
    n, pairs = given_graph
    edges = np.array(pairs if n else [], np.int64).reshape(-1, 2).T
    where = places(edges, n)
    assert where.shape == (n, 2)
    assert np.isfinite(where).all()
    assert np.abs(where).max(initial=0) <= 1 + 1e-9
    if n > 1:
        gaps = np.linalg.norm(where[:, None] - where[None], axis=2) + np.eye(n)
        assert gaps.min() > 1e-6  # no node hides another


@pytest.mark.parametrize(
    "graph", [nx.grid_2d_graph(30, 30), nx.ring_of_cliques(40, 10), nx.random_geometric_graph(500, 0.08, seed=0)]
)
def test_a_large_graph_is_unfolded(graph: nx.Graph) -> None:
    """In the picture, nodes are about as far apart as they are in hops: what springs alone do not reach."""
    graph = nx.convert_node_labels_to_integers(graph.subgraph(max(nx.connected_components(graph), key=len)))
    where = fresh(edges_of(graph), len(graph))
    hops = np.array(nx.floyd_warshall_numpy(graph))
    distance = np.linalg.norm(where[:, None] - where[None], axis=2)
    some = np.triu_indices(len(graph), 1)
    assert np.corrcoef(hops[some], distance[some])[0, 1] > 0.8


def test_nodes_without_an_edge_stand_in_rows() -> None:
    where = fresh(np.array([[0], [1]]), 5002)
    x, y = (np.unique(where[2:, i].round(9)) for i in (0, 1))
    assert len(x) * len(y) < 5200
    assert len(np.unique(where, axis=0)) == 5002
