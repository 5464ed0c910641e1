"""Retrieval: its energy only falls, its update is attention, and its limits are a mean and a nearest neighbour."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from neurorama.kernels.retrieval import energy, update, weights

SIZES = st.integers(1, 12)


def drawn(seed: int, stored: int, d: int, size: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    patterns = size * torch.randn(stored, d, generator=draw, dtype=torch.double)
    return patterns, size * torch.randn(3, d, generator=draw, dtype=torch.double)


@given(st.integers(0, 2**31), SIZES, SIZES, st.floats(0.01, 50), st.floats(0.01, 10))
def test_the_energy_never_rises_and_is_never_negative(seed: int, stored: int, d: int, beta: float, size: float) -> None:
    patterns, state = drawn(seed, stored, d, size)
    before = energy(patterns, state, beta)
    for _ in range(5):
        state = update(patterns, state, beta)
        after = energy(patterns, state, beta)
        assert (after <= before + 1e-9 * (1 + before.abs())).all()
        assert (after >= -1e-9 * (1 + size**2)).all()
        before = after


@given(st.integers(0, 2**31), SIZES, SIZES, st.floats(0.01, 20))
def test_an_update_is_attention(seed: int, stored: int, d: int, beta: float) -> None:
    patterns, state = drawn(seed, stored, d)
    attended = scaled_dot_product_attention(state, patterns, patterns, scale=beta)
    torch.testing.assert_close(update(patterns, state, beta), attended)


def test_the_update_descends_the_gradient_of_the_energy() -> None:
    """E is a convex part plus a concave one, and grad E = state - update."""
    patterns, state = drawn(0, 7, 5)
    state.requires_grad_()
    (gradient,) = torch.autograd.grad(energy(patterns, state, 2.0).sum(), state)
    torch.testing.assert_close(gradient, state - update(patterns, state, 2.0))


def test_energy_by_the_formula() -> None:
    patterns, state = drawn(1, 6, 4)
    for xi, ours in zip(state, energy(patterns, state, 0.7)):
        total = sum(torch.exp(0.7 * (x @ xi)) for x in patterns)
        longest = max(x @ x for x in patterns)
        by_hand = -total.log() / 0.7 + xi @ xi / 2 + torch.tensor(6.0).log() / 0.7 + longest / 2
        assert float(ours) == pytest.approx(float(by_hand), rel=1e-6)


def test_limits_of_beta() -> None:
    patterns, state = drawn(2, 9, 8)
    torch.testing.assert_close(update(patterns, state, 1e-9), patterns.mean(0).expand_as(state))
    nearest = patterns[(state @ patterns.T).argmax(1)]
    torch.testing.assert_close(update(patterns, state, 1e4), nearest)


def test_shapes() -> None:
    patterns, _ = drawn(3, 4, 5)
    state = torch.zeros(2, 3, 5, dtype=torch.double)
    assert energy(patterns, state, 1.0).shape == (2, 3)
    assert weights(patterns, state, 1.0).shape == (2, 3, 4)
    torch.testing.assert_close(weights(patterns, state, 1.0).sum(-1), torch.ones(2, 3, dtype=torch.double))
    assert update(patterns, state[0, 0], 1.0).shape == (5,)
