"""Balanced Forman curvature against the paper's definition as a loop, and the values of the paper's table of graphs."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neurorama.kernels.curvature import balanced_forman


def edges_of(graph: nx.Graph) -> Tensor:
    return torch.tensor(list(graph.edges), dtype=torch.long).reshape(-1, 2).T


def by_definition(graph: nx.Graph, i: int, j: int) -> float:
    """Every four-cycle k - i - j - w without a diagonal, one by one."""
    d_i, d_j = graph.degree[i], graph.degree[j]
    if min(d_i, d_j) == 1:
        return 0.0
    triangles = sum(1 for k in graph if graph.has_edge(i, k) and graph.has_edge(k, j))
    through: dict[tuple[str, int], int] = {}
    for k in graph:
        for w in graph:
            if len({i, j, k, w}) < 4:
                continue
            cycle = graph.has_edge(i, k) and graph.has_edge(k, w) and graph.has_edge(w, j)
            if cycle and not graph.has_edge(k, j) and not graph.has_edge(w, i):
                for corner in (("k", k), ("w", w)):
                    through[corner] = through.get(corner, 0) + 1
    ric = 2 / d_i + 2 / d_j - 2 + 2 * triangles / max(d_i, d_j) + triangles / min(d_i, d_j)
    return ric + (len(through) / (max(through.values()) * max(d_i, d_j)) if through else 0.0)


@st.composite
def graphs(draw: st.DrawFn) -> nx.Graph:
    n = draw(st.integers(2, 9))
    graph = nx.empty_graph(n)
    graph.add_edges_from(draw(st.lists(st.sampled_from(list(combinations(range(n), 2))), min_size=1, max_size=24)))
    return graph


@given(graphs())
def test_any_graph_by_the_definition(graph: nx.Graph) -> None:
    edges = edges_of(graph)
    expected = torch.tensor([by_definition(graph, i, j) for i, j in edges.T.tolist()], dtype=torch.float64)
    torch.testing.assert_close(balanced_forman(edges, len(graph)), expected)


@given(graphs(), st.data())
def test_directions_and_repeats_change_nothing(graph: nx.Graph, data: st.DataObject) -> None:
    edges = edges_of(graph)
    more = data.draw(st.lists(st.integers(0, edges.shape[1] - 1), max_size=8))
    both = torch.cat([edges, edges.flip(0), edges[:, more]], dim=1)
    alone = balanced_forman(edges, len(graph))
    expected = torch.cat([alone, alone, alone[more]])
    torch.testing.assert_close(balanced_forman(both, len(graph)), expected)
    assert (alone > -2).all()


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (nx.cycle_graph(3), 3 / 2),
        (nx.cycle_graph(4), 1.0),
        (nx.cycle_graph(5), 0.0),
        (nx.cycle_graph(9), 0.0),
        (nx.complete_graph(5), 5 / 4),
        (nx.complete_graph(8), 8 / 7),
        (nx.grid_2d_graph(6, 6, periodic=True), 0.0),
        (nx.star_graph(5), 0.0),
    ],
    ids=["triangle", "square", "5-cycle", "9-cycle", "K5", "K8", "torus", "star"],
)
def test_known_values(graph: nx.Graph, expected: float) -> None:
    graph = nx.convert_node_labels_to_integers(graph)
    found = balanced_forman(edges_of(graph), len(graph))
    torch.testing.assert_close(found, torch.full_like(found, expected))


@pytest.mark.parametrize("branching", [2, 3, 4])
def test_inside_a_tree_edges_are_bottlenecks(branching: int) -> None:
    tree = nx.balanced_tree(branching, 4)
    edges = edges_of(tree)
    inner = torch.tensor([{tree.degree[u], tree.degree[v]} == {branching + 1} for u, v in edges.T.tolist()])
    found = balanced_forman(edges, len(tree))[inner]
    torch.testing.assert_close(found, torch.full_like(found, 4 / (branching + 1) - 2))


def test_the_bridge_of_a_barbell_is_the_most_negative() -> None:
    graph = nx.barbell_graph(6, 0)
    edges = edges_of(graph)
    worst = edges[:, balanced_forman(edges, len(graph)).argmin()]
    assert set(worst.tolist()) == {5, 6}


def test_bad_and_empty_input() -> None:
    with pytest.raises(ValueError, match="node 1 has a self-loop"):
        balanced_forman(torch.tensor([[0, 1], [1, 1]]), 2)
    assert balanced_forman(torch.zeros(2, 0, dtype=torch.long), 3).shape == (0,)
