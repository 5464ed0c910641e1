"""The selective scan against a loop over single numbers, scipy's filter, and what padding and order must not change."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from torch import Generator, Tensor

from neurorama.kernels.selective_scan import (
    BidirectionalMamba,
    Mamba,
    Reading,
    selective_scan,
    selective_scan_loop,
)


def naive(x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, mask: Tensor) -> np.ndarray:
    """The recurrence in plain numbers, one sequence: masked tokens are left out."""
    y = np.zeros(x.shape)
    for c in range(x.shape[1]):
        h = [0.0] * A.shape[1]
        for i in range(len(x)):
            if not mask[i]:
                continue
            step = float(delta[i, c])
            for s in range(A.shape[1]):
                h[s] = math.exp(step * float(A[c, s])) * h[s] + step * float(B[i, s]) * float(x[i, c])
            y[i, c] = sum(float(C[i, s]) * h[s] for s in range(A.shape[1])) + float(D[c]) * float(x[i, c])
    return y


def case(batch: int, length: int, d: int, n: int, seed: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    draw = Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=dtype, generator=draw)

    x, delta, A = normal(batch, length, d), normal(batch, length, d).exp(), -normal(d, n).exp()
    mask = torch.rand(batch, length, generator=draw) < 0.7
    return [x, delta, A, normal(batch, length, n), normal(batch, length, n), normal(d), mask]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 2), st.integers(1, 12), st.integers(1, 3), st.integers(1, 3), st.integers(0, 10_000))
def test_scan_and_loop_equal_plain_numbers(batch: int, length: int, d: int, n: int, seed: int) -> None:
    x, delta, A, B, C, D, mask = case(batch, length, d, n, seed)
    expected = np.stack([naive(x[b], delta[b], A, B[b], C[b], D, mask[b]) for b in range(batch)])
    for ours in (selective_scan(x, delta, A, B, C, D, mask), selective_scan_loop(x, delta, A, B, C, D, mask)):
        np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-10, atol=1e-10)
    everyone = torch.ones_like(mask)
    expected = np.stack([naive(x[b], delta[b], A, B[b], C[b], 0 * D, everyone[b]) for b in range(batch)])
    np.testing.assert_allclose(selective_scan(x, delta, A, B, C).numpy(), expected, rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 300), st.none() | st.integers(1, 70), st.integers(0, 10_000))
def test_chunks_do_not_change_the_result(length: int, chunk: int | None, seed: int) -> None:
    given_ = case(2, length, 3, 4, seed, torch.float32)
    torch.testing.assert_close(selective_scan(*given_, chunk), selective_scan_loop(*given_), rtol=1e-5, atol=1e-5)


def test_gradients_equal_finite_differences() -> None:
    *tensors, mask = case(2, 6, 2, 3, 0)
    tensors = [t.requires_grad_() for t in tensors]
    assert torch.autograd.gradcheck(lambda *t: selective_scan(*t, mask, 2), tensors)


def test_steps_that_stay_the_same_make_a_filter() -> None:
    x = torch.randn(1, 60, 1, dtype=torch.float64)
    one = torch.ones_like(x)
    ours = selective_scan(x, 0.3 * one, torch.full((1, 1), -0.8, dtype=torch.float64), 2 * one, -one)
    theirs = lfilter([-0.6], [1, -math.exp(-0.24)], x[0, :, 0].numpy())
    np.testing.assert_allclose(ours[0, :, 0].numpy(), theirs, rtol=1e-10)


def test_a_large_step_forgets_and_a_small_one_passes_over() -> None:
    x, delta, A, B, C, D, _ = case(1, 8, 2, 2, 1)
    delta[:, 5] = 1e3
    other = x.clone()
    other[:, :5] += 1
    torch.testing.assert_close(
        selective_scan(x, delta, A, B, C, D)[:, 5:], selective_scan(other, delta, A, B, C, D)[:, 5:]
    )
    delta[:, 3] = 0
    without = [t[:, [0, 1, 2, 4, 5, 6, 7]] if t.dim() == 3 else t for t in (x, delta, A, B, C, D)]
    torch.testing.assert_close(selective_scan(x, delta, A, B, C, D)[:, 4:], selective_scan(*without)[:, 3:])


def test_a_block_equals_its_formula_in_plain_steps() -> None:
    torch.manual_seed(0)
    block, tokens = Mamba(5, states=3, reach=3).double(), torch.randn(1, 7, 5, dtype=torch.float64)
    with torch.no_grad():
        x, gate = (tokens[0] @ block.enter.weight.T).chunk(2, dim=1)
        padded = torch.cat([torch.zeros(2, 10, dtype=x.dtype), x])
        kernel = block.convolve.weight[:, 0]  # (channels, 3)
        mixed = torch.stack([(padded[i : i + 3] * kernel.T).sum(0) + block.convolve.bias for i in range(7)])
        mixed = mixed * mixed.sigmoid()
        low, B, C = (mixed @ block.select.weight.T).split([1, 3, 3], dim=1)
        delta = (1 + (low @ block.step.weight.T + block.step.bias).exp()).log()
        A, everyone = -block.A_log.exp(), torch.ones(7, dtype=torch.bool)
        y = torch.from_numpy(naive(mixed, delta, A, B, C, block.D, everyone))
        expected = (y * gate * gate.sigmoid()) @ block.leave.weight.T
        torch.testing.assert_close(block(tokens)[0], expected)


def test_a_blocks_first_steps_are_between_a_thousandth_and_a_tenth() -> None:
    steps = torch.nn.functional.softplus(Mamba(200).step.bias)
    assert 0.00099 < steps.min() < 0.002
    assert 0.05 < steps.max() < 0.101


@pytest.mark.parametrize("layer", [Mamba, BidirectionalMamba])
def test_padding_does_not_matter(layer: type[Mamba]) -> None:
    torch.manual_seed(0)
    block, short = layer(6, states=4), torch.randn(1, 9, 6)
    junk = torch.full((1, 4, 6), 7.0)
    mask = torch.tensor([[True] * 9 + [False] * 4])
    out = block(torch.cat([short, junk], 1), mask)
    torch.testing.assert_close(out[:, :9], block(short))
    assert not out[:, 9:].any()


def test_one_direction_sees_the_past_both_see_all() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(1, 10, 6)
    later = tokens.clone()
    later[:, 6] += 1
    one, both = Mamba(6, states=4), BidirectionalMamba(6, states=4)
    torch.testing.assert_close(one(tokens)[:, :6], one(later)[:, :6])
    assert ((both(tokens) - both(later)).abs().amax(-1) > 0).all()


def test_two_directions_swapped_read_the_reversed_sequence() -> None:
    torch.manual_seed(0)
    both, tokens = BidirectionalMamba(6, states=4), torch.randn(2, 10, 6)
    forth = both(tokens)
    both.ahead, both.back = both.back, both.ahead
    torch.testing.assert_close(both(tokens.flip(1)).flip(1), forth)


def test_a_reading_adds_what_its_block_makes_of_normalised_tokens_and_tells_its_steps() -> None:
    torch.manual_seed(0)
    tokens, mask = torch.randn(2, 5, 8), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    for both in (True, False):
        reading = Reading(8, states=3, both_ways=both)
        calm = torch.nn.functional.layer_norm(tokens, (8,))
        torch.testing.assert_close(reading(tokens, mask), tokens + reading.block(calm, mask))
        ahead = reading.block.ahead if both else reading.block
        x = ahead.enter(calm)[..., :16].where(mask[..., None], 0.0)
        x = torch.nn.functional.silu(ahead.convolve(torch.nn.functional.pad(x.mT, (3, 0))).mT)
        low = x @ ahead.select.weight[: ahead.sizes[0]].T
        step = (1 + ahead.step(low).exp()).log().mean(2)
        torch.testing.assert_close(reading.let_in(tokens, mask), step)
        assert not ahead.step._forward_hooks
