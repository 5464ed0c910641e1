"""GRAND against the matrix exponential, attention in double loops, scipy's solver of the flow, and its principles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from torch_geometric.nn import APPNP

import neurorama
from neurorama.data import GraphData
from neurorama.exhibits.message_passing.arena import NODES, NodeTask
from neurorama.exhibits.message_passing.arena.solvers import flows
from neurorama.exhibits.message_passing.grand import GRAND, Knobs
from neurorama.kernels.propagation import normalised


@pytest.fixture(scope="module")
def task() -> NodeTask:
    return NODES.data("karate", 1)


def lively(task: NodeTask, **knobs: object) -> GRAND:
    """A system whose edges conduct as differently as after long training; double precision where weights are."""
    torch.manual_seed(3)
    system = GRAND(Knobs.parse({"depth": 3, "hidden": 6, **knobs}), task).eval()
    for each in (system.query, system.key):
        torch.nn.init.normal_(each.weight, std=0.7)
    torch.nn.init.constant_(system.beta, 0.3)
    torch.nn.init.constant_(system.alpha, math.log(0.6 / 0.4))  # whose sigmoid is 0.6
    return system


def written_out(system: GRAND, x: np.ndarray, task: NodeTask) -> np.ndarray:
    """A(x) by its formula, entry by entry; as published, nodes give what adds up to 1, and keep 0.4 of it."""
    published = system.knobs.published
    heads, near = system.knobs.heads, task.near.dense().numpy()
    q, k = ((x @ w.weight.T.detach().numpy() + w.bias.detach().numpy()) for w in (system.query, system.key))
    q, k = (k, q) if published else (q, k)
    out, width = np.zeros_like(near), q.shape[1] // heads
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        for i in range(len(x)):
            senders = near[i].nonzero()[0]
            score = np.array([math.exp(q[i, part] @ k[j, part] / math.sqrt(width)) for j in senders])
            out[i, senders] += score / score.sum() / heads
    return 0.6 * out.T + 0.4 * np.eye(len(x)) if published else out


def test_conduction_is_the_mean_of_softmaxes_over_senders(task: NodeTask) -> None:
    system = lively(task)
    x = system.phi(task.x).detach()
    near = system.conduction(x, task).dense().detach().numpy()
    np.testing.assert_allclose(near, written_out(system, x.numpy(), task), rtol=1e-4, atol=1e-6)
    assert abs(near - near.T).max() > 0.05  # so that a transposed matrix would show


def test_as_published_what_a_node_gives_adds_up_to_one(task: NodeTask) -> None:
    system = lively(task, published=True)
    x = system.phi(task.x).detach()
    near = system.conduction(x, task).dense().detach().numpy()
    np.testing.assert_allclose(near.sum(0), 1, rtol=1e-5)
    assert abs(near.sum(1) - 1).max() > 0.1
    np.testing.assert_allclose(near, written_out(system, x.numpy(), task), rtol=1e-4, atol=1e-6)


def test_words_count_as_shares_or_as_ones(task: NodeTask) -> None:
    shares = replace(task.graph, x=task.x / (1 + torch.arange(len(task.x)))[:, None])
    fewer = replace(task, graph=shares)
    ones, plain = lively(task, published=True), lively(task)
    torch.testing.assert_close(ones(fewer), ones(task))
    assert (plain(fewer) - plain(task)).abs().max() > 1e-3


@pytest.mark.parametrize("solver", ["rk4", "dopri5", "euler", "implicit"])
def test_the_linear_flow_is_a_matrix_exponential(task: NodeTask, solver: str) -> None:
    exact_solver = solver in ("rk4", "dopri5")
    system = lively(task, solver=solver, tau=0.25 if exact_solver else 0.1)
    first, *_, end = (h.detach().double().numpy() for h in system.hidden(task))
    expected = expm(3 * (written_out(system, first, task) - np.eye(len(first)))) @ first
    np.testing.assert_allclose(end, expected, atol=2e-3 if exact_solver else 6e-2)
    np.testing.assert_allclose(
        system(task).detach(), system.psi(torch.from_numpy(end).float()).detach(), rtol=1e-4, atol=1e-5
    )


def test_the_nonlinear_flow_and_the_published_one_are_those_of_scipy(task: NodeTask) -> None:
    for knobs in ({"follow": True}, {"follow": True, "published": True}, {"published": True}):
        system = lively(task, tau=0.25, **knobs)
        first, *_, end = (h.detach().numpy() for h in system.hidden(task))
        fixed, source = written_out(system, first, task), 0.3 * first * system.knobs.published

        def rate(
            _: float, flat: np.ndarray, fixed=fixed, source=source, system=system, shape=first.shape
        ) -> np.ndarray:
            x = flat.reshape(shape)
            near = written_out(system, x, task) if system.knobs.follow else fixed
            return (near @ x - x + source).ravel()

        expected = solve_ivp(rate, (0, 3), first.ravel(), rtol=1e-4, atol=1e-6).y[:, -1].reshape(first.shape)
        np.testing.assert_allclose(end, expected, atol=2e-3)


def test_a_unit_euler_step_with_even_edges_is_a_hop_of_appnp_without_restart(task: NodeTask) -> None:
    system = lively(task, solver="euler", attention=False, depth=4)
    x = system.phi(task.x).detach()
    degree = torch.bincount(task.edge_index[0], minlength=len(x)).add(1).sqrt()[:, None]
    hops = APPNP(4, 0.0)(x * degree, task.edge_index) / degree  # symmetric averages turned into those by rows
    torch.testing.assert_close(system.hidden(task)[-1].detach(), hops, rtol=1e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["euler", "implicit"]), st.floats(0.1, 4.0), st.booleans())
def test_no_value_leaves_the_range_of_the_start(seed: int, solver: str, tau: float, follow: bool) -> None:
    """The paper's maximum principle: explicit steps up to 1, implicit ones of any length."""
    task = NODES.data("karate", 0)
    tau = min(tau, 1.0) if solver == "euler" else tau
    system = lively(task, solver=solver, tau=tau, follow=follow, depth=4)
    torch.manual_seed(seed)
    torch.nn.init.normal_(system.phi[1].weight)
    start, *states = system.hidden(task)
    for x in states:
        assert (x - start.amax(0)).max() <= 1e-4
        assert (start.amin(0) - x).max() <= 1e-4


def test_renumbered_nodes_get_the_same_logits(task: NodeTask) -> None:
    system, order = lively(task, follow=True), torch.randperm(len(task.x))
    edge_index = order.argsort()[task.edge_index]
    graph = GraphData(edge_index, task.x[order], task.y[order])
    masks = (m[order] for m in (task.train, task.val, task.test))
    turned = NodeTask(graph, normalised(edge_index, len(order)), *masks)
    torch.testing.assert_close(system(turned), system(task)[order], rtol=1e-4, atol=1e-5)


def test_long_explicit_steps_break_out_and_implicit_ones_do_not(task: NodeTask) -> None:
    """Two nodes that only swap values: the eigenvalue -2 of A - I, the sharpest case of the theorem."""
    pair = NodeTask(GraphData(torch.tensor([[0, 1], [1, 0]]), torch.eye(2)), task.near, *[task.train] * 3)
    swap = normalised(pair.edge_index, 2, self_loops=False, how="row")
    *_, last = flows(pair, swap, torch.eye(2), 8.0, 2.0)
    assert last["largest value/explicit Euler"] == pytest.approx(math.log10((3**4 + 1) / 2), abs=1e-4)
    assert last["largest value/implicit Euler"] < 0
    errors = last["error of the solver/implicit Euler"].y  # type: ignore[union-attr]
    exact = 0.5 * math.exp(-16)
    assert errors[2] == pytest.approx(math.log10(0.5 * 5**-4 - exact), abs=1e-2)  # 1/(1 + 2 tau) a step


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("grand", {"steps": 10, "depth": 4, "source": "karate"})
    exhibit = neurorama.catalogue.load("grand")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert math.isfinite(exhibit.claim.margin(trace))
