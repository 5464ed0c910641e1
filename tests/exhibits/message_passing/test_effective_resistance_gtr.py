"""GTR against NetworkX, a search over all pairs, and torch's own Jacobian."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import neurorama
from neurorama.exhibits.message_passing.arena import DISTANCE, GCN, Batch, Wiring, at_best_validation
from neurorama.exhibits.message_passing.arena.circuits import jacobian, seen
from neurorama.exhibits.message_passing.arena.shortcuts import absent, at_random, by_spectral_gap, with_pairs
from neurorama.exhibits.message_passing.effective_resistance_gtr import Knobs, build, gtr
from neurorama.kernels.resistance import circuit


def edges_of(graph: nx.Graph) -> torch.Tensor:
    return torch.tensor(list(graph.to_directed().edges), dtype=torch.long).reshape(-1, 2).T


def total(graph: nx.Graph) -> float:
    return nx.effective_graph_resistance(graph)


@settings(max_examples=12, deadline=None)
@given(st.integers(4, 9), st.integers(0, 10_000))
def test_each_edge_is_the_best_of_all_pairs(n: int, seed: int) -> None:
    graph = nx.gnp_random_graph(n, 0.3, seed=seed)
    nx.add_path(graph, range(n))  # connected
    for u, v in gtr(edges_of(graph), n, 3).T.tolist():
        totals = {}
        for pair in nx.non_edges(graph):
            more = graph.copy()
            more.add_edge(*pair)
            totals[frozenset(pair)] = total(more)
        assert totals[frozenset((u, v))] == pytest.approx(min(totals.values()))
        graph.add_edge(u, v)


def test_on_a_ring_the_first_chord_is_a_diameter_and_on_a_barbell_the_sum_halves() -> None:
    ring = gtr(edges_of(nx.cycle_graph(12)), 12, 1)
    assert int(ring[1, 0] - ring[0, 0]) == 6
    barbell = nx.barbell_graph(5, 3)
    (u, v) = gtr(edges_of(barbell), 13, 1)[:, 0].tolist()
    before = total(barbell)
    barbell.add_edge(u, v)
    assert total(barbell) < 0.55 * before


@settings(max_examples=10, deadline=None)
@given(
    st.integers(3, 9), st.integers(0, 10_000), st.integers(1, 30), st.sampled_from([gtr, at_random, by_spectral_gap])
)
def test_added_pairs_are_new_and_within_a_component(n: int, seed: int, count: int, choose) -> None:
    graph = nx.gnp_random_graph(n, 0.3, seed=seed)
    edges = edges_of(graph)
    free = absent(edges, n)
    pairs = choose(edges, n, count)
    assert pairs.shape == (2, min(count, int(free.sum())))
    assert free[pairs[0], pairs[1]].all()
    assert len({tuple(pair) for pair in pairs.T.tolist()}) == pairs.shape[1]
    for u, v in pairs.T.tolist():
        assert nx.has_path(graph, u, v)


def test_a_renumbered_graph_gains_as_much() -> None:
    graph = nx.karate_club_graph()
    order = torch.randperm(34, generator=torch.Generator().manual_seed(0))
    edges = edges_of(graph)
    sums = [circuit(with_pairs(e, gtr(e, 34, 4)), 34).total() for e in (edges, order[edges])]
    assert sums[0] == pytest.approx(sums[1])


def test_the_spectral_gap_widens_more_than_by_the_average_pair() -> None:
    graph = nx.barbell_graph(5, 3)
    edges = edges_of(graph)

    def gap(pair: torch.Tensor) -> float:
        more = nx.Graph(with_pairs(edges, pair[:, None]).T.tolist())
        return float(sorted(nx.normalized_laplacian_spectrum(more))[1])

    every = absent(edges, 13).nonzero()
    gaps = [gap(pair) for pair in every]
    assert gap(by_spectral_gap(edges, 13, 1)[:, 0]) > sorted(gaps)[int(0.9 * len(gaps))]


def test_the_jacobian_is_that_of_torch() -> None:
    torch.manual_seed(0)
    edges, n = edges_of(nx.lollipop_graph(4, 2)), 6
    x, net = torch.randn(n, 3), GCN(3, 5, 2, 3)

    def out(x: torch.Tensor) -> torch.Tensor:
        return net(Batch(Wiring.of([(edges, n)]), x, torch.zeros(1)))

    full = torch.autograd.functional.jacobian(out, x)  # (n, 2, n, 3)
    torch.testing.assert_close(jacobian(net, edges, x), full.square().sum((1, 3)).sqrt(), atol=1e-6, rtol=1e-4)


def test_what_is_drawn_is_a_current() -> None:
    """What enters at the source leaves at the target, and nowhere else."""
    task = DISTANCE.data("barbell", 0, 5)
    edges, n = task.test.wiring.pieces[0]
    graph = seen("GTR", task, circuit(edges, n), edges, GCN(3, 8, 4, 5))["current/GTR"]
    u, v = torch.tensor(graph.edges)  # type: ignore[union-attr]
    potential = torch.tensor(graph.values)  # type: ignore[union-attr]
    flow = torch.tensor(graph.weights) * (potential[u] - potential[v]).sign()  # type: ignore[union-attr]
    net = torch.zeros(n).index_add(0, u, flow).index_add(0, v, -flow)
    expected = torch.zeros(n)
    expected[task.test.source[0]], expected[task.test.target[0]] = 1.0, -1.0  # type: ignore[index]
    torch.testing.assert_close(net, expected, atol=1e-5, rtol=0)


def test_a_system_of_the_arena_is_a_gcn_on_the_rewired_task() -> None:
    task = DISTANCE.data("ring", 0, 4)
    torch.manual_seed(0)
    system = build(Knobs(edges=2), task)
    added = task.rewired(lambda edges, n: with_pairs(edges, gtr(edges, n, 2)))
    for part in (task.test, task.example):
        there = system.system(part.on(added.test.wiring if part is task.test else added.example.wiring))
        torch.testing.assert_close(system(part), there)
    assert not torch.allclose(system(task.test), system.system(task.test))


def test_a_short_run_shows_what_is_promised() -> None:
    for knobs in ({"distance": 3}, {"distance": 2, "edges": 9, "hidden": 8}):  # a ring of four has two chords only
        trace = neurorama.run("effective_resistance_gtr", {"steps": 10, **knobs})
        exhibit = neurorama.catalogue.load("effective_resistance_gtr")
        assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
        ours, *others = (at_best_validation(trace, arm) for arm in ("GTR", "random edges", "as given"))
        falls = -trace.numbers("rank correlation/GTR")[-1]
        assert exhibit.claim.margin(trace) == pytest.approx(min(ours - max(others), falls))
