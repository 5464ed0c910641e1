r"""Minima of strongly convex functions as layers: found by Newton's method, differentiated through the optimum.

At $h^* = \arg\min_h E(h, \theta)$ the gradient $g(h^*, \theta) = \partial E / \partial h$ is zero whatever $\theta$ is.
So, by the implicit function theorem, with the Hessian $H = \partial g / \partial h$,

$$\frac{\partial L}{\partial \theta} = -v^\top \frac{\partial g}{\partial \theta}, \qquad
H v = \frac{\partial L}{\partial h^*}$$

$H$ is symmetric and positive definite: conjugate gradients solve it from products $H p$ alone. Nothing of the way to
the minimum is kept.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

Gradient = Callable[[Tensor], Tensor]


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], b: Tensor, start: Tensor, steps: int, tol: float = 1e-3
) -> Tensor:
    """v with H v = b for a symmetric positive definite H, given as p -> H p; ends at the residual `tol` |b|."""
    v = start
    r = b - product(v)
    p, rr, enough = r, (r * r).sum(), tol**2 * (b * b).sum()
    for _ in range(steps):
        if rr <= enough:
            break
        hp = product(p)
        curvature = (p * hp).sum()
        if curvature <= 0:  # not positive definite after all: what there is so far has to do
            break
        a = rr / curvature
        v, r = v + a * p, r - a * hp
        before, rr = rr, (r * r).sum()
        p = r + rr / before * p
    return v


class Minimum:
    """The minimum of a strongly convex function that changes little from one call to the next, as training changes it.

    Keeps where the last minimum and its adjoint were, and starts from there.

    Args:
        start: (n, d) where the first search begins.
        steps: conjugate gradients in each linear system, at most.
    """

    def __init__(self, start: Float[Tensor, "n d"], steps: int = 20) -> None:
        self.point, self.adjoint, self.steps = start, torch.zeros_like(start), steps

    def find(self, gradient: Gradient, newtons: int = 1, tol: float = 1e-5) -> Float[Tensor, "n d"]:
        """The minimum by at most `newtons` steps of Newton's method, ending where the root mean square slope is below
        `tol`; each step is halved until the slope falls. Gradients flow to whatever `gradient` depends on.

        Args:
            gradient: of the function, at a point; differentiable in the point.
        """
        slope, product = _slope(gradient, self.point)
        for _ in range(newtons):
            size = slope.detach().norm()
            if size < tol * slope.numel() ** 0.5:
                break
            way = conjugate_gradients(product, -slope.detach(), torch.zeros_like(slope), self.steps)
            for halving in range(8):
                there = self.point + way / 2**halving
                slope, product = _slope(gradient, there)
                if slope.detach().norm() < size:
                    break
            self.point = there
        return _AtMinimum.apply(slope, self.point, product, self)  # type: ignore[return-value]


def _slope(gradient: Gradient, point: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The gradient at `point`, and products with the Hessian there."""
    with torch.enable_grad():
        here = point.detach().clone().requires_grad_()
        slope = gradient(here)
    return slope, lambda p: torch.autograd.grad(slope, here, p, retain_graph=True)[0]


class _AtMinimum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, slope: Tensor, point: Tensor, product: Any, minimum: Minimum) -> Tensor:  # type: ignore[override]
        ctx.product, ctx.minimum = product, minimum
        return point.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        minimum: Minimum = ctx.minimum
        minimum.adjoint = conjugate_gradients(ctx.product, grad, minimum.adjoint, minimum.steps)
        return -minimum.adjoint, None, None, None


def largest_eigenvalue(gradient: Gradient, point: Tensor, steps: int = 20) -> float:
    """Of the Hessian at `point`, by power iteration: from below, a little too small where the steps are few."""
    _, product = _slope(gradient, point)
    p = torch.ones_like(point)
    for _ in range(steps):
        p = product(p / p.norm())
    return float(p.norm())
