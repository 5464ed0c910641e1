"""k-subsets against enumeration of all of them, finite differences, and torch's Gumbel-softmax."""

from __future__ import annotations

import math
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Generator, Tensor

from neurorama.kernels.subsets import gumbel_top_k, log_partition, marginals, relaxed_top_k, sample, simple


@st.composite
def rows(draw: st.DrawFn) -> tuple[Tensor, int, Tensor]:
    """(theta (2, n), k, mask): some rows have fewer than k candidates, or none."""
    n = draw(st.integers(1, 7))
    weight = st.lists(st.floats(-4, 4), min_size=n, max_size=n)
    there = st.lists(st.booleans(), min_size=n, max_size=n)
    theta = torch.tensor(draw(st.tuples(weight, weight)), dtype=torch.float64)
    return theta, draw(st.integers(0, n + 1)), torch.tensor(draw(st.tuples(there, there)))


def every(theta: Tensor, k: int, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """(members (s, n), p (s,), log Z): all subsets of one row, and how likely each is."""
    there = range(len(theta)) if mask is None else mask.nonzero()[:, 0].tolist()
    members = torch.zeros(math.comb(len(there), min(k, len(there))), len(theta), dtype=torch.float64)
    for s, subset in enumerate(combinations(there, min(k, len(there)))):
        members[s, list(subset)] = 1
    log = members @ theta
    return members, log.softmax(0), log.logsumexp(0)


@settings(deadline=None)
@given(rows())
def test_partition_and_marginals_equal_enumeration(case: tuple[Tensor, int, Tensor]) -> None:
    theta, k, mask = case
    theta.requires_grad_()
    total, chance = log_partition(theta, k, mask), marginals(theta, k, mask)
    for r in range(2):
        members, p, log_z = every(theta[r].detach(), k, mask[r])
        torch.testing.assert_close(total[r], log_z)
        torch.testing.assert_close(chance[r], p @ members)
    (slope,) = torch.autograd.grad(total.sum(), theta)
    torch.testing.assert_close(slope, chance)


@settings(deadline=None)
@given(rows(), st.integers(0, 2**31))
def test_samples_have_k_members_that_are_there_and_repeat_with_the_seed(
    case: tuple[Tensor, int, Tensor], seed: int
) -> None:
    theta, k, mask = case
    for draw in (sample, simple, gumbel_top_k):
        z = draw(theta, k, mask, generator=Generator().manual_seed(seed))
        assert torch.equal(z, draw(theta, k, mask, generator=Generator().manual_seed(seed)))
        assert set(z.unique().tolist()) <= {0.0, 1.0}
        assert not z[~mask].any()
        assert z.sum(1).tolist() == mask.sum(1).clamp(max=k).tolist()


@settings(deadline=None, max_examples=15)
@given(rows())
def test_gradients_equal_finite_differences(case: tuple[Tensor, int, Tensor]) -> None:
    theta, k, mask = case
    theta.requires_grad_()
    assert torch.autograd.gradcheck(lambda t: marginals(t, k, mask), (theta,))
    assert torch.autograd.gradcheck(lambda t: relaxed_top_k(t, k, mask), (theta,))
    assert torch.autograd.gradgradcheck(lambda t: log_partition(t, k, mask), (theta,))


@settings(deadline=None)
@given(rows(), st.integers(0, 2**31))
def test_simple_passes_the_gradient_through_the_covariance(case: tuple[Tensor, int, Tensor], seed: int) -> None:
    theta, k, mask = case
    theta.requires_grad_()
    pull = torch.randn(theta.shape, dtype=theta.dtype, generator=Generator().manual_seed(seed))
    (slope,) = torch.autograd.grad((simple(theta, k, mask) * pull).sum(), theta)
    for r in range(2):
        members, p, _ = every(theta[r].detach(), k, mask[r])
        mean = p @ members
        covariance = members.T @ (p[:, None] * members) - mean[:, None] * mean
        torch.testing.assert_close(slope[r], covariance @ pull[r])


THETA = torch.tensor([1.0, -0.5, 0.3, 0.0, -1.2], dtype=torch.float64)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_subsets_come_as_often_as_they_should(k: int) -> None:
    members, p, _ = every(THETA, k)
    z = sample(THETA.expand(20_000, -1), k, generator=Generator().manual_seed(0))
    seen = (z @ members.T == k).sum(0)
    assert seen.sum() == 20_000
    assert chisquare(seen, 20_000 * p).pvalue > 1e-3


@pytest.mark.parametrize("k", [1, 2, 4])
def test_gumbel_top_k_draws_one_after_the_other(k: int) -> None:
    members, exact, _ = every(THETA, k)
    p = torch.zeros(len(members), dtype=torch.float64)
    for order in permutations(range(5), k):
        chance, left = 1.0, THETA.exp().clone()
        for i in order:
            chance, left[i] = chance * float(left[i] / left.sum()), 0
        p[(members[:, list(order)].sum(1) == k).nonzero()] += chance
    z = gumbel_top_k(THETA.expand(20_000, -1), k, generator=Generator().manual_seed(0))
    seen = (z @ members.T == k).sum(0)
    assert chisquare(seen, 20_000 * p).pvalue > 1e-3
    assert k == 1 or chisquare(seen, 20_000 * exact).pvalue < 1e-3  # not the same as `sample`


def test_one_of_n_is_a_softmax() -> None:
    theta = torch.randn(3, 9, dtype=torch.float64)
    torch.testing.assert_close(marginals(theta, 1), theta.softmax(-1))
    torch.testing.assert_close(log_partition(theta, 1), theta.logsumexp(-1))
    torch.testing.assert_close(relaxed_top_k(theta, 1, tau=0.7), (theta / 0.7).softmax(-1))


def test_one_of_n_has_the_gradient_of_torchs_gumbel_softmax() -> None:
    theta, pull = torch.randn(4, 6, requires_grad=True), torch.randn(4, 6)
    torch.manual_seed(0)
    noise = -torch.empty_like(theta, memory_format=torch.legacy_contiguous_format).exponential_().log()
    ours = torch.autograd.grad((relaxed_top_k(theta + noise, 1, tau=0.5) * pull).sum(), theta)
    torch.manual_seed(0)
    hard = torch.nn.functional.gumbel_softmax(theta, tau=0.5, hard=True)
    torch.testing.assert_close(ours, torch.autograd.grad((hard * pull).sum(), theta))


def test_a_cold_relaxation_is_the_hard_choice() -> None:
    scores = torch.tensor([[0.3, -1.0, 2.0, 0.9]])
    torch.testing.assert_close(relaxed_top_k(scores, 2, tau=0.01), torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    theta = torch.randn(5, 8, requires_grad=True)
    gumbel_top_k(theta, 3).square().sum().backward()
    assert theta.grad.isfinite().all()
    assert theta.grad.abs().sum() > 0


def test_large_tables_equal_the_coefficients_of_a_polynomial() -> None:
    theta = 0.3 * torch.randn(300, dtype=torch.float64, generator=Generator().manual_seed(0))
    coefficients = np.poly(-theta.exp().numpy())  # prod (x + e^theta_i)
    for k in (1, 7, 40):
        assert float(log_partition(theta, k)) == pytest.approx(math.log(coefficients[k]), rel=1e-9)
        assert float(marginals(theta, k).sum()) == pytest.approx(k)


def test_far_weights_do_not_overflow_and_only_differences_count() -> None:
    theta = torch.tensor([800.0, 800.0, -900.0, 0.0, -900.0], requires_grad=True)
    chance = marginals(theta, 3)
    torch.testing.assert_close(chance, torch.tensor([1.0, 1, 0, 1, 0]))
    (slope,) = torch.autograd.grad((chance * torch.randn(5)).sum(), theta)
    assert slope.isfinite().all()
    weights = torch.randn(40)
    torch.testing.assert_close(marginals(weights + 50, 11), marginals(weights, 11))


def test_less_than_nothing_cannot_be_chosen() -> None:
    with pytest.raises(ValueError, match="k=-1"):
        sample(THETA, -1)
