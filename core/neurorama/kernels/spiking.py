r"""Leaky integrate-and-fire neurons, trained through a surrogate gradient.

$$u_t = \tau\,u_{t-1}(1 - o_{t-1}) + x_t, \qquad o_t = \Theta(u_t - V_{th})$$

A neuron that fires starts again from zero (hard reset). The step $\Theta$ has no useful slope, so
the backward pass takes that of a bump of area one around the threshold instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Surrogate = Literal["tanh", "rectangle", "fast sigmoid", "arctan"]

_SHARPNESS = 3.0  # of the tanh window


def surrogate_slope(x: Float[Tensor, "*s"], shape: Surrogate, width: float) -> Float[Tensor, "*s"]:
    r"""The stand-in for the slope of the step at `x` above the threshold; every shape has area one.

    Args:
        x: distance from the threshold, any shape.
        shape: "rectangle", $1/w$ for $|x| < w/2$ (Wu et al. 2018); "tanh", the slope of a tanh that runs from 0 to 1
            over the same window, as in the public code of Guo et al. (2023); "fast sigmoid",
            $1/(w(1 + 2|x|/w)^2)$ (Zenke and Ganguli 2018); "arctan", $1/(w(1 + (\pi x/w)^2))$ (Fang et al. 2021).
        width: $w$, in units of the membrane.
    """
    z = x / width
    if shape == "rectangle":
        return (z.abs() < 0.5).to(x.dtype) / width
    if shape == "tanh":
        inside = _SHARPNESS * (1 - (_SHARPNESS * z).tanh() ** 2) / (2 * math.tanh(_SHARPNESS / 2))
        return inside * (z.abs() < 0.5) / width
    if shape == "fast sigmoid":
        return 1 / (width * (1 + 2 * z.abs()) ** 2)
    return 1 / (width * (1 + (math.pi * z) ** 2))


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, shape: Surrogate, width: float) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        ctx.shape, ctx.width = shape, width
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return grad * surrogate_slope(x, ctx.shape, ctx.width), None, None


def spike(x: Float[Tensor, "*s"], shape: Surrogate = "tanh", width: float = 1.0) -> Float[Tensor, "*s"]:
    """One where `x` (the membrane above its threshold) is positive, else zero; the gradient is `surrogate_slope`."""
    return _Step.apply(x, shape, width)  # type: ignore[return-value]


def lif(
    inputs: Float[Tensor, "t *s"], fire: Callable[[Tensor], Tensor], tau: float
) -> tuple[Float[Tensor, "t *s"], Float[Tensor, "t *s"]]:
    """Runs a layer of neurons through time.

    Args:
        inputs: (t, ...) the current into each neuron at each step.
        fire: the membrane (...) of one step -> its spikes (...), e.g. `lambda u: spike(u - 1.0)`.
        tau: the share of the membrane that is kept from one step to the next, in [0, 1].

    Returns:
        spikes (t, ...) and the membranes (t, ...) that `fire` saw, before the reset.
    """
    spikes, membranes = [], []
    u = inputs[0]
    for t in range(len(inputs)):
        if t > 0:
            u = torch.addcmul(inputs[t], u, 1 - spikes[-1], value=tau)
        membranes.append(u)
        spikes.append(fire(u))
    return torch.stack(spikes), torch.stack(membranes)
