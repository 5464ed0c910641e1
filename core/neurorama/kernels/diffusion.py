r"""Diffusion on a graph, and what solves it: explicit, adaptive and implicit steps through time.

$$\dot x = (A(x) - I)\,x, \qquad x(0) = x_0$$

For an averaging A (rows that sum to one, or the symmetric normalisation) the eigenvalues of $A - I$ lie in the disc
around -1 of radius 1: a step of explicit Euler longer than 1 may blow up, an implicit one never does. Chamberlain et
al. (2021), GRAND, https://arxiv.org/abs/2106.10934. The explicit solvers take any right-hand side.

A solver is an iterator over its steps, the start included. Gradients run through all of them. Sums are made in place,
which gradients allow and which spares a large graph a third of its time: each large new tensor is new pages of memory.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from .propagation import Adjacency

Rate = Callable[[float, Tensor], Tensor]  # (time, state) -> how fast the state changes, of the state's shape
Averages = Adjacency | Callable[[Tensor], Adjacency]  # A, or A(x)
Solver = Literal["euler", "rk4", "dopri5", "implicit"]


class Step(NamedTuple):
    """Where a solver stands.

    Args:
        time: reached.
        state: there.
        evaluations: of the right-hand side so far; implicit solvers count products with A.
        rejected: steps that were tried and thrown away so far.
    """

    time: float
    state: Tensor
    evaluations: int
    rejected: int = 0


def last(steps: Iterable[Step]) -> Step:
    """The end of a solution; the states before it are kept only where a gradient needs them."""
    return deque(steps, maxlen=1).pop()


def diffusion(near: Averages, source: Float[Tensor, "n d"] | float = 0.0) -> Rate:
    """The right-hand side $(A - I)x$ + `source`, for x of shape (n, d) and a fixed A, or A(x)."""

    def rate(_: float, x: Tensor) -> Tensor:
        change = (_at(near, x) @ x).sub_(x)
        return change.add_(source) if isinstance(source, Tensor) or source else change

    return rate


def solve(
    solver: Solver,
    near: Averages,
    x: Float[Tensor, "n d"],
    time: float,
    step: float = 1.0,
    source: Float[Tensor, "n d"] | float = 0.0,
) -> Iterator[Step]:
    """Diffusion from 0 to `time` by the solver of that name, "implicit" by order 1.

    Args:
        step: as long as the equal steps should be; where it does not divide `time`, they are a little longer or
            shorter. `dopri5` chooses its own.
        source: what flows in all the time, a constant beside $(A - I)x$.
    """
    steps = max(1, round(time / step))
    if solver == "implicit":
        return implicit(near, x, time, steps, source=source)
    rate = diffusion(near, source)
    return dopri5(rate, x, time) if solver == "dopri5" else {"euler": euler, "rk4": rk4}[solver](rate, x, time, steps)


def _at(near: Averages, x: Tensor) -> Adjacency:
    return near if isinstance(near, Adjacency) else near(x)


def euler(rate: Rate, x: Float[Tensor, "*s"], time: float, steps: int) -> Iterator[Step]:
    """From 0 to `time` in equal explicit steps; one evaluation a step, error of order 1 in the step.

    On diffusion a step of 1 is plain propagation, x -> Ax.
    """
    h = time / steps
    yield Step(0.0, x, 0)
    for k in range(steps):
        x = x + h * rate(k * h, x)
        yield Step((k + 1) * h, x, k + 1)


def rk4(rate: Rate, x: Float[Tensor, "*s"], time: float, steps: int) -> Iterator[Step]:
    """The classical method of Runge and Kutta; four evaluations a step, error of order 4.

    On diffusion by a symmetric A it is stable for steps up to 1.39.
    """
    h = time / steps
    yield Step(0.0, x, 0)
    for k in range(steps):
        t = k * h
        a = rate(t, x)
        b = rate(t + h / 2, x + h / 2 * a)
        c = rate(t + h / 2, x + h / 2 * b)
        d = rate(t + h, x + h * c)
        x = x + h / 6 * (a + 2 * b + 2 * c + d)
        yield Step(t + h, x, 4 * (k + 1))


_NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),  # the step itself: its rate is the next one's first
)
_DOUBT = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)  # order 5 minus order 4


def dopri5(rate: Rate, x: Float[Tensor, "*s"], time: float, rtol: float = 1e-4, atol: float = 1e-6) -> Iterator[Step]:
    """From 0 to `time` in steps as long as the tolerance allows; six evaluations a step, two before the first.

    Dormand and Prince (1980), orders 5 and 4, with the step control of Hairer, Norsett and Wanner (Solving Ordinary
    Differential Equations I, II.4). Gradients run through the accepted steps; their lengths count as given.

    Args:
        rtol, atol: the estimated error of a step, as a root mean square over all entries, each measured in
            `atol + rtol * |x|`, stays below 1.

    Raises:
        RuntimeError: no step is short enough.
    """
    t, rejected = 0.0, 0
    first = rate(t, x)
    h, evaluations = _first_step(rate, x.detach(), first.detach(), time, rtol, atol), 2
    yield Step(t, x, evaluations)
    growth = 10.0  # how much longer the next step may be
    while t < time:
        if h <= 10 * math.ulp(t):
            raise RuntimeError(f"the step shrank to {h:.3g} at time {t:.6g}: the error cannot be held")
        end = min(t + h, time)
        h = end - t
        slopes, new = [first], x
        for node, row in zip(_NODES, _STAGES):
            new = _weighted(row, slopes).mul_(h).add_(x)
            slopes.append(rate(t + node * h, new))
        evaluations += 6
        scale = torch.maximum(x.detach().abs(), new.detach().abs()).mul_(rtol).add_(atol)
        error = _rms(_weighted(_DOUBT, [slope.detach() for slope in slopes]).mul_(h).div_(scale))
        if error < 1:
            h *= min(growth, 0.9 * error**-0.2) if error > 0 else growth
            t, x, first, growth = end, new, slopes[-1], 10.0
            yield Step(t, x, evaluations, rejected)
        else:
            h *= max(0.2, 0.9 * error**-0.2)  # NaN loses against 0.2
            rejected, growth = rejected + 1, 1.0


def _first_step(rate: Rate, x: Tensor, slope: Tensor, time: float, rtol: float, atol: float) -> float:
    """A length that suits the scale of the state, of its change, and of the change of that."""
    scale = atol + rtol * x.abs()
    size, speed = _rms(x / scale), _rms(slope / scale)
    h = min(1e-6 if min(size, speed) < 1e-5 else 0.01 * size / speed, time)
    with torch.no_grad():
        bend = _rms((rate(h, x + h * slope) - slope) / scale) / h if h else 0.0
    sharpest = max(speed, bend)
    return min(100 * h, max(1e-6, 1e-3 * h) if sharpest <= 1e-15 else (0.01 / sharpest) ** 0.2, time)


def _rms(x: Tensor) -> float:
    return float(x.norm()) / max(x.numel(), 1) ** 0.5


def _weighted(weights: Iterable[float], slopes: Iterable[Tensor]) -> Tensor:
    (w, slope), *others = zip(weights, slopes)
    total = w * slope
    for w, slope in others:
        total = total.add_(slope, alpha=w) if w else total
    return total


def implicit(
    near: Averages,
    x: Float[Tensor, "n d"],
    time: float,
    steps: int,
    order: Literal[1, 2] = 1,
    source: Float[Tensor, "n d"] | float = 0.0,
) -> Iterator[Step]:
    """From 0 to `time` in equal implicit steps of diffusion, stable at any length.

    The methods of Adams and Moulton of order 1 (implicit Euler) and 2 (the trapezoidal rule); those of a higher order
    are not stable at any length. Each step solves a linear system by `resolvent`.

    Args:
        near: A, or A(x), which is taken at the start of each step (then both methods are of order 1 in A).
        x: at time 0.
        order: 1 damps all that is fast; 2 is more exact, and lets long steps swing.
        source: what flows in all the time, a constant beside $(A - I)x$.

    Raises:
        RuntimeError: A does not average.
    """
    h = time / steps
    products = 0
    yield Step(0.0, x, products)
    for k in range(steps):
        now = _at(near, x)
        right = h * source + (x if order == 1 else x + h / 2 * (now @ x - x))
        x, taken = _Resolvent.apply(now.weight, right, now, h / order)  # type: ignore[misc]
        products += taken + order - 1
        yield Step((k + 1) * h, x, products)


def resolvent(near: Adjacency, b: Float[Tensor, "n d"], c: float) -> Float[Tensor, "n d"]:
    r"""$y = (I + c\,(I - A))^{-1} b$ for an averaging A, with gradients to `b` and to A's weights.

    Found by $y \leftarrow (b + c A y)/(1 + c)$, which gains a factor $1 + 1/c$ each time: where the eigenvalues may lie
    anywhere in the unit disc, no polynomial in A does better. The gradient solves the transposed system and keeps
    nothing of the way: memory is O(nd), time O((1 + c) m d).

    Args:
        near: A, whose eigenvalues lie in the unit disc.
        c: 0 or more; large c looks far. With $c = 1/\alpha - 1$ it is personalised PageRank.

    Raises:
        RuntimeError: it does not converge, since A does not average.
    """
    return _Resolvent.apply(near.weight, b, near, c)[0]  # type: ignore[index]


class _Resolvent(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, b: Tensor, near: Adjacency, c: float) -> tuple[Tensor, int]:  # type: ignore[override]
        y, products = _solve(near, b, c)
        ctx.near, ctx.c = near, c
        ctx.save_for_backward(y)
        return y, products

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor | None, Tensor, None, None]:  # type: ignore[override]
        (y,) = ctx.saved_tensors
        to_b, _ = _solve(ctx.near.transposed(), grad, ctx.c)
        to_weight = ctx.c * ctx.near.sampled(to_b, y) if ctx.needs_input_grad[0] else None
        return to_weight, to_b, None, None


def _solve(near: Adjacency, b: Tensor, c: float) -> tuple[Tensor, int]:
    """(y, how many products it took)."""
    if c == 0:
        return b.clone(), 0
    near = near.reweighted(near.weight.detach())
    exact = torch.finfo(b.dtype).eps
    enough = 1 + math.ceil(-math.log(exact) / math.log1p(1 / c))
    y, step = b, torch.inf
    for products in range(1, 2 * enough + 1):
        before, y = y, (b + c * (near @ y)) / (1 + c)
        step = float(_largest(y - before) / _largest(y).clamp(min=torch.finfo(b.dtype).tiny))
        if step <= 4 * exact:  # rounding alone leaves about one
            return y, products
    if not step < exact**0.5:
        raise RuntimeError("the implicit step does not converge: the matrix does not average")
    return y, 2 * enough


def _largest(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, torch.inf)
