"""Partly input-convex networks: what they promise, tried on random points, and their equations in numpy."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorama.kernels.input_convex import InputConvex


def network(seed: int, convex: bool = True) -> InputConvex:
    """With parameters of any sign, so that what holds holds by construction."""
    torch.manual_seed(seed)
    net = InputConvex(rising=3, free=2, context=2, hidden=6, out=4, convex=convex)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    return net.double()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.95))
def test_it_is_convex_in_y_and_rises(seed: int, share: float) -> None:
    net = network(seed)
    about = net.about(torch.randn(50, 2).double())
    one, other = 3 * torch.randn(2, 50, 5).double()
    chord = share * net(one, about) + (1 - share) * net(other, about)
    assert (net(share * one + (1 - share) * other, about) <= chord + 1e-9).all()
    more = one.clone()
    more[:, :3] += torch.rand(50, 3)
    assert (net(more, about) >= net(one, about) - 1e-9).all()


def test_with_weights_of_any_sign_it_is_neither() -> None:
    worst = 0.0
    for seed in range(5):
        net = network(seed, convex=False)
        about = net.about(torch.randn(50, 2).double())
        one, other = 3 * torch.randn(2, 50, 5).double()
        gap = net((one + other) / 2, about) - (net(one, about) + net(other, about)) / 2
        worst = max(worst, float(gap.detach().max()))
    assert worst > 0.1


def test_values_are_those_of_the_equations() -> None:
    net = network(1)
    y, u = torch.randn(7, 5).double(), torch.randn(7, 2).double()
    expected = net(y, net.about(u)).detach().numpy()
    w0, w1, wz = (layer.weight.detach().numpy().copy() for layer in (net.y0, net.y1, net.z))
    for w in (w0, w1):
        w[:, :3] = np.maximum(w[:, :3], 0)
    wz = np.maximum(wz, 0)
    all_of_u = net.u(u).detach().numpy()
    for row in range(7):
        a0, a1, g0, g1, gz = np.split(all_of_u[row], np.cumsum([6, 4, 5, 5]))
        g0[:3], g1[:3], gz = np.maximum(g0[:3], 0), np.maximum(g1[:3], 0), np.maximum(gz, 0)
        z = np.log1p(np.exp(w0 @ (y[row].numpy() * g0) + a0))
        out = np.log1p(np.exp(wz @ (z * gz) + w1 @ (y[row].numpy() * g1) + a1))
        np.testing.assert_allclose(expected[row], out, rtol=1e-6)
