"""Neighbour sampling against brute force, PyG's k-hop subgraph and the uniform distribution."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch_geometric.utils import k_hop_subgraph

from neurorama.kernels.propagation import adjacency
from neurorama.kernels.sampling import neighbours, surroundings


@st.composite
def graphs(draw):
    """(edge_index without duplicates, n, crow, col): row i of the pattern holds the senders to node i."""
    n = draw(st.integers(1, 12))
    pairs = sorted(draw(st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40)))
    edge_index = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T
    pattern = adjacency(edge_index, n)
    return edge_index, n, pattern.crow, pattern.col


@settings(deadline=None)
@given(graphs(), st.integers(0, 6), st.integers(0, 100), st.booleans())
def test_what_is_drawn_are_neighbours_and_as_many_as_asked(graph, fanout, seed, replace):
    edge_index, n, crow, col = graph
    torch.manual_seed(seed)
    nodes = torch.randint(n, (7,))
    place, sampled = neighbours(crow, col, nodes, fanout, replace)
    for i, node in enumerate(nodes.tolist()):
        own = set(edge_index[0, edge_index[1] == node].tolist())
        drawn = sampled[place == i].tolist()
        assert set(drawn) <= own
        if replace:
            assert len(drawn) == (fanout if own else 0)
        else:
            assert len(drawn) == len(set(drawn)) == min(fanout, len(own))


@pytest.mark.parametrize("replace", [False, True])
def test_neighbours_are_drawn_uniformly(replace):
    torch.manual_seed(0)
    crow, col = torch.tensor([0, 0, 8]), torch.arange(8) + 10
    place, sampled = neighbours(crow, col, torch.ones(4000, dtype=torch.long), 3, replace)
    assert len(place) == 12000
    assert chisquare(torch.bincount(sampled - 10, minlength=8).numpy()).pvalue > 1e-4


@settings(deadline=None)
@given(graphs(), st.integers(1, 3), st.integers(0, 100))
def test_all_neighbours_is_the_k_hop_subgraph_of_pyg(graph, hops, seed):
    edge_index, n, crow, col = graph
    torch.manual_seed(seed)
    seeds = torch.randperm(n)[:3]
    sample = surroundings(crow, col, seeds, [-1] * hops)
    expected, _, _, _ = k_hop_subgraph(seeds, hops, edge_index, num_nodes=n)
    assert torch.equal(sample.nodes.sort().values, expected)
    assert torch.equal(sample.nodes[: sample.seeds], seeds)


@settings(deadline=None)
@given(graphs(), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 100))
def test_surroundings_are_edges_of_the_graph_within_reach(graph, fanouts, seed):
    edge_index, n, crow, col = graph
    torch.manual_seed(seed)
    seeds = torch.randperm(n)[:3]
    sample = surroundings(crow, col, seeds, fanouts)
    real = set(map(tuple, edge_index.T.tolist()))
    edges = [(int(sample.nodes[s]), int(sample.nodes[r])) for s, r in sample.edge_index.T.tolist()]
    assert set(edges) <= real
    assert len(edges) == len(set(edges))
    assert len(sample.nodes) == len(sample.nodes.unique())
    assert max(torch.bincount(sample.edge_index[1], minlength=1).tolist()) <= max(fanouts)
    senders = set(sample.edge_index[0].tolist())
    assert set(range(sample.seeds, len(sample.nodes))) <= senders


def test_seeds_must_differ():
    with pytest.raises(ValueError, match="twice"):
        surroundings(torch.tensor([0, 0]), torch.empty(0, dtype=torch.long), torch.tensor([0, 0]), [1])
