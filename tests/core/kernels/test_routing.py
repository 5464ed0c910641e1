"""Noisy top-k gating against dense softmax, brute force, the normal distribution and simulation."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from neurorama.kernels.routing import chance_of_choice, dispatch, kth_excluding, squared_cv, top_k_gates


@st.composite
def cases(draw):
    """Logits (b, n), some of them equal, and a k."""
    b, n = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    seed = draw(st.integers(0, 2**31))
    h = torch.randn(b, n, generator=torch.Generator().manual_seed(seed))
    if draw(st.booleans()):
        h = h.round()  # ties
    return h, draw(st.integers(1, n))


@given(cases())
def test_gates_are_a_softmax_over_exactly_k(case):
    h, k = case
    gates, chosen = top_k_gates(h, k)
    assert (chosen.sum(1) == k).all()
    assert torch.equal(gates > 0, chosen)
    assert torch.allclose(gates.sum(1), torch.ones(len(h)))
    for row, gate, mask in zip(h, gates, chosen):
        assert row[mask].min() >= row[~mask].max() if k < h.shape[1] else True
        assert torch.allclose(gate[mask], row[mask].softmax(0), atol=1e-6)


@given(cases())
def test_all_experts_is_the_dense_softmax(case):
    h, _ = case
    gates, chosen = top_k_gates(h, h.shape[1])
    assert chosen.all()
    assert torch.allclose(gates, h.softmax(1), atol=1e-6)


@given(cases())
def test_kth_excluding_is_what_a_loop_finds(case):
    h, k = case
    found = kth_excluding(h, k)
    for b in range(h.shape[0]):
        for i in range(h.shape[1]):
            others = sorted((float(h[b, j]) for j in range(h.shape[1]) if j != i), reverse=True)
            assert float(found[b, i]) == (others[k - 1] if k <= len(others) else -np.inf)


@given(cases())
def test_beating_the_kth_other_is_being_chosen(case):
    h, k = case
    h = h + torch.arange(h.shape[1]) * 1e-3  # no ties
    _, chosen = top_k_gates(h, k)
    assert torch.equal(h > kth_excluding(h, k), chosen)


@given(cases())
def test_chance_is_the_normal_distribution_of_scipy(case):
    clean, k = case
    draw = torch.Generator().manual_seed(1)
    spread = 0.1 + torch.rand(clean.shape, generator=draw)
    noisy = clean + spread * torch.randn(clean.shape, generator=draw)
    found = chance_of_choice(clean, noisy, spread, k)
    if k == clean.shape[1]:
        assert (found == 1).all()
    else:
        expected = norm.cdf(clean.numpy(), loc=kth_excluding(noisy, k).numpy(), scale=spread.numpy())
        assert np.allclose(found.numpy(), expected, atol=1e-5)


def test_load_estimate_is_what_drawing_the_noise_again_gives():
    """One expert's noise is drawn again and again, the others keep theirs: the share of draws in which it is chosen."""
    torch.manual_seed(0)
    b, n, k, draws = 40, 6, 2, 4000
    clean, spread = torch.randn(b, n), 0.3 + torch.rand(b, n)
    noisy = clean + spread * torch.randn(b, n)
    expected = torch.zeros(n)
    for i in range(n):
        again = noisy.expand(draws, b, n).clone()
        again[:, :, i] = clean[:, i] + spread[:, i] * torch.randn(draws, b)
        _, chosen = top_k_gates(again.reshape(-1, n), k)
        expected[i] = chosen[:, i].float().sum() / draws
    found = chance_of_choice(clean, noisy, spread, k).sum(0)
    # each of b chances has a standard error of at most 0.5 / sqrt(draws); five of them for their sum
    assert torch.allclose(found, expected, atol=5 * 0.5 * (b / draws) ** 0.5)


def test_load_has_gradients_and_they_point_to_more_load():
    torch.manual_seed(0)
    clean, spread = torch.randn(8, 5, requires_grad=True), torch.ones(8, 5, requires_grad=True)
    noisy = (clean + spread * torch.randn(8, 5)).detach()
    chance_of_choice(clean, noisy, spread, 2).sum().backward()
    assert clean.grad is not None
    assert (clean.grad > 0).all()
    assert spread.grad is not None
    assert spread.grad.isfinite().all()


def test_gradients_are_finite_when_everyone_is_chosen():
    clean, spread = torch.randn(4, 3, requires_grad=True), torch.ones(4, 3, requires_grad=True)
    (chance_of_choice(clean, clean, spread, 3).sum() + (clean * spread).sum()).backward()
    assert clean.grad is not None
    assert clean.grad.isfinite().all()


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=20))
def test_squared_cv(values):
    found = float(squared_cv(torch.tensor(values)))
    assert found == pytest.approx((np.std(values) / np.mean(values)) ** 2, abs=1e-5, rel=1e-4)


@given(cases())
def test_dispatch_names_each_chosen_pair_once(case):
    h, k = case
    _, chosen = top_k_gates(h, k)
    rows, counts = dispatch(chosen)
    assert counts == chosen.sum(0).tolist()
    pairs = [(int(r), expert) for expert, part in enumerate(rows.split(counts)) for r in part]
    assert sorted(pairs) == [(b, i) for b in range(len(h)) for i in range(h.shape[1]) if chosen[b, i]]


@pytest.mark.parametrize("k", [0, 4])
def test_k_must_fit(k):
    with pytest.raises(ValueError, match=f"k={k}"):
        top_k_gates(torch.zeros(2, 3), k)
