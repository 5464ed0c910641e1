"""Spiking neurons: against a double loop over neurons and time, closed forms of the rate, and gradients by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from neurorama.kernels.spiking import Surrogate, lif, spike, surrogate_slope

SHAPES = get_args(Surrogate)

STEPS = {  # the smooth step, from 0 to 1, of which each surrogate is the slope
    "tanh": lambda z: 0.5 + np.tanh(3 * np.clip(z, -0.5, 0.5)) / np.tanh(1.5) / 2,
    "rectangle": lambda z: np.clip(z, -0.5, 0.5) + 0.5,
    "fast sigmoid": lambda z: 0.5 + z / (1 + 2 * np.abs(z)),
    "arctan": lambda z: 0.5 + np.arctan(np.pi * z) / np.pi,
}


def neuron_by_neuron(inputs: np.ndarray, tau: float, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    spikes, membranes = np.zeros_like(inputs), np.zeros_like(inputs)
    for place in np.ndindex(inputs.shape[1:]):
        u = 0.0
        for t in range(len(inputs)):
            u = tau * u + inputs[(t, *place)]
            membranes[(t, *place)] = u
            if u > threshold:
                spikes[(t, *place)] = 1.0
                u = 0.0
    return spikes, membranes


@settings(max_examples=60, deadline=None)
@given(
    time=st.integers(1, 9),
    shape=st.sampled_from([(), (1,), (5,), (2, 3), (2, 1, 3, 2)]),
    tau=st.floats(0, 1),
    threshold=st.floats(0.1, 2),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_layer_is_its_neurons_one_by_one(
    time: int, shape: tuple[int, ...], tau: float, threshold: float, seed: int
) -> None:
    inputs = np.random.default_rng(seed).normal(0.4, 1, (time, *shape))
    expected = neuron_by_neuron(inputs, tau, threshold)
    assume(np.abs(expected[1] - threshold).min() > 1e-9)
    spikes, membranes = lif(torch.from_numpy(inputs), lambda u: spike(u - threshold), tau)
    np.testing.assert_array_equal(spikes.numpy(), expected[0])
    np.testing.assert_allclose(membranes.numpy(), expected[1], rtol=1e-12, atol=1e-12)


@settings(deadline=None)
@given(current=st.floats(0.05, 3), tau=st.floats(0, 0.99), threshold=st.floats(0.1, 2))
def test_a_constant_current_fires_as_often_as_the_closed_form_says(
    current: float, tau: float, threshold: float
) -> None:
    """From rest u after k steps is current (1 - tau^k) / (1 - tau); the first k above the threshold is the period."""
    highest, time = current / (1 - tau), 60
    assume(abs(highest / threshold - 1) > 1e-6)
    expected = 0
    if highest > threshold:
        needed = math.log(1 - threshold / highest) / math.log(tau) if tau else 0.0
        assume(abs(needed - round(needed)) > 1e-6 or not tau)
        expected = time // max(1, math.ceil(needed))
    spikes, _ = lif(torch.full((time, 1), current, dtype=torch.float64), lambda u: spike(u - threshold), tau)
    assert int(spikes.sum()) == expected


@settings(deadline=None)
@given(st.integers(1, 20), st.floats(0, 1))
def test_a_silent_neuron_is_a_leaky_sum(time: int, tau: float) -> None:
    inputs = torch.arange(1.0, time + 1, dtype=torch.float64)[:, None]
    _, membranes = lif(inputs, torch.zeros_like, tau)
    expected = sum(inputs[s] * tau ** (time - 1 - s) for s in range(time))
    torch.testing.assert_close(membranes[-1], expected)


def test_the_membrane_that_fired_leaves_nothing_and_the_threshold_itself_does_not_fire() -> None:
    inputs = torch.tensor([[5.0], [0.2], [0.9], [0.1]])
    spikes, membranes = lif(inputs, lambda u: spike(u - 1.0), 0.5)
    assert spikes.flatten().tolist() == [1, 0, 0, 0]
    torch.testing.assert_close(membranes.flatten(), torch.tensor([5.0, 0.2, 1.0, 0.6]))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", [0.4, 1.0, 2.5])
def test_surrogates_are_slopes_of_a_step_from_zero_to_one(shape: Surrogate, width: float) -> None:
    x = np.linspace(-3, 3, 82)  # misses the corners at +- width / 2
    h = 1e-6
    expected = (STEPS[shape]((x + h) / width) - STEPS[shape]((x - h) / width)) / (2 * h)
    slope = surrogate_slope(torch.from_numpy(x), shape, width).numpy()
    np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_surrogates_have_area_one(shape: Surrogate) -> None:
    def slope(x: float) -> float:
        return surrogate_slope(torch.tensor(x, dtype=torch.float64), shape, 0.7).item()

    edges = [-np.inf, -0.35, 0, 0.35, np.inf]
    assert sum(quad(slope, a, b)[0] for a, b in pairwise(edges)) == pytest.approx(1, abs=1e-6)


@settings(deadline=None)
@given(
    x=st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=8),
    shape=st.sampled_from(SHAPES),
    width=st.floats(0.1, 4),
)
def test_spikes_are_a_hard_step_with_a_soft_gradient(x: list[float], shape: Surrogate, width: float) -> None:
    u = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    weight = torch.arange(1.0, len(x) + 1, dtype=torch.float64)
    spikes = spike(u, shape, width)
    assert spikes.tolist() == [float(v > 0) for v in x]
    (gradient,) = torch.autograd.grad((spikes * weight).sum(), u)
    torch.testing.assert_close(gradient, weight * surrogate_slope(u.detach(), shape, width))


@settings(max_examples=25, deadline=None)
@given(
    time=st.integers(1, 6),
    tau=st.floats(0, 1),
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 2**31 - 1),
)
def test_gradients_through_time_and_reset_by_hand(time: int, tau: float, shape: Surrogate, seed: int) -> None:
    """With g the slope, du_t/du_{t-1} = tau (1 - o_{t-1} - u_{t-1} g_{t-1}), carried forward from every input."""
    threshold, width = 0.5, 1.0
    random = np.random.default_rng(seed)
    inputs, weight = random.normal(0.4, 0.6, time), random.normal(size=time)
    spikes, membranes = neuron_by_neuron(inputs, tau, threshold)
    assume(np.abs(membranes - threshold).min() > 1e-9)
    slope = surrogate_slope(torch.from_numpy(membranes - threshold), shape, width).numpy()
    expected = np.zeros(time)
    for s in range(time):
        moved = 1.0  # du_t / dx_s
        for t in range(s, time):
            if t > s:
                moved *= tau * (1 - spikes[t - 1] - membranes[t - 1] * slope[t - 1])
            expected[s] += weight[t] * slope[t] * moved
    x = torch.from_numpy(inputs).requires_grad_()
    fired, _ = lif(x, lambda u: spike(u - threshold, shape, width), tau)
    (gradient,) = torch.autograd.grad((fired * torch.from_numpy(weight)).sum(), x)
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-9, atol=1e-12)
