"""Co-GNN against PyG's layers, a loop over kept messages, and the degrees in RootNeighbors."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch_geometric.nn import SAGEConv

import neurorama
from neurorama.exhibits.message_passing.arena import NODES, Batch, Wiring
from neurorama.exhibits.message_passing.arena.roots import Layer, at_best_validation, choices, root_neighbours
from neurorama.exhibits.message_passing.co_gnn import CoGNN, Knobs, build
from neurorama.kernels.edge_masks import edge_gates

TREES = root_neighbours(6, seed=1)


def co_gnn(seed: int = 0, **knobs: object) -> CoGNN:
    torch.manual_seed(seed)
    return CoGNN(5, 5, Knobs(hidden=8, **knobs)).eval()  # type: ignore[arg-type]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0, 2]))
def test_the_root_is_asked_for_the_mean_of_its_neighbours_of_degree_six(seed: int, more: int) -> None:
    batch = root_neighbours(3, seed, more)
    assert batch.x.abs().max() <= 2
    for number, (edges, n) in enumerate(batch.wiring.pieces):
        tree = nx.Graph(edges.T.tolist())
        assert nx.is_tree(tree)
        assert nx.eccentricity(tree, 0) == 2
        hubs = [v for v in tree[0] if tree.degree[v] == 6]
        assert 1 + more <= len(hubs) <= 3 + more
        assert {tree.degree[v] for v in tree[0]} <= {2, 3, 6}
        assert tree.degree[0] <= 10
        first = int(batch.wiring.starts[number])
        torch.testing.assert_close(batch.y[number], batch.x[first : first + n][hubs].mean(0))


@pytest.mark.parametrize("mean", [True, False])
def test_when_all_speak_and_listen_it_is_a_stack_of_pyg_layers(mean: bool) -> None:
    torch.manual_seed(0)
    system = CoGNN(5, 5, Knobs(hidden=8, act=False), mean).eval()
    h = system.enter(TREES.x).relu()
    for eta in system.eta:
        conv = SAGEConv(8, 8, aggr="mean" if mean else "sum")
        own, heard = eta.linear.weight.split(8, dim=1)  # type: ignore[operator, union-attr]
        conv.lin_r.weight, conv.lin_l.weight = torch.nn.Parameter(own), torch.nn.Parameter(heard)
        conv.lin_l.bias = eta.linear.bias  # type: ignore[assignment, union-attr]
        h = conv(h, TREES.edge_index).relu()
    torch.testing.assert_close(system(TREES), system.leave(h), atol=1e-5, rtol=1e-4)


def test_residual_layers_add_to_what_they_normalise() -> None:
    system = co_gnn(act=False, residual=True, dropout=0.5)
    h = nn.functional.layer_norm(nn.functional.gelu(system.enter(TREES.x)), (8,))
    for eta in system.eta:
        h = nn.functional.layer_norm(h + nn.functional.gelu(eta(TREES, h)), (8,))
    torch.testing.assert_close(system(TREES), system.leave(h), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("means", [True, False])
def test_policies_are_stacks_of_pyg_layers(means: bool) -> None:
    policy, h = co_gnn(policy=4, means=means).speak, torch.randn(len(TREES.x), 8)
    said = h
    for layer, act in ((policy.first, torch.relu), (policy.second, nn.Identity())):
        conv = SAGEConv(said.shape[1], layer.linear.out_features, aggr="mean" if means else "sum")
        own, heard = layer.linear.weight.split(said.shape[1], dim=1)
        conv.lin_r.weight, conv.lin_l.weight = torch.nn.Parameter(own), torch.nn.Parameter(heard)
        conv.lin_l.bias = layer.linear.bias  # type: ignore[assignment]
        said = act(conv(said, TREES.edge_index))
    assert said.shape == (len(h), 2)
    torch.testing.assert_close(policy(TREES, h), said, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mean", [True, False])
def test_a_layer_hears_those_who_speak_where_it_listens(mean: bool) -> None:
    torch.manual_seed(1)
    layer, h = Layer(4, 3, mean), torch.randn(len(TREES.x), 4)
    actions = torch.randint(0, 2, (len(h), 2)).float()
    found = layer(TREES, h, edge_gates(actions, TREES.edge_index))
    for v in range(len(h)):
        senders = TREES.edge_index[0, TREES.edge_index[1] == v].tolist()
        kept = [h[u] for u in senders if actions[u, 1] == 1 and actions[v, 0] == 1]
        heard = torch.stack(kept).sum(0) / (len(kept) if mean else 1) if kept else torch.zeros(4)
        torch.testing.assert_close(found[v], layer.linear(torch.cat([h[v], heard])), atol=1e-5, rtol=1e-4)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_renumbered_nodes_with_the_same_draws_say_the_same(seed: int) -> None:
    system = co_gnn(seed)
    n = len(TREES.x)
    order = torch.randperm(n)
    place = torch.empty_like(order).index_put((order,), torch.arange(n))
    turned = Batch(Wiring(place[TREES.edge_index], torch.zeros(n, dtype=torch.long), 1), TREES.x[order], TREES.y)
    drawn = torch.randint(0, 2, (n, 2)).float()
    system.choose = lambda graph, h: drawn  # type: ignore[method-assign, assignment]
    one = system(TREES)
    system.choose = lambda graph, h: drawn[order]  # type: ignore[method-assign, assignment]
    torch.testing.assert_close(system(turned), one[order], atol=1e-5, rtol=1e-4)
    before = system.listen(TREES, torch.relu(system.enter(TREES.x)))
    after = system.listen(turned, torch.relu(system.enter(turned.x)))
    torch.testing.assert_close(after, before[order], atol=1e-4, rtol=1e-4)


def test_choices_are_zero_or_one_and_learn_from_the_loss() -> None:
    system = co_gnn()
    said = system(TREES)
    assert system.actions.shape == (2, len(TREES.x), 2)
    assert set(system.actions.unique().tolist()) == {0.0, 1.0}
    said.square().sum().backward()
    for policy in (system.listen, system.speak):
        assert policy.first.linear.weight.grad.abs().max() > 0  # type: ignore[union-attr]
    assert system.warmth.weight.grad.abs().max() > 0  # type: ignore[union-attr]


def test_switches_take_a_choice_away() -> None:
    for knobs, always in (({"listen": False}, 0), ({"broadcast": False}, 1)):
        system = co_gnn(**knobs)
        system(TREES)
        assert (system.actions[..., always] == 1).all()
        assert (system.actions[..., 1 - always] == 0).any()


def test_what_is_drawn_is_what_was_chosen() -> None:
    actions = torch.zeros(len(TREES.x), 2)
    actions[:, 0] = 1  # all listen, and only hubs speak
    degree = TREES.edge_index[0].bincount()
    hub = degree == 6
    hub[TREES.target] = False
    actions[hub, 1] = 1
    shown = choices(TREES, actions)
    assert shown["who speaks"].values.tolist() == [1, 0, 1]  # type: ignore[union-attr]
    graph = shown["choices"]
    kept = graph.edges[0, graph.change == 0]  # type: ignore[union-attr, index]
    assert hub[torch.as_tensor(kept)].all()


def test_it_enters_the_arena_of_nodes() -> None:
    scores = []  # of few nodes, and by choices that are drawn: one alone says little
    for seed in range(5):
        task = NODES.data("karate", seed)
        torch.manual_seed(seed)
        system = build(Knobs(hidden=16), task)
        for _ in NODES.train(system, task, 30):
            pass
        scores.append(NODES.score(system, task))
    assert sum(scores) / len(scores) > 0.6


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("co_gnn", {"steps": 20, "hidden": 8})
    exhibit = neurorama.catalogue.load("co_gnn")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    ours, *others = (at_best_validation(trace, arm) for arm in exhibit.arms)
    assert exhibit.claim.margin(trace) == pytest.approx(min(others) / 2 - ours)
