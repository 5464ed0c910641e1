"""The diagonal scan: against scipy's filter, a closed form, the plain loop and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from neurorama.kernels.scan import scan, scan_loop

TYPES = {"real": torch.float64, "complex": torch.complex128}


def coefficients(*shape: int, dtype: torch.dtype = torch.complex64, top: float = 1.0) -> torch.Tensor:
    """Numbers of absolute value at most `top`."""
    a = torch.randn(*shape, dtype=dtype)
    return top * a / a.abs().clamp(min=1)


@pytest.mark.parametrize("dtype", TYPES.values(), ids=TYPES)
def test_each_mode_is_a_first_order_filter(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    a, b = coefficients(5, dtype=dtype), torch.randn(3, 40, 5, dtype=dtype)
    ours = scan(a, b, chunk=7).numpy()
    for mode in range(5):
        theirs = lfilter([1.0], [1.0, -a[mode].item()], b[..., mode].numpy(), axis=1)
        np.testing.assert_allclose(ours[..., mode], theirs, rtol=1e-10, atol=1e-10)


def test_an_impulse_decays_as_a_power() -> None:
    a = torch.tensor([0.9 + 0.3j, -0.5 + 0.0j, 0.1j, 1.0 + 0.0j], dtype=torch.complex128)
    b = torch.zeros(50, 4, dtype=a.dtype)
    b[0] = 1
    powers = a[None] ** torch.arange(50)[:, None]
    torch.testing.assert_close(scan(a, b), powers)


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 70),
    chunk=st.none() | st.integers(1, 80),
    batch=st.sampled_from([(), (2,), (2, 3)]),
    dtype=st.sampled_from([torch.float32, torch.complex64]),
    per_step=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
def test_chunks_do_not_change_the_states(
    length: int, chunk: int | None, batch: tuple[int, ...], dtype: torch.dtype, per_step: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    a = coefficients(*((length,) if per_step else ()), 3, dtype=dtype)
    b = torch.randn(*batch, length, 3, dtype=dtype)
    torch.testing.assert_close(scan(a, b, chunk), scan_loop(a, b), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("dtype", TYPES.values(), ids=TYPES)
def test_gradients_against_finite_differences(dtype: torch.dtype, per_step: bool) -> None:
    torch.manual_seed(0)
    a = coefficients(*((2, 7) if per_step else ()), 3, dtype=dtype).requires_grad_()
    b = torch.randn(2, 7, 3, dtype=dtype, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: scan(a, b, chunk=3), (a, b))


def test_gradients_equal_those_of_the_loop_when_coefficients_broadcast() -> None:
    torch.manual_seed(0)
    a, b = coefficients(9, 4).requires_grad_(), torch.randn(5, 9, 4, dtype=torch.complex64, requires_grad=True)
    weight = torch.randn(5, 9, 4, dtype=torch.complex64)
    both = [torch.autograd.grad((run(a, b) * weight).real.sum(), (a, b)) for run in (scan, scan_loop)]
    torch.testing.assert_close(both[0], both[1])


def test_long_sequences_of_tiny_coefficients_stay_finite() -> None:
    a = torch.tensor([1e-30, 1e-3, 0.999999, 1.0]).requires_grad_()
    b = torch.ones(2, 5000, 4, requires_grad=True)
    x = scan(a, b)
    x.mean().backward()
    assert torch.isfinite(x).all()
    assert torch.isfinite(a.grad).all()
    assert torch.isfinite(b.grad).all()
    torch.testing.assert_close(x[0, -1, 1], torch.tensor(1 / (1 - 1e-3)))


def test_a_real_coefficient_takes_complex_input() -> None:
    a, b = torch.tensor([0.5]).requires_grad_(), torch.randn(6, 1, dtype=torch.complex64)
    x = scan(a, b)
    assert x.dtype == torch.complex64
    x.abs().sum().backward()
    assert a.grad.dtype == torch.float32


@pytest.mark.parametrize("case", [(0, None), (4, 0), (4, -1)])
def test_what_cannot_be_scanned_is_refused(case: tuple[int, int | None]) -> None:
    length, chunk = case
    with pytest.raises(ValueError, match="at least one step"):
        scan(torch.ones(2), torch.ones(length, 2), chunk)
