r"""The loss along a straight line between two points of weight space, and its curvature.

With $\theta(s) = p + s\,d$ and $d = q - p$, the barrier of a path is what the loss lies above its chord,

$$B(a) = L(\theta(a)) - (1 - a)\,L(p) - a\,L(q).$$

It vanishes at both ends and $B'' = d^\top H d$, so Green's function of the second derivative gives it back exactly:

$$B(a) = -\int_0^1 g(a, s)\; d^\top H(\theta(s))\, d\; ds, \qquad g(a, s) = \min(a, s)\,(1 - \max(a, s)).$$
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

Losses = Callable[[Tensor], Tensor]  # flat weight vectors (n, p) -> the loss of each, (n,)


def sizes_of(widths: Sequence[int]) -> list[int]:
    """How many of the flat weights belong to each layer of a network of these widths, biases included."""
    return [(a + 1) * b for a, b in pairwise(widths)]


def tanh_network(
    theta: Float[Tensor, "r p"], x: Float[Tensor, "*r n i"], widths: Sequence[int]
) -> Float[Tensor, "r n o"]:
    """r tanh networks, each with its weights in one flat vector: smooth in them, as the integral above wants it."""
    h, last = x, len(widths) - 2
    for i, part in enumerate(theta.split(sizes_of(widths), dim=-1)):
        layer = part.unflatten(-1, (widths[i] + 1, widths[i + 1]))  # the last row is the bias
        h = h @ layer[..., :-1, :] + layer[..., -1:, :]
        h = h.tanh() if i < last else h
    return h


def tanh_losses(
    theta: Float[Tensor, "r p"], widths: Sequence[int], x: Float[Tensor, "*r n i"], y: Int[Tensor, "*r n"]
) -> Float[Tensor, " r"]:
    """Mean cross-entropy of each of r networks, on rows of its own (r, n, i) or on the same for all (n, i)."""
    out = tanh_network(theta, x, widths)  # (r, n, classes)
    return torch.nn.functional.cross_entropy(out.mT, y.expand(out.shape[:-1]), reduction="none").mean(-1)


def random_start(runs: int, widths: Sequence[int]) -> Float[Tensor, "{runs} p"]:
    """Weights for `tanh_network`: normal with variance 1 / inputs, biases zero."""
    parts = []
    for a, b in pairwise(widths):
        parts += [torch.randn(runs, a * b) / a**0.5, torch.zeros(runs, b)]
    return torch.cat(parts, dim=1)


def train_networks(
    theta: Float[Tensor, "r p"],
    widths: Sequence[int],
    x: Float[Tensor, "n i"],
    y: Int[Tensor, " n"],
    rows: Int[Tensor, "t r m"],
    rates: Float[Tensor, " t"],
) -> Float[Tensor, "r p"]:
    """Trains r classifiers at once by gradient steps on cross-entropy: step t of run r takes the rows `rows[t, r]`."""
    for batch, rate in zip(rows, rates):
        theta = theta.detach().requires_grad_()
        theta = theta - rate * torch.autograd.grad(tanh_losses(theta, widths, x[batch], y[batch]).sum(), theta)[0]
    return theta.detach()


def plane(
    a: Float[Tensor, " p"],
    b: Float[Tensor, " p"],
    c: Float[Tensor, " p"],
    x: Float[Tensor, " w"],
    y: Float[Tensor, " h"],
) -> Float[Tensor, "h w p"]:
    """Points of the plane through three: a lies at (-1, 0), b at (1, 0), c above; one unit is half the way a to b."""
    right = (b - a) / 2
    up = c - (a + b) / 2
    up = up - (up @ right) / right.square().sum().clamp(min=1e-12) * right
    up = up * right.norm() / up.norm().clamp(min=1e-12)
    return (a + b) / 2 + x[None, :, None] * right + y[:, None, None] * up


def layer_moves(d: Float[Tensor, " p"], widths: Sequence[int]) -> Float[Tensor, "k p"]:
    """The move `d` split into moves of one layer each; they add up to it."""
    return torch.block_diag(*[part[None] for part in d.split(sizes_of(widths))])


def segment(a: Float[Tensor, "*b p"], b: Float[Tensor, "*b p"], s: Float[Tensor, " n"]) -> Float[Tensor, "*b n p"]:
    """The points (1 - s) a + s b for each s."""
    return a[..., None, :] + s[:, None] * (b - a)[..., None, :]


def barrier(losses: Float[Tensor, "*b n"], s: Float[Tensor, " n"]) -> Float[Tensor, "*b n"]:
    """What `losses` at the places `s` (rising from 0 to 1) lie above the chord between their ends."""
    return losses - (1 - s) * losses[..., :1] - s * losses[..., -1:]


def hvp(
    losses: Losses, points: Float[Tensor, "n p"], directions: Float[Tensor, "n p"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n p"]]:
    r"""Slope $d^\top \nabla L$ at each point along its direction, and its gradient $H d$: no Hessian is formed."""
    points = points.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(losses(points).sum(), points, create_graph=True)  # no point feels another's loss
    slopes = (gradients * directions).sum(-1)
    return slopes.detach(), torch.autograd.grad(slopes.sum(), points)[0]


def curvatures(
    losses: Losses, points: Float[Tensor, "n p"], directions: Float[Tensor, "n p"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    r"""Slope $d^\top \nabla L$ and curvature $d^\top H d$ at each point along its direction."""
    slopes, products = hvp(losses, points, directions)
    return slopes, (products * directions).sum(-1)


def barrier_from_curvature(curvature: Float[Tensor, "*b n"], s: Float[Tensor, " n"]) -> Float[Tensor, "*b n"]:
    """The barrier at the places `s` from the curvature there, by the trapezoid rule on the integral above.

    Args:
        curvature: $d^T H(s) d$ at each of `s`.
        s: rising from 0 to 1; the kink of $g$ falls on a node, so that the error is of second order in the spacing.
    """
    g = torch.minimum(s[:, None], s) * (1 - torch.maximum(s[:, None], s))
    return -torch.trapezoid(g * curvature[..., None, :], s, dim=-1)


def middle_from_ends(losses: Losses, p: Float[Tensor, "n p"], q: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
    r"""The barrier half way, as slope and curvature at the two ends tell it: the mean of two Taylor polynomials.

    $$\hat B(\tfrac12) = \tfrac14 (\nabla L(p) - \nabla L(q))^\top d + \tfrac1{16} d^\top (H(p) + H(q)) d,$$ exact up to
    third order.
    """
    (slope_p, bend_p), (slope_q, bend_q) = curvatures(losses, p, q - p), curvatures(losses, q, q - p)
    return (slope_p - slope_q) / 4 + (bend_p + bend_q) / 16
