"""Means between mean and maximum against PyG's aggregations, and their limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pmean
from torch import Tensor
from torch_geometric.nn.aggr import PowerMeanAggregation, SoftmaxAggregation

from neurorama.kernels.aggregation import power_mean, softmax_mean
from neurorama.kernels.propagation import adjacency


def drawn(seed: int, n: int = 12, width: int = 3) -> tuple[Tensor, Tensor]:
    """One-way edges, some twice; node 0 has no senders. Messages above 0."""
    draw = torch.Generator().manual_seed(seed)
    edges = torch.stack([torch.randint(n, (40,), generator=draw), torch.randint(1, n, (40,), generator=draw)])
    edges = torch.cat([edges, torch.stack([torch.arange(n - 1), torch.arange(1, n)])], dim=1)
    return edges, torch.rand(n, width, generator=draw) * 3 + 0.05


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(-20, 20))
def test_softmax_is_that_of_pyg_with_its_gradients(seed: int, beta: float) -> None:
    edges, m = drawn(seed)
    theirs = SoftmaxAggregation(t=beta, learn=True)
    t, x, y = torch.tensor(beta, requires_grad=True), m.clone().requires_grad_(), m.clone().requires_grad_()
    ours = softmax_mean(adjacency(edges, len(m)), x, t)
    expected = theirs(y[edges[0]], edges[1], dim_size=len(m))
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
    ours.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(t.grad, theirs.t.grad[0], rtol=1e-3, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(-4, 6).filter(lambda p: abs(p) > 0.2))
def test_power_mean_is_that_of_scipy(seed: int, p: float) -> None:
    """Node by node. (PyG, as the authors, also holds the mean of the powers to at most 10.)"""
    edges, m = drawn(seed)
    ours = power_mean(adjacency(edges, len(m)), m, torch.tensor(p))
    for node in range(1, len(m)):
        np.testing.assert_allclose(ours[node], pmean(m[edges[0]][edges[1] == node].double().numpy(), p), rtol=1e-3)
    theirs = PowerMeanAggregation(p=1.5, learn=True)(m[edges[0]], edges[1], dim_size=len(m)).detach()
    torch.testing.assert_close(power_mean(adjacency(edges, len(m)), m, 1.5)[1:], theirs[1:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("p", [0.5, 3.0, 6.0])
def test_gradients_of_the_power_mean_are_finite_at_its_limits(p: float) -> None:
    edges, m = drawn(4)
    m[::3], m[1::3], power = 1e-9, 50.0, torch.tensor(p, requires_grad=True)
    x = m.requires_grad_()
    power_mean(adjacency(edges, len(m)), x, power).sum().backward()
    assert x.grad.isfinite().all()
    assert power.grad.isfinite()
    assert not x.grad[::3].any()
    assert not x.grad[1::3].any()


def test_the_ends_are_mean_maximum_and_minimum() -> None:
    edges, m = drawn(1)
    near = adjacency(edges, len(m))
    said = [m[edges[0]][edges[1] == node] for node in range(1, len(m))]
    for mean in (softmax_mean(near, m, 0.0), power_mean(near, m, 1.0)):
        torch.testing.assert_close(mean[1:], torch.stack([each.mean(0) for each in said]))
    torch.testing.assert_close(
        softmax_mean(near, m, -25.0)[1:], torch.stack([e.amin(0) for e in said]), atol=0.1, rtol=0
    )
    torch.testing.assert_close(
        softmax_mean(near, m, 25.0)[1:], torch.stack([e.amax(0) for e in said]), atol=0.1, rtol=0
    )


def test_each_channel_may_have_its_own() -> None:
    edges, m = drawn(2)
    near, beta = adjacency(edges, len(m)), torch.tensor([0.0, 1.0, 5.0])
    for c in range(3):
        for mean in (softmax_mean, power_mean):
            torch.testing.assert_close(mean(near, m, beta + 1)[:, c], mean(near, m, float(beta[c]) + 1)[:, c])


@pytest.mark.parametrize("beta", [-1e4, 1e4])
def test_nothing_is_lost_where_messages_are_far_apart(beta: float) -> None:
    edges, m = drawn(3)
    found = softmax_mean(adjacency(edges, len(m)), m, beta)
    assert found.isfinite().all()
    assert (found[1:] >= m.amin(0) - 1e-5).all()
    assert (found <= m.amax(0) + 1e-5).all()
    assert (found[0] == 0).all()
