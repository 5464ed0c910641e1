"""Partitions: balance and cut beside networkx and chance; patches against a loop over sets and PyG's subgraphs."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch_geometric.utils import k_hop_subgraph, subgraph

from neurorama.kernels.partition import partition, patches


def both_ways(graph: nx.Graph) -> Tensor:
    pairs = torch.tensor(list(graph.edges), dtype=torch.long).reshape(-1, 2).T
    return torch.cat([pairs, pairs.flip(0)], dim=1)


def cut(edges: Tensor, part: Tensor) -> int:
    return int((part[edges[0]] != part[edges[1]]).sum()) // 2


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Tensor, int]:
    """(edge_index, n): directed or not, with self-loops, doubles, isolated nodes."""
    n = draw(st.integers(1, 14))
    pair = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    pairs = torch.tensor(draw(st.lists(pair, max_size=30)), dtype=torch.long).reshape(-1, 2).T
    return torch.cat([pairs, pairs.flip(0)], dim=1) if draw(st.booleans()) else pairs, n


@pytest.mark.parametrize("parts", [2, 4, 9])
@pytest.mark.parametrize(
    "graph", [nx.grid_2d_graph(12, 12), nx.random_geometric_graph(150, 0.15, seed=3)], ids=["grid", "geometric"]
)
def test_parts_are_balanced_and_cut_few_edges(graph: nx.Graph, parts: int) -> None:
    graph = nx.convert_node_labels_to_integers(graph)
    edges, n = both_ways(graph), len(graph)
    part = partition(edges, n, parts, generator=Generator().manual_seed(0))
    sizes = part.bincount(minlength=parts)
    assert len(sizes) == parts
    assert int(sizes.max()) <= 1.1 * n / parts + 1
    shuffled = part[torch.randperm(n, generator=Generator().manual_seed(0))]
    assert cut(edges, part) < 0.4 * cut(edges, shuffled)
    if parts == 2:
        one, _ = nx.community.kernighan_lin_bisection(graph, seed=0)
        theirs = torch.tensor([v in one for v in range(n)])
        assert cut(edges, part) <= 1.2 * cut(edges, theirs) + 1


def test_two_cliques_are_found_whatever_the_order_of_nodes() -> None:
    names = torch.randperm(12, generator=Generator().manual_seed(1))
    edges = names[both_ways(nx.barbell_graph(6, 0))]
    part = partition(edges, 12, 2)
    assert cut(edges, part) == 1
    assert part.bincount().tolist() == [6, 6]


@given(graphs(), st.integers(1, 6))
def test_any_graph_can_be_cut_and_small_ones_node_by_node(graph: tuple[Tensor, int], parts: int) -> None:
    edges, n = graph
    part = partition(edges, n, parts)
    assert part.shape == (n,)
    assert int(part.min()) >= 0
    assert int(part.max()) < parts
    if n <= parts:
        assert len(part.unique()) == n


def test_graphs_of_a_batch_are_cut_each_on_its_own() -> None:
    family = [nx.cycle_graph(20), nx.path_graph(2), nx.empty_graph(3), nx.grid_2d_graph(5, 5)]
    family = [nx.convert_node_labels_to_integers(graph) for graph in family]
    sizes = torch.tensor([len(graph) for graph in family])
    first = sizes.cumsum(0) - sizes
    edges = torch.cat([both_ways(graph) + a for graph, a in zip(family, first)], dim=1)
    batch = torch.arange(4).repeat_interleave(sizes)
    part = partition(edges, int(sizes.sum()), 4, batch, Generator().manual_seed(0))
    for g, (graph, a) in enumerate(zip(family, first)):
        alone = partition(both_ways(graph), len(graph), 4, generator=Generator().manual_seed(0))
        assert torch.equal(part[a : a + len(graph)] - 4 * g, alone)
    with pytest.raises(ValueError, match="between two graphs"):
        partition(torch.tensor([[0], [1]]), 2, 2, torch.tensor([0, 1]))


def test_seeds_repeat_and_differ() -> None:
    graph = nx.random_geometric_graph(100, 0.2, seed=1)
    edges = both_ways(graph)
    found = [partition(edges, 100, 5, generator=Generator().manual_seed(seed)) for seed in (0, 0, 1, 2, 3)]
    assert torch.equal(found[0], found[1])
    assert any(not torch.equal(found[0], other) for other in found[2:])


@settings(max_examples=60)
@given(graphs(), st.integers(1, 4), st.integers(0, 3), st.integers(0, 99))
def test_a_patch_is_the_subgraph_around_its_part(graph: tuple[Tensor, int], count: int, hops: int, seed: int) -> None:
    edges, n = graph
    part = torch.randint(count, (n,), generator=Generator().manual_seed(seed))
    found = patches(edges, n, part, count, hops)
    assert found.count == count
    both = torch.cat([edges, edges.flip(0)], dim=1)
    members = []
    for p in range(count):
        expected, _, _, _ = k_hop_subgraph((part == p).nonzero()[:, 0], hops, both, num_nodes=n)
        here = found.node[found.patch == p]
        assert torch.equal(here, expected.unique())
        members.append(set(here.tolist()))
        inner = found.patch[found.edge_index[0]] == p
        _, _, kept = subgraph(here, edges, num_nodes=n, return_edge_mask=True)
        assert torch.equal(found.edge[inner].sort().values, kept.nonzero()[:, 0])
    assert torch.equal(found.node[found.edge_index], edges[:, found.edge])
    assert torch.equal(found.patch[found.edge_index[0]], found.patch[found.edge_index[1]])
    assert (found.patch.diff() >= 0).all()
    if hops:
        assert len(found.edge.unique()) == edges.shape[1]
    assert found.shared().tolist() == [[len(a & b) for b in members] for a in members]


def test_no_parts_and_no_nodes() -> None:
    empty = torch.zeros(2, 0, dtype=torch.long)
    with pytest.raises(ValueError, match="0 parts"):
        partition(empty, 3, 0)
    assert partition(empty, 0, 2).shape == (0,)
    nothing = patches(empty, 0, torch.zeros(0, dtype=torch.long), 2)
    assert nothing.node.shape == (0,)
    assert nothing.shared().tolist() == [[0, 0], [0, 0]]
