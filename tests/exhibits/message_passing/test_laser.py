"""LASER against walks counted one by one, distances of NetworkX, and PyG's GCN layers."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GCNConv

import neurorama
from neurorama.exhibits.message_passing.arena import DISTANCE, Batch, Wiring, at_best_validation
from neurorama.exhibits.message_passing.arena.relational import Relational
from neurorama.exhibits.message_passing.arena.shortcuts import AIMS, aims, with_pairs
from neurorama.exhibits.message_passing.laser import Knobs, build, laser


def edges_of(graph: nx.Graph) -> torch.Tensor:
    return torch.tensor(list(graph.to_directed().edges), dtype=torch.long).reshape(-1, 2).T


def walks(graph: nx.Graph, start: int, steps: int) -> dict[int, int]:
    """How many walks of that many steps lead to each node, where standing still is a step too."""
    reached = {start: 1}
    for _ in range(steps):
        after: dict[int, int] = {}
        for node, count in reached.items():
            for other in [node, *graph[node]]:
                after[other] = after.get(other, 0) + count
        reached = after
    return reached


@settings(max_examples=15, deadline=None)
@given(st.integers(5, 14), st.integers(0, 10_000), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(2, 4))
def test_each_node_is_joined_to_those_of_its_orbit_that_fewest_walks_reach(
    n: int, seed: int, rho: float, hops: int
) -> None:
    graph = nx.gnp_random_graph(n, 0.3, seed=seed)
    far = dict(nx.all_pairs_shortest_path_length(graph))
    counts = {i: walks(graph, i, 8) for i in graph}
    for r, pairs in enumerate(laser(edges_of(graph), n, Knobs(rho=rho, hops=hops)), 2):
        found = {frozenset(pair) for pair in pairs.T.tolist()}
        assert len(found) == pairs.shape[1]
        wanted = set()
        for i in graph:
            orbit = [j for j in graph if far[i].get(j) == r]
            keep = max(1, round(rho * len(orbit))) if orbit else 0
            joined = [j for j in orbit if frozenset((i, j)) in found]
            assert len(joined) >= keep
            most = sorted(counts[i][j] for j in orbit)[:keep][-1:]  # ties may go either way
            assert all(frozenset((i, j)) in found for j in orbit if counts[i][j] < (most or [0])[0])
            wanted |= {frozenset((i, j)) for j in orbit if most and counts[i][j] <= most[0]}
        assert found <= wanted


def test_all_at_two_hops_is_the_square_of_the_graph() -> None:
    graph = nx.karate_club_graph()
    (pairs,) = laser(edges_of(graph), 34, Knobs(rho=1.0, hops=2))
    square = nx.difference(nx.power(graph, 2), nx.create_empty_copy(graph).__class__(graph.edges))
    assert {frozenset(pair) for pair in pairs.T.tolist()} == {frozenset(pair) for pair in square.edges}


def test_without_locality_there_are_as_many_edges_that_lead_anywhere() -> None:
    edges = edges_of(nx.convert_node_labels_to_integers(nx.grid_2d_graph(5, 5)))
    near, anywhere = (laser(edges, 25, Knobs(local=local, rho=0.0)) for local in (True, False))
    assert sum(p.shape[1] for p in anywhere) == pytest.approx(sum(p.shape[1] for p in near), abs=6)
    (_, near_span, _), (_, span, _) = aims(edges, 25, {"near": torch.cat(near, 1), "any": torch.cat(anywhere, 1)})
    assert near_span < 0.33 < span


def test_the_aims_are_those_of_networkx() -> None:
    graph = nx.cycle_graph(8)
    pairs = torch.tensor([[0, 1], [4, 3]])
    ((left, span, share),) = aims(edges_of(graph), 8, {"two": pairs})
    before = nx.effective_graph_resistance(graph)
    graph.add_edges_from(pairs.T.tolist())
    assert left == pytest.approx(nx.effective_graph_resistance(graph) / before)
    assert span == pytest.approx((4 + 2) / 2 / 4)
    assert share == pytest.approx(2 / (8 * 7 / 2 - 8))


def test_a_relational_layer_is_a_sum_of_pyg_layers() -> None:
    torch.manual_seed(0)
    graph = nx.lollipop_graph(4, 4)
    edges, x = edges_of(graph), torch.randn(8, 3)
    added = [torch.tensor([[0, 1], [5, 6]]), torch.tensor([[4], [7]])]
    net = Relational(3, 12, 2, 2, lambda *_: added, kinds=2).eval()
    h = x
    for number, w in enumerate(net.w):
        total = torch.zeros(())
        for linear, pairs in zip(w, [edges, *(with_pairs(p[:, :0], p) for p in added)]):  # type: ignore[arg-type]
            conv = GCNConv(*linear.weight.T.shape, bias=False, add_self_loops=pairs is edges)
            conv.lin.weight = linear.weight
            shift = 0.0 if linear.bias is None else GCNConv(1, 1, bias=False)
            total = total + conv(h, pairs)
            if shift != 0.0:
                shift.lin.weight = torch.nn.Parameter(torch.ones(1, 1))
                total = total + shift(torch.ones(8, 1), pairs) * linear.bias
        h = torch.relu(net.norms[number](total)) if number == 0 else total
    torch.testing.assert_close(net(Batch(Wiring.of([(edges, 8)]), x, torch.zeros(1))), h, atol=1e-5, rtol=1e-4)


def test_a_system_adds_the_same_edges_wherever_it_meets_a_graph() -> None:
    task = DISTANCE.data("grid", 0, 4)
    torch.manual_seed(0)
    system = build(Knobs(rho=0.0), task).eval()  # one node of many alike: a tie that chance breaks
    one = system(task.test.copies(3, 2))
    torch.testing.assert_close(one[0], system(task.test)[3], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one[0], one[1])


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("laser", {"steps": 10, "distance": 3, "hidden": 8, "rho": 0.0})
    exhibit = neurorama.catalogue.load("laser")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    ours, *others = (at_best_validation(trace, arm) for arm in ("LASER", "spectral gap", "random edges", "as given"))
    assert exhibit.claim.margin(trace) <= ours - max(others) + 1e-6
    bars = trace.last(next(iter(AIMS)))
    assert bars.names[0] == "LASER"
    assert (bars.values < 1).all()
