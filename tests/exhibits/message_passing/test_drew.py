"""DRew against PyG's GCN layer on the shells that NetworkX finds, and against a light cone."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GCNConv

import neurorama
from neurorama.exhibits.message_passing.arena import DISTANCE, Batch, Wiring, at_best_validation
from neurorama.exhibits.message_passing.drew import DRew, Knobs, build


def batch_of(graph: nx.Graph, features: int = 3) -> Batch:
    edges = torch.tensor(list(graph.to_directed().edges)).T
    n = graph.number_of_nodes()
    return Batch(Wiring.of([(edges, n)]), torch.randn(n, features), torch.zeros(1))


def drew(depth: int, seed: int = 0, **knobs: object) -> DRew:
    torch.manual_seed(seed)
    net = DRew(Knobs.parse({"hidden": 12, **knobs}), 3, 2, depth)
    for norm in net.norms:
        torch.nn.init.normal_(norm.weight)  # so that normalisation does something
    return net.eval()


def shell(graph: nx.Graph, k: int) -> torch.Tensor:
    far = dict(nx.all_pairs_shortest_path_length(graph))
    pairs = [(u, v) for u in graph for v in graph if far[u].get(v) == k]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T


@pytest.mark.parametrize(
    "knobs",
    [{}, {"nu": 2}, {"delay": False}, {"gradual": False}, {"rewire": False}, {"share": True}, {"nu": 2, "share": True}],
)
def test_layers_are_sums_of_pyg_layers_on_shells(knobs: dict[str, object]) -> None:
    graph, depth = nx.random_labeled_tree(9, seed=2), 4
    batch, net = batch_of(graph), drew(depth, **knobs)
    for alpha in net.alpha:
        torch.nn.init.normal_(alpha)
    nu = net.knobs.nu if net.knobs.delay else depth
    h = [net.first(batch.x)]
    for t in range(depth):
        last = 1 if not net.knobs.rewire else t + 1 if net.knobs.gradual else depth
        total = torch.zeros_like(h[0])
        for k in range(1, last + 1):
            conv = GCNConv(h[0].shape[1], h[0].shape[1], bias=False)
            conv.lin.weight = net.w[t][0 if net.knobs.share else k - 1].weight  # type: ignore[index]
            share = net.alpha[t].exp()[k - 1] / net.alpha[t].exp().sum() if net.knobs.share else 1.0
            total = total + share * conv(h[max(0, t - max(0, k - nu))], shell(graph, k))
        h.append(h[t] + torch.relu(net.norms[t](total)))
    torch.testing.assert_close(net(batch), net.last(h[-1]), atol=1e-5, rtol=1e-4)


def reach(net: DRew, batch: Batch) -> torch.Tensor:
    """(n,) which nodes node 0 depends on."""
    x = batch.x.clone().requires_grad_()
    (grad,) = torch.autograd.grad(net(Batch(batch.wiring, x, batch.y))[0].sum(), x)
    return grad.abs().sum(1) > 0


def test_with_delay_no_news_is_faster_than_one_hop_a_layer() -> None:
    """The range of L layers is L hops with nu = 1, as in a GCN, and 1 + 2 + ... + L without delay."""
    path = batch_of(nx.path_graph(12))
    for knobs, hops in (({}, 3), ({"rewire": False}, 3), ({"delay": False}, 6), ({"nu": 2}, 5), ({"share": True}, 3)):
        found = torch.stack([reach(drew(3, seed, **knobs), path) for seed in range(8)]).any(0)
        assert found.nonzero().flatten().tolist() == list(range(hops + 1)), knobs


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_renumbered_nodes_say_the_same(seed: int) -> None:
    torch.manual_seed(seed)
    batch, net = batch_of(nx.gnp_random_graph(8, 0.3, seed=seed)), drew(3, seed)
    if batch.edge_index.numel() == 0:
        return
    order = torch.randperm(8)
    turned = Batch(Wiring.of([(order.argsort()[batch.edge_index], 8)]), batch.x[order], batch.y)
    torch.testing.assert_close(net(turned), net(batch)[order], atol=1e-5, rtol=1e-4)


def test_graphs_of_a_batch_do_not_hear_each_other() -> None:
    one, net = batch_of(nx.cycle_graph(8)), drew(4)
    both = Batch(Wiring.of([*one.wiring.pieces, *one.wiring.pieces]), torch.cat([one.x, -one.x]), torch.zeros(2))
    torch.testing.assert_close(net(both)[:8], net(one), atol=1e-5, rtol=1e-4)


def test_all_have_about_as_many_weights() -> None:
    def count(**knobs: object) -> int:
        return sum(p.numel() for p in DRew(Knobs.parse({"hidden": 64, **knobs}), 5, 5, 8).w.parameters())

    for knobs in ({}, {"gradual": False}, {"share": True}, {"rewire": False}):
        assert abs(count(**knobs) / (8 * 64**2) - 1) < 0.08


def test_it_enters_the_arena_of_distance() -> None:
    task = DISTANCE.data("ring", 0, 3)
    torch.manual_seed(0)
    system = build(Knobs(), task)
    for _ in DISTANCE.train(system, task, 40):
        pass
    assert DISTANCE.score(system, task) > 0.9


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("drew", {"steps": 10, "distance": 3})
    exhibit = neurorama.catalogue.load("drew")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    ours, *others = (at_best_validation(trace, arm) for arm in ("DRew", "GCN", "SP-GCN", "GCN with residuals"))
    assert exhibit.claim.margin(trace) == pytest.approx(ours - max(others))
    late = trace.last("news/DRew").z
    assert late.tolist() == [[0, -1, -1], [0, 1, -1], [0, 1, 2]]
