"""Minima as layers, against closed forms, numpy's solvers and gradients that go through a direct solution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neurorama.kernels.implicit import Minimum, conjugate_gradients, largest_eigenvalue


def positive(seed: int, n: int) -> Tensor:
    """A symmetric matrix with eigenvalues from 1 to about 10."""
    draw = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(n, n, generator=draw, dtype=torch.float64))
    return q @ torch.diag(1 + 9 * torch.rand(n, generator=draw, dtype=torch.float64)) @ q.T


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_conjugate_gradients_solve(seed: int, n: int) -> None:
    a, b = positive(seed, n), torch.randn(n, 1, dtype=torch.float64)
    v = conjugate_gradients(lambda p: a @ p, b, torch.randn(n, 1, dtype=torch.float64), 4 * n, tol=1e-9)
    np.testing.assert_allclose(v.numpy(), np.linalg.solve(a.numpy(), b.numpy()), atol=1e-6)


def test_conjugate_gradients_end_where_the_matrix_is_not_positive() -> None:
    v = conjugate_gradients(lambda p: -p, torch.ones(3, 1), torch.zeros(3, 1), 10)
    assert torch.equal(v, torch.zeros(3, 1))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_gradients_of_a_quadratic_minimum_are_those_of_the_solution(seed: int) -> None:
    """h* = (I + s A)^-1 B t: both s and t get the gradient that autograd finds through the inverse."""
    torch.manual_seed(seed)
    a, b = positive(seed, 6), torch.randn(6, 4, dtype=torch.float64)
    s = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    t = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 2, dtype=torch.float64)
    minimum = Minimum(torch.zeros(6, 2, dtype=torch.float64), steps=30)
    h = minimum.find(lambda h: h + s * (a @ h) - b @ t, newtons=3, tol=1e-9)
    ours = torch.autograd.grad((weight * h.sin()).sum(), [s, t])
    exact = torch.linalg.solve(torch.eye(6, dtype=torch.float64) + s * a, b @ t)
    torch.testing.assert_close(h, exact, atol=1e-3, rtol=1e-3)
    for one, other in zip(ours, torch.autograd.grad((weight * exact.sin()).sum(), [s, t])):
        torch.testing.assert_close(one, other, atol=2e-2, rtol=2e-2)


def test_newton_is_held_back_where_its_step_is_too_long() -> None:
    """On log cosh, whose slope is tanh, Newton's method diverges from 2 unless its steps are halved."""
    minimum = Minimum(torch.tensor([[2.0]]))
    h = minimum.find(lambda h: h.tanh() + 1e-4 * h, newtons=12)
    assert abs(float(h.detach())) < 1e-3


def test_the_largest_eigenvalue_is_that_of_the_hessian() -> None:
    a = positive(3, 8)
    found = largest_eigenvalue(lambda h: a @ h, torch.zeros(8, 1, dtype=torch.float64), steps=200)
    assert found == pytest.approx(np.linalg.eigvalsh(a.numpy()).max(), rel=1e-3)
