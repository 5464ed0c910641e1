"""Effective resistance against closed forms, networkx, NumPy's pseudo-inverse and the sum over all new edges."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from torch import Generator, Tensor

from neurorama.kernels.resistance import Circuit, circuit, sketch


def both_ways(graph: nx.Graph) -> Tensor:
    pairs = torch.tensor(list(graph.edges), dtype=torch.long).reshape(-1, 2).T
    return torch.cat([pairs, pairs.flip(0)], dim=1)


def of(graph: nx.Graph) -> Circuit:
    return circuit(both_ways(graph), len(graph))


def pinv_of(graph: nx.Graph) -> Tensor:
    return torch.from_numpy(np.linalg.pinv(nx.laplacian_matrix(graph).toarray().astype(float), hermitian=True))


@st.composite
def graphs(draw: st.DrawFn, least: int = 1) -> nx.Graph:
    """Any simple graph, often of several components, with isolated nodes."""
    n = draw(st.integers(least, 9))
    graph = nx.empty_graph(n)
    if n > 1:
        graph.add_edges_from(draw(st.lists(st.sampled_from(list(combinations(range(n), 2))), max_size=16)))
    return graph


N = 7
APART = (torch.arange(N)[:, None] - torch.arange(N)).abs().double()


@pytest.mark.parametrize(
    ("graph", "resistance", "total"),
    [
        (nx.path_graph(N), APART, N * (N**2 - 1) / 6),
        (nx.cycle_graph(N), APART * (N - APART) / N, N * (N**2 - 1) / 12),
        (nx.complete_graph(N), 2 / N * (APART > 0), N - 1),
        (
            nx.star_graph(N - 1),
            (APART > 0).double() + ((APART > 0) & (torch.arange(N) * torch.arange(N)[:, None] > 0)),
            36,
        ),
    ],
    ids=["path", "cycle", "complete", "star"],
)
def test_closed_forms(graph: nx.Graph, resistance: Tensor, total: float) -> None:
    torch.testing.assert_close(of(graph).resistance(), resistance.double())
    assert of(graph).total() == pytest.approx(total)


def test_networkx_with_and_without_weights() -> None:
    graph = nx.les_miserables_graph()
    graph = nx.convert_node_labels_to_integers(graph)
    edges = both_ways(graph)
    weight = torch.tensor([graph.edges[u, v]["weight"] for u, v in edges.T.tolist()], dtype=torch.float64)
    for entries, name in ((None, None), (weight, "weight")):
        ours = circuit(edges, len(graph), entries)
        theirs = nx.resistance_distance(graph, weight=name, invert_weight=False)
        expected = torch.tensor([[theirs[u][v] for v in range(len(graph))] for u in range(len(graph))])
        torch.testing.assert_close(ours.resistance(), expected.double())
        total = nx.effective_graph_resistance(graph, weight=name, invert_weight=False)
        assert ours.total() == pytest.approx(total)


@given(graphs())
def test_any_graph_has_the_pseudo_inverse_and_is_infinite_between_components(graph: nx.Graph) -> None:
    ours = of(graph)
    torch.testing.assert_close(ours.pinv, pinv_of(graph), atol=1e-9, rtol=0)
    r = ours.resistance()
    for part in map(sorted, nx.connected_components(graph)):
        rest = [v for v in graph if v not in part]
        assert torch.isinf(r[part][:, rest]).all()
        assert torch.isfinite(r[part][:, part]).all()
    finite = r[r.isfinite()]
    assert ours.total() == pytest.approx(float(finite.sum()) / 2, abs=1e-9)
    if graph.number_of_edges():  # Foster: the resistances of the edges add up to nodes minus components
        edges = torch.tensor(list(graph.edges)).T
        assert float(r[edges[0], edges[1]].sum()) == pytest.approx(len(graph) - nx.number_connected_components(graph))


@given(graphs(least=2), st.data(), st.floats(0.1, 5))
def test_update_equals_a_new_inverse_within_and_between_components(
    graph: nx.Graph, data: st.DataObject, weight: float
) -> None:
    u, v = data.draw(st.sampled_from(list(combinations(graph, 2))))
    edges = torch.cat([both_ways(graph), torch.tensor([[u, v], [v, u]])], dim=1)
    weights = torch.ones(edges.shape[1], dtype=torch.float64)
    weights[-2:] = weight
    updated, afresh = of(graph).with_edge(u, v, weight), circuit(edges, len(graph), weights)
    torch.testing.assert_close(updated.pinv, afresh.pinv, atol=1e-9, rtol=1e-9)
    assert torch.equal(updated.together, afresh.together)


@settings(max_examples=30)
@given(graphs(least=2))
def test_gain_is_the_difference_of_two_totals(graph: nx.Graph) -> None:
    before, gains = of(graph), of(graph).gains()
    for u, v in combinations(graph, 2):
        if nx.has_path(graph, u, v):
            more = torch.cat([both_ways(graph), torch.tensor([[u, v], [v, u]])], dim=1)
            drop = before.total() - circuit(more, len(graph)).total()
            assert float(gains[u, v]) == pytest.approx(drop, abs=1e-9)
            assert float(gains[v, u]) == pytest.approx(drop, abs=1e-9)
        else:
            assert gains[u, v] == 0
    assert not gains.diagonal().any()


def test_best_edge_of_a_barbell_and_what_it_is_worth() -> None:
    graph = nx.barbell_graph(4, 2)
    gains = of(graph).gains()
    new = [(u, v) for u, v in combinations(graph, 2) if not graph.has_edge(u, v)]
    totals = {}
    for u, v in new:
        wider = graph.copy()
        wider.add_edge(u, v)
        totals[u, v] = nx.effective_graph_resistance(wider)
    best = max(new, key=lambda pair: float(gains[pair]))
    assert totals[best] == pytest.approx(min(totals.values()))
    assert of(graph).total() - float(gains[best]) == pytest.approx(totals[best])


@given(graphs(least=2), st.data())
def test_potential_obeys_kirchhoff(graph: nx.Graph, data: st.DataObject) -> None:
    u, v = data.draw(st.sampled_from(list(combinations(graph, 2))))
    if not nx.has_path(graph, u, v):
        with pytest.raises(ValueError, match="different components"):
            of(graph).potential(u, v)
        return
    potential = of(graph).potential(u, v)
    current = torch.from_numpy(nx.laplacian_matrix(graph).toarray().astype(float)) @ potential
    expected = torch.zeros(len(graph), dtype=torch.float64)
    expected[u], expected[v] = 1, -1
    torch.testing.assert_close(current, expected, atol=1e-9, rtol=0)
    assert float(potential[u] - potential[v]) == pytest.approx(float(of(graph).resistance()[u, v]))


def test_sketch_is_right_on_average_and_as_wide_as_said() -> None:
    graph = nx.disjoint_union(nx.grid_2d_graph(5, 6), nx.karate_club_graph())
    graph.add_node(64)
    u, v = torch.tensor([(0, 29), (3, 4), (10, 20), (30, 63), (40, 45)]).T
    exact = of(graph).resistance()[u, v]
    dims, runs = 50, 40
    found = []
    for seed in range(runs):
        points = sketch(both_ways(graph), len(graph), dims, generator=Generator().manual_seed(seed))
        found.append((points[u] - points[v]).square().sum(1))
    ratio = torch.stack(found) / exact
    spread = (2 / dims) ** 0.5
    bound = norm.isf(1e-4 / (2 * len(u)))
    assert ((ratio.mean(0) - 1).abs() < bound * spread / runs**0.5).all()
    assert ratio.std(0).max() < 1.5 * spread  # random signs spread no wider than normal numbers would


def test_sketch_with_weights_on_a_larger_graph() -> None:
    graph = nx.random_regular_graph(6, 400, seed=1)
    edges = both_ways(graph)
    weight = torch.rand(edges.shape[1] // 2, generator=Generator().manual_seed(0)).add(0.5).repeat(2)
    points = sketch(edges, 400, 300, weight, Generator().manual_seed(0))
    exact = circuit(edges, 400, weight).resistance()
    ratio = (torch.cdist(points, points).square() / exact)[~torch.eye(400, dtype=torch.bool)]
    assert ratio.mean() == pytest.approx(1, abs=0.05)
    assert float((ratio - 1).abs().max()) < 6 * (2 / 300) ** 0.5


@pytest.mark.parametrize("make", [circuit, lambda edges, n, weight=None: sketch(edges, n, 2, weight)])
def test_bad_input(make) -> None:
    with pytest.raises(ValueError, match="other direction"):
        make(torch.tensor([[0, 1, 1], [1, 0, 2]]), 3)
    with pytest.raises(ValueError, match="other direction"):
        make(torch.tensor([[0, 1], [1, 0]]), 3, torch.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match="above zero"):
        make(torch.tensor([[0, 1], [1, 0]]), 3, torch.tensor([0.0, 0.0]))


def test_loops_conduct_nothing_and_doubles_twice() -> None:
    plain = circuit(torch.tensor([[0, 1], [1, 0]]), 2)
    loops = circuit(torch.tensor([[0, 1, 1, 1, 0, 0], [1, 0, 1, 1, 0, 1]])[:, :5], 2)
    twice = circuit(torch.tensor([[0, 1, 0, 1], [1, 0, 1, 0]]), 2)
    assert loops.resistance()[0, 1] == plain.resistance()[0, 1] == pytest.approx(1)
    assert float(twice.resistance()[0, 1]) == pytest.approx(0.5)


def test_without_edges_nothing_conducts() -> None:
    empty = circuit(torch.zeros(2, 0, dtype=torch.long), 3)
    assert empty.total() == 0
    assert torch.isinf(empty.resistance()).sum() == 6
    assert not sketch(torch.zeros(2, 0, dtype=torch.long), 3, 2).any()
