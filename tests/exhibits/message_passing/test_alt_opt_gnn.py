"""ALT-OPT against a dense solve, PyG's APPNP, the objective it lowers, and what it must never see."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.nn import APPNP as PygAPPNP

import neurorama
from neurorama.exhibits.message_passing.alt_opt_gnn import AltOpt, Knobs, trust
from neurorama.exhibits.message_passing.arena import APPNP, NODES, NodeTask


@pytest.fixture(scope="module")
def task() -> NodeTask:
    return NODES.data("karate", 2)


def test_labels_that_spread_for_long_solve_the_linear_system(task: NodeTask) -> None:
    knobs = Knobs(rounds=50, features=0.5, labels=2.0)
    system = AltOpt(knobs, task)
    p = torch.rand(system.y.shape)
    for _ in range(4):
        system.spread(task, p)
    n = len(task.x)
    labelled = torch.diag(task.train.float())
    matrix = torch.eye(n) - task.near.dense() + 0.5 * torch.eye(n) + 2.0 * labelled
    torch.testing.assert_close(system.f, torch.linalg.solve(matrix, 0.5 * p + 2.0 * labelled @ system.y))


def test_without_labels_a_turn_is_appnp(task: NodeTask) -> None:
    system = AltOpt(Knobs(rounds=7, features=0.25, labels=0.0), task)
    p = torch.rand(system.y.shape)
    system.f = p
    system.spread(task, p)
    expected = PygAPPNP(K=7, alpha=0.25 / 1.25)(p, task.edge_index)
    torch.testing.assert_close(system.f, expected, rtol=1e-4, atol=1e-6)


def test_the_baseline_is_pyg_s_appnp(task: NodeTask) -> None:
    system = APPNP(*task.sizes[:1], 8, task.sizes[1], hops=5, restart=0.2).eval()
    expected = PygAPPNP(K=5, alpha=0.2)(system.mlp(task), task.edge_index)
    torch.testing.assert_close(system(task), expected, rtol=1e-4, atol=1e-6)


@given(st.floats(0.01, 3.0), st.floats(0.0, 20.0), st.integers(0, 2**16))
def test_every_spread_lowers_the_objective(features: float, labels: float, seed: int) -> None:
    task = NODES.data("karate", 2)
    torch.manual_seed(seed)
    system = AltOpt(Knobs(rounds=1, features=features, labels=labels), task)
    system.f = torch.rand(system.f.shape)
    before = system.energy(task)
    for _ in range(3):
        system.spread(task, system.predicted(task).detach())
        after = system.energy(task)
        assert after <= before * (1 + 1e-5)
        before = after


def test_confidence_is_one_minus_the_share_of_the_largest_entropy() -> None:
    f = torch.tensor([[0.5, 0.5], [0.9, 0.1], [2.0, 0.0], [0.2, 0.8], [0.0, 1.0]])
    labelled = torch.tensor([True, False, False, False, False])
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    torch.testing.assert_close(trust(f, labelled, 2), torch.tensor([1.0, 1 - entropy, 1.0, 0.0, 1.0]).index_fill(
        0, torch.tensor([3]), 1 + (0.8 * math.log(0.8) + 0.2 * math.log(0.2)) / math.log(2)))  # fmt: skip
    assert trust(f, labelled, 1).tolist() == [1.0, 0.0, 1.0, 0.0, 1.0]


def test_other_labels_are_never_seen(task: NodeTask) -> None:
    wrong = task.y.where(task.train, 1 - task.y)
    other = replace(task, graph=replace(task.graph, y=wrong))
    ends = []
    for one in (task, other):
        torch.manual_seed(0)
        system = AltOpt(Knobs(rest=3), one)
        for _ in NODES.train(system, one, 10):
            pass
        ends.append(system(one))
    assert torch.equal(*ends)


def test_switched_off_no_node_hears_another(task: NodeTask) -> None:
    system = AltOpt(Knobs(spread=False), task)
    x = task.x.clone()
    x[0] += 1
    other = replace(task, graph=replace(task.graph, x=x))
    before = system.predicted(task)
    system.spread(task, before)
    first = system.f
    system.f = system.y
    again = AltOpt(Knobs(spread=False), other)
    again.mlp = system.mlp
    again.spread(other, again.predicted(other))
    assert torch.equal(first[1:], again.f[1:])
    assert not torch.equal(first[0], again.f[0])


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("alt_opt_gnn", {"steps": 12, "source": "karate"})
    exhibit = neurorama.catalogue.load("alt_opt_gnn")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert math.isfinite(exhibit.claim.margin(trace))
    assert trace.numbers("propagations/APPNP")[-1] == 2 * 10 * 12
