"""Distances and shells against networkx's shortest paths."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neurorama.kernels.hops import distances, shells


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Tensor, int]:
    """(edge_index, n): directed or in both directions, with self-loops, doubles, isolated nodes, several components."""
    n = draw(st.integers(1, 12))
    pair = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    pairs = torch.tensor(draw(st.lists(pair, max_size=24)), dtype=torch.long).reshape(-1, 2).T
    return torch.cat([pairs, pairs.flip(0)], dim=1) if draw(st.booleans()) else pairs, n


def networkx_distances(edge_index: Tensor, n: int) -> Tensor:
    graph = nx.empty_graph(n, create_using=nx.DiGraph)
    graph.add_edges_from(edge_index.T.tolist())
    expected = torch.full((n, n), torch.inf)
    for u, lengths in nx.all_pairs_shortest_path_length(graph):
        for v, length in lengths.items():
            expected[u, v] = length
    return expected


@given(graphs(), st.data())
def test_distances_are_those_of_networkx(graph: tuple[Tensor, int], data: st.DataObject) -> None:
    edge_index, n = graph
    expected = networkx_distances(edge_index, n)
    assert torch.equal(distances(edge_index, n), expected)
    sources = torch.tensor(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4)))
    assert torch.equal(distances(edge_index, n, sources), expected[sources])


@given(graphs(), st.integers(0, 6))
def test_a_shell_holds_the_pairs_at_its_distance_in_order(graph: tuple[Tensor, int], depth: int) -> None:
    edge_index, n = graph
    expected = networkx_distances(edge_index, n)
    found = shells(edge_index, n, depth)
    assert len(found) == depth
    for k, shell in enumerate(found, 1):
        assert torch.equal(shell, (expected == k).nonzero().T)


def test_shells_of_a_large_ring_need_no_square() -> None:
    n = 200_000  # n^2 entries would be 160 GB
    nodes = torch.arange(n)
    ring = torch.cat([torch.stack([nodes, (nodes + 1) % n]), torch.stack([(nodes + 1) % n, nodes])], dim=1)
    for k, shell in enumerate(shells(ring, n, 4), 1):
        assert shell.shape == (2, 2 * n)
        step = (shell[1] - shell[0]) % n
        assert ((step == k) | (step == n - k)).all()


@pytest.mark.parametrize("depth", [0, 2])
def test_without_edges_shells_are_empty(depth: int) -> None:
    empty = torch.zeros(2, 0, dtype=torch.long)
    assert [tuple(shell.shape) for shell in shells(empty, 3, depth)] == [(2, 0)] * depth
    assert torch.equal(distances(empty, 2), torch.tensor([[0.0, torch.inf], [torch.inf, 0.0]]))
