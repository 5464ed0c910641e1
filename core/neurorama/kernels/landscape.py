r"""The loss along a straight line between two points of weight space, and its curvature.

With $\theta(s) = p + s\,d$ and $d = q - p$, the barrier of a path is what the loss lies above its chord,

$$B(a) = L(\theta(a)) - (1 - a)\,L(p) - a\,L(q).$$

It vanishes at both ends and $B'' = d^\top H d$, so Green's function of the second derivative gives it back exactly:

$$B(a) = -\int_0^1 g(a, s)\; d^\top H(\theta(s))\, d\; ds, \qquad g(a, s) = \min(a, s)\,(1 - \max(a, s)).$$
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Loss = Callable[[Tensor], Tensor]  # a flat weight vector (p,) -> a scalar


def segment(a: Float[Tensor, "*b p"], b: Float[Tensor, "*b p"], s: Float[Tensor, " n"]) -> Float[Tensor, "*b n p"]:
    """The points (1 - s) a + s b for each s."""
    return a[..., None, :] + s[:, None] * (b - a)[..., None, :]


def barrier(losses: Float[Tensor, "*b n"], s: Float[Tensor, " n"]) -> Float[Tensor, "*b n"]:
    """What `losses` at the places `s` (rising from 0 to 1) lie above the chord between their ends."""
    return losses - (1 - s) * losses[..., :1] - s * losses[..., -1:]


def hvp(loss: Loss, point: Float[Tensor, " p"], direction: Float[Tensor, " p"]) -> Float[Tensor, " p"]:
    """Hessian of `loss` at `point` times `direction`, forward over reverse: the Hessian is never formed."""
    return torch.func.jvp(torch.func.grad(loss), (point,), (direction,))[1]


def curvatures(
    loss: Loss, points: Float[Tensor, "n p"], directions: Float[Tensor, "n p"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Slope and curvature of `loss` at each point along its direction: $d^T \\nabla L$ and $d^T H d$."""

    def one(point: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
        slope, bend = torch.func.jvp(torch.func.grad(loss), (point,), (direction,))
        return slope @ direction, bend @ direction

    return torch.func.vmap(one)(points, directions)


def barrier_from_curvature(curvature: Float[Tensor, "*b n"], s: Float[Tensor, " n"]) -> Float[Tensor, "*b n"]:
    """The barrier at the places `s` from the curvature there, by the trapezoid rule on the integral above.

    Args:
        curvature: $d^T H(s) d$ at each of `s`.
        s: rising from 0 to 1; the kink of $g$ falls on a node, so that the error is of second order in the spacing.
    """
    g = torch.minimum(s[:, None], s) * (1 - torch.maximum(s[:, None], s))
    return -torch.trapezoid(g * curvature[..., None, :], s, dim=-1)
