"""Graph Mamba against the same reading node by node, with networkx's subgraphs and PyG's convolution."""

from __future__ import annotations

import math

import networkx as nx
import pytest
import torch
from torch_geometric.nn import GCNConv

import neurorama
from neurorama.exhibits.graph_transformers.arena import DISTANCE, AtTarget, Batch, Wiring
from neurorama.exhibits.graph_transformers.graph_mamba import GMN, Knobs

TASK = DISTANCE.data("ring", 0, distance=5)
LOLLIPOP = nx.lollipop_graph(4, 5)


def gmn(**knobs: object) -> GMN:
    torch.manual_seed(0)
    return GMN(5, 5, Knobs(hidden=8, states=3, **knobs)).eval()  # type: ignore[arg-type]


def batch(graph: nx.Graph) -> Batch:
    edges = torch.tensor(list(graph.to_directed().edges)).T
    x = torch.randn(len(graph), 5, generator=torch.Generator().manual_seed(1))
    return Batch(Wiring.of([(edges, len(graph))]), x, torch.zeros(1), target=torch.tensor([0]))


def test_node_by_node_from_far_to_near_then_all_by_degree() -> None:
    system, one = gmn(walk=2, repeat=2), batch(LOLLIPOP)
    x = system.enter(one.x)
    sets = system.sets(one.sums)
    assert [int(s.patch.bincount().max()) for s in sets[-2:]] == [1, 1]  # walks of no steps come last
    encoded = []
    for v in range(len(x)):
        tokens = []
        for drawn in sets:
            some = drawn.node[drawn.patch == v].tolist()
            inside = nx.convert_node_labels_to_integers(LOLLIPOP.subgraph(some), ordering="sorted").to_directed()
            edges = torch.tensor(list(inside.edges), dtype=torch.long).reshape(-1, 2).T
            tokens.append(system.phi.inside(x[sorted(some)], edges).mean(0))
        encoded.append(system.surroundings(torch.stack(tokens)[None])[0, -1])
    order = system.order(one).place.argsort()
    degrees = [LOLLIPOP.degree[int(v)] for v in order]
    assert degrees == sorted(degrees)
    (reading,) = system.all
    h = torch.empty(len(x), 8)
    h[order] = reading(torch.stack(encoded)[order][None])[0]
    conv = GCNConv(8, 8, bias=False)
    conv.lin.weight = system.psi.weight
    loops = (one.near @ torch.ones(len(x), 1)) * system.psi.bias  # the bias is averaged too
    said = system.leave(h + (conv(x, one.edge_index) + loops).relu())
    torch.testing.assert_close(system(one), said, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("knobs", "heard"), [({}, True), ({"reading": False}, False), ({"walk": 0}, True)])
def test_what_is_far_comes_through_the_reading_of_all(knobs: dict[str, object], heard: bool) -> None:
    norms = DISTANCE.jacobian(AtTarget(gmn(**knobs)), TASK)
    assert bool(norms[int(TASK.test.source[0])] > 0) == heard


def test_read_one_way_a_node_hears_only_those_before_it() -> None:
    one = batch(LOLLIPOP)
    for both in (True, False):
        system = gmn(walk=0, messages=False, both_ways=both)
        order = system.order(one).place.argsort()

        def said(x: torch.Tensor, system: GMN = system) -> torch.Tensor:
            return system(Batch(one.wiring, x, one.y)).sum(1)

        hears = torch.autograd.functional.jacobian(said, one.x).abs().sum(2)[order][:, order] > 0
        assert torch.equal(hears, torch.ones_like(hears) if both else torch.ones_like(hears).tril())


def test_graphs_of_a_batch_do_not_hear_each_other() -> None:
    system, both = gmn(), TASK.test.copies(0, 2)
    before = system(both)
    both.x[10:] += 1.0
    torch.testing.assert_close(system(both)[:10], before[:10])
    assert (system(both)[10:] - before[10:]).abs().max() > 1e-3


def test_walks_and_ties_are_drawn_anew_in_training_only() -> None:
    system, one = gmn(), TASK.test.copies(0, 1)
    assert torch.equal(system(one), system(one))
    system.train()
    assert not torch.equal(system(one), system(one))


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("graph_mamba", {"steps": 10, "distance": 3, "hidden": 8})
    exhibit = neurorama.catalogue.load("graph_mamba")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert math.isfinite(exhibit.claim.margin(trace))
