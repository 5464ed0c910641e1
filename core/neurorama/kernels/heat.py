r"""The heat kernel at work: what each channel is after its own time of diffusion.

$$y_c = e^{-t_c L} x_c = e^{-t_c} e^{t_c A} x_c = \sum_{k \ge 0} (2 - [k = 0])\, e^{-t_c} I_k(t_c)\; T_k(A)\, x_c,
\qquad L = I - A$$

The Chebyshev polynomials $T_k(A)x$ serve all times at once and the coefficients, of modified Bessel functions, sum to
one, so that what is left out is known. With $\partial y_c / \partial t_c = -L y_c$ the gradient needs the result only.
Behmanesh et al. (2023), TIDE, https://arxiv.org/abs/2212.02483, learn a time for each channel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import ive
from torch import Tensor
from torch.autograd.function import once_differentiable

from .propagation import Adjacency


def heat(near: Adjacency, x: Float[Tensor, "n d"], time: Float[Tensor, "*d"]) -> Float[Tensor, "n d"]:
    r"""$e^{-tL}x$ to the precision of `x`, with gradients to `x` and `time`; $\dot y = -Ly$ is `near @ y - y`.

    It takes about $\sqrt{72\,t}$ products for a long time t in double precision, two thirds of them in single.

    Args:
        near: A, with real eigenvalues in [-1, 1]: one of `normalised`, by either way; $L = I - A$.
        x: the start.
        time: (d,) one for each channel, or () the same for all; 0 or more.

    Raises:
        ValueError: a negative time, or entries of A that want a gradient, which they would not get.
    """
    if near.weight.requires_grad:
        raise ValueError("heat gives no gradient to the entries of the matrix")
    if bool((time < 0).any()):
        raise ValueError(f"heat does not flow backwards: time {float(time.min()):g} is negative")
    return _Heat.apply(x, time.expand(x.shape[1]), near)  # type: ignore[return-value]


class _Heat(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, time: Tensor, near: Adjacency) -> Tensor:  # type: ignore[override]
        y = _chebyshev(near, x, time)
        ctx.near = near
        ctx.save_for_backward(y, time)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # type: ignore[override]
        y, time = ctx.saved_tensors
        to_x = _chebyshev(ctx.near.transposed(), grad, time) if ctx.needs_input_grad[0] else None
        to_time = (grad * (ctx.near @ y - y)).sum(0) if ctx.needs_input_grad[1] else None
        return to_x, to_time, None


def _chebyshev(near: Adjacency, x: Tensor, time: Tensor) -> Tensor:
    share = _coefficients(time, torch.finfo(x.dtype).eps).to(x)
    before, now = x, near @ x
    y = share[0] * before + share[1] * now
    for k in range(2, len(share)):
        before, now = now, 2 * (near @ now) - before
        y = y + share[k] * now
    return y


def _coefficients(time: Tensor, exact: float) -> Tensor:
    """(degree + 1, d) of each polynomial for each time; what is left out sums to less than `exact`."""
    t = time.detach().double().numpy()
    most = float(t.max(initial=0.0))
    degrees = np.arange(31 + int(9 * most**0.5))  # the shares are Skellam's, of variance t
    share = np.where(degrees == 0, 1, 2)[:, None] * ive(degrees[:, None], t)
    left_out = share[::-1].cumsum(0)[::-1].max(axis=1, initial=0.0)
    enough = max(2, int((left_out > exact).sum()))
    return torch.from_numpy(share[:enough])
