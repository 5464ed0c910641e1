"""TIDE against scipy's matrix exponential, a finite difference in time, and PyG's layer where no time passes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.sparse import csr_array
from scipy.sparse.linalg import expm_multiply
from torch_geometric.nn import GCNConv

import neurorama
from neurorama.exhibits.message_passing.arena import DISTANCE, Batch, DistanceTask, Wiring
from neurorama.exhibits.message_passing.arena.spreading import spreading
from neurorama.exhibits.message_passing.tide import TIDE, Knobs


@pytest.fixture(scope="module")
def task() -> DistanceTask:
    return DISTANCE.data("karate", 0, distance=3)


def one_of(task: DistanceTask, seed: int = 0) -> Batch:
    """The first test graph with random features."""
    one = task.test.copies(0, 1)
    x = torch.randn(one.x.shape, generator=torch.Generator().manual_seed(seed))
    return Batch(one.wiring, x, one.y, one.source, one.target)


def lively(task: DistanceTask, **knobs) -> TIDE:
    """Its times are all different."""
    torch.manual_seed(3)
    net = TIDE(Knobs(hidden=6, source="karate", **knobs), *task.sizes).eval()
    for paced in net.paced:
        torch.nn.init.uniform_(paced, 0.0, 1.0)
    return net


def laplacian(batch: Batch) -> np.ndarray:
    loops = np.eye(len(batch.x))
    loops[tuple(batch.edge_index.numpy())] = 1
    scale = np.diag(loops.sum(0) ** -0.5)
    return np.eye(len(loops)) - scale @ loops @ scale


def written_out(net: TIDE, batch: Batch, after: np.ndarray) -> np.ndarray:
    """One block, feature by feature; `after` is the matrix that follows the heat."""
    x = net.first(batch.x).detach().numpy()
    spread = np.stack([expm(-t * laplacian(batch)) @ x[:, c] for c, t in enumerate(net.time(0).tolist())], axis=1)
    return x + np.maximum(after @ spread @ net.weights[0].weight.detach().numpy().T, 0)


@pytest.mark.parametrize("hears", ["difference", "average", "itself"])
def test_a_block_is_what_the_equation_says(task: DistanceTask, hears: str) -> None:
    batch, net = one_of(task), lively(task, hears=hears)
    eye = np.eye(len(batch.x))
    after = {"difference": laplacian(batch), "average": eye - laplacian(batch), "itself": eye}[hears]
    assert net.time(0).unique().numel() == 6
    expected = written_out(net, batch, after)
    np.testing.assert_allclose(net.hidden(batch)[-1].detach(), expected, rtol=1e-4, atol=1e-5)


def test_what_is_heard_is_how_fast_heat_changes(task: DistanceTask) -> None:
    """L e^{-tL} x is minus the slope of e^{-tL} x in t, whose slope is found from two moments."""
    batch, net = one_of(task), lively(task)
    with torch.no_grad():
        net.weights[0].weight.copy_(torch.eye(6))
    x = net.first(batch.x).detach().double().numpy()
    near, sparse = 1e-4, csr_array(laplacian(batch))
    before, after = (
        np.stack([expm_multiply(-(t + h) * sparse, x[:, c]) for c, t in enumerate(net.time(0).tolist())], axis=1)
        for h in (-near, near)
    )
    heard = (net.hidden(batch)[-1] - net.first(batch.x)).detach()
    np.testing.assert_allclose(heard, np.maximum((before - after) / (2 * near), 0), atol=1e-5)


def test_in_no_time_it_is_a_graph_convolution(task: DistanceTask) -> None:
    batch, net = one_of(task), lively(task, hears="average", blocks=2)
    for paced in net.paced:
        torch.nn.init.zeros_(paced)
    x = net.first(batch.x)
    for weight in net.weights:
        conv = GCNConv(6, 6, bias=False)
        conv.lin.weight = weight.weight
        x = x + conv(x, batch.edge_index).relu()
    torch.testing.assert_close(net(batch), net.last(x), rtol=1e-4, atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_renumbered_nodes_get_the_same_answers(seed: int, channels: bool) -> None:
    task = DISTANCE.data("karate", 0, distance=3)
    batch, net = one_of(task, seed), lively(task, channels=channels, blocks=2)
    order = torch.randperm(len(batch.x), generator=torch.Generator().manual_seed(seed))
    turned = Batch(Wiring.of([(order.argsort()[batch.edge_index], len(order))]), batch.x[order], batch.y)
    torch.testing.assert_close(net(turned), net(batch)[order], rtol=1e-4, atol=1e-5)


def test_times_learn_by_gradient_and_never_turn_negative(task: DistanceTask) -> None:
    batch, net = one_of(task), lively(task)
    (slope,) = torch.autograd.grad(net(batch).square().sum(), net.paced[0])
    assert slope.count_nonzero() == 6
    with torch.no_grad():
        net.paced[0].fill_(-0.3)
    assert (net.time(0) == 0).all()
    assert not lively(task, learned=False).paced[0].requires_grad
    assert lively(task, channels=False).paced[0].shape == (1,)


def test_one_block_feels_the_far_end_of_a_ring_and_none_at_time_0() -> None:
    task = DISTANCE.data("ring", 0, distance=6)
    batch = one_of(task)
    x = batch.x.clone().requires_grad_()
    for start, reached in ((9.0, True), (0.0, False)):
        torch.manual_seed(0)
        net = TIDE(Knobs(start=start), *task.sizes).eval()
        out = net(Batch(batch.wiring, x, batch.y))[int(batch.target[0])]
        (grad,) = torch.autograd.grad(out.square().sum(), x)
        assert bool(grad[int(batch.source[0])].abs().max() > 1e-5) == reached


def test_the_view_of_heat_is_that_of_scipy(task: DistanceTask) -> None:
    batch, times = task.test.copies(0, 1), torch.tensor([0.0, 1.0, 4.0])
    source, target = int(batch.source[0]), int(batch.target[0])
    *_, last = spreading(task, "rate", "level", times)
    flows = [expm(-float(t) * laplacian(batch))[:, source] for t in times]
    rates = [-laplacian(batch) @ flow for flow in flows]
    for arm, each in (("level", flows), ("rate", rates)):
        there = np.array([now[target] for now in each])
        np.testing.assert_allclose(last[f"at the target/{arm}"].y, there / abs(there).max(), atol=1e-4)
        np.testing.assert_allclose(last[f"heard/{arm}"].values, each[-1] / abs(each[-1]).max(), atol=1e-5)


def test_a_short_run_shows_what_is_promised() -> None:
    trace = neurorama.run("tide", {"steps": 10, "distance": 3})
    exhibit = neurorama.catalogue.load("tide")
    assert {name.split("/")[0] for name in trace.names()} == set(exhibit.views)
    assert math.isfinite(exhibit.claim.margin(trace))
    off = exhibit.claim.control
    net = exhibit.entry.build(Knobs(**off), DISTANCE.data("ring", 0, distance=3)).net
    assert (net.time(0) == 0).all()
    assert not net.paced[0].requires_grad
