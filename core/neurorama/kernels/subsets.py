r"""Random subsets of k out of n candidates, and gradients through them.

$$p(M) = \frac{1}{Z_k(\theta)} \prod_{i \in M} e^{\theta_i}, \qquad |M| = k, \qquad
Z_k(\theta) = \sum_{|M| = k} \prod_{i \in M} e^{\theta_i}$$

$Z_k$ is an elementary symmetric sum of the $e^{\theta_i}$, so a table with $n k$ entries gives it, exact samples, and
the chance of each candidate, $\mu_i = P(i \in M) = \partial \log Z_k / \partial \theta_i$. The estimator SIMPLE takes
an exact sample forward and the slope of $\mu$ backward: Ahmed et al. (2023), https://arxiv.org/abs/2210.01941.

Candidates are ragged by a mask; a row that has fewer than k gives all it has. Tables are in double precision.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor
from torch.autograd.function import once_differentiable


def log_partition(
    theta: Float[Tensor, "*b n"], k: int, mask: Bool[Tensor, "*b n"] | None = None
) -> Float[Tensor, "*b"]:
    r"""$\log Z_k$ of each row, in O(nk); differentiable twice.

    Args:
        theta: finite log weights, in nats.
        k: how many are chosen, 0 or more.
        mask: which candidates there are, all by default.

    Raises:
        ValueError: k is negative.
    """
    return _LogPartition.apply(*_checked(theta, k, mask))  # type: ignore[return-value]


def marginals(theta: Float[Tensor, "*b n"], k: int, mask: Bool[Tensor, "*b n"] | None = None) -> Float[Tensor, "*b n"]:
    """The chance of each candidate to be in the subset; a row adds up to k. Arguments as in `log_partition`.

    The gradient is a product with the covariance of the indicators, in O(nk) as well.
    """
    return _Marginals.apply(*_checked(theta, k, mask))  # type: ignore[return-value]


def sample(
    theta: Float[Tensor, "*b n"],
    k: int,
    mask: Bool[Tensor, "*b n"] | None = None,
    generator: Generator | None = None,
) -> Float[Tensor, "*b n"]:
    """An exact sample of each row's subset as zeros and ones. Arguments as in `log_partition`.

    Several samples: expand `theta` and `mask` by a leading axis.
    """
    theta, k, mask = _checked(theta.detach(), k, mask)
    log = _log_weights(theta, mask)
    take = _take(log, _table(log, k))
    left = _chosen(mask, k)
    draw = torch.rand(log.shape, dtype=log.dtype, device=log.device, generator=generator)
    out = torch.empty_like(theta)
    for i in reversed(range(log.shape[-1])):  # the last candidate first: its chance depends on how many are still due
        hit = draw[..., i] < take[i].gather(-1, left[..., None])[..., 0]
        out[..., i] = hit
        left = left - hit.long()
    return out


def simple(
    theta: Float[Tensor, "*b n"],
    k: int,
    mask: Bool[Tensor, "*b n"] | None = None,
    generator: Generator | None = None,
) -> Float[Tensor, "*b n"]:
    """SIMPLE: the value is an exact `sample`, the gradient is that of `marginals`."""
    chance = marginals(theta, k, mask)
    return sample(theta, k, mask, generator) + (chance - chance.detach())


def gumbel_top_k(
    theta: Float[Tensor, "*b n"],
    k: int,
    mask: Bool[Tensor, "*b n"] | None = None,
    tau: float | Tensor = 1.0,
    generator: Generator | None = None,
) -> Float[Tensor, "*b n"]:
    """The k largest of `theta` plus Gumbel noise as zeros and ones, with the gradient of `relaxed_top_k`.

    That draws one candidate after another without replacement, by softmax among those left: for k > 1 another
    distribution than `sample`'s. Xie and Ermon (2019), https://arxiv.org/abs/1901.10517. With k = 1 it is the
    straight-through Gumbel-softmax.

    Args:
        tau: temperature of the relaxation, above 0, a number or of a shape that broadcasts to `theta`; it does not
            change the sample.
    """
    theta, k, mask = _checked(theta, k, mask)
    uniform = torch.rand(theta.shape, dtype=torch.double, device=theta.device, generator=generator)
    noise = -(-uniform.clamp(min=torch.finfo(torch.double).tiny).log()).log()
    scores = theta + noise.to(theta.dtype)
    rank = scores.detach().masked_fill(~mask, -math.inf).argsort(-1, descending=True).argsort(-1)
    hard = (rank < _chosen(mask, k)[..., None]).to(theta.dtype)
    soft = relaxed_top_k(scores, k, mask, tau)
    return hard + (soft - soft.detach())


def relaxed_top_k(
    scores: Float[Tensor, "*b n"], k: int, mask: Bool[Tensor, "*b n"] | None = None, tau: float | Tensor = 1.0
) -> Float[Tensor, "*b n"]:
    """A soft choice of the k largest: k softmaxes, each of which has little left for what was taken before.

    A row adds up to k; for small `tau` it tends to ones at the k largest. Differentiable (Xie and Ermon, 2019).
    """
    scores, k, mask = _checked(scores, k, mask)
    tiny, left = torch.finfo(scores.dtype).tiny, _chosen(mask, k)[..., None]
    logits, total = (scores / tau).masked_fill(~mask, -math.inf), torch.zeros_like(scores)
    for round_ in range(min(k, scores.shape[-1])):
        there = round_ < left
        part = logits.where(there, 0.0).softmax(-1)
        total = total + part.where(there, 0.0)
        logits = logits + (1 - part).clamp(min=tiny).log().where(there, 0.0) / tau
    return total


def _checked(theta: Tensor, k: int, mask: Tensor | None) -> tuple[Tensor, int, Tensor]:
    if k < 0:
        raise ValueError(f"a subset of k={k} candidates cannot be chosen")
    return theta, k, torch.ones_like(theta, dtype=torch.bool) if mask is None else mask


def _chosen(mask: Tensor, k: int) -> Tensor:
    """(*b,) how many are chosen of each row."""
    return mask.sum(-1).clamp(max=k)


def _log_weights(theta: Tensor, mask: Tensor) -> Tensor:
    return theta.double().masked_fill(~mask, -math.inf)


def _table(log: Tensor, k: int) -> Tensor:
    """(*b, n) -> (n + 1, *b, k + 1): at (i, ..., j) the log of Z_j over the first i candidates."""
    table = log.new_full((log.shape[-1] + 1, *log.shape[:-1], k + 1), -math.inf)
    table[..., 0] = 0
    for before, now, w in zip(table, table[1:], log[..., None].unbind(-2)):
        torch.logaddexp(before[..., 1:], before[..., :-1] + w, out=now[..., 1:])
    return table


def _take(log: Tensor, table: Tensor) -> Tensor:
    """(n, *b, k + 1): the chance that candidate i is taken, given that j of the first i + 1 are; 0 if none can be."""
    chance = torch.zeros_like(table[1:])
    chance[..., 1:] = (log.movedim(-1, 0)[..., None] + table[:-1, ..., :-1] - table[1:, ..., 1:]).exp().nan_to_num(0.0)
    return chance


def _splits(value: Tensor, left: Tensor, fill: float) -> tuple[Tensor, Tensor]:
    """What lies before and what after each candidate when j before and the rest after it are taken.

    Args:
        value: (n + 1, 2, *b, k + 1) a table over the first i candidates, and one over the last i.
        left: (*b,) how many are taken in all.
        fill: stands where more than the rest would have to be taken after.

    Returns:
        Two of shape (n, *b, k).
    """
    before, after = value[:-1, 0, ..., :-1], value[:-1, 1].flip(0)
    rest = left[..., None] - 1 - torch.arange(before.shape[-1], device=value.device)
    rest = rest.expand(before.shape)
    return before, after.gather(-1, rest.clamp(min=0)).masked_fill(rest < 0, fill)


def _both(log: Tensor) -> Tensor:
    return torch.stack([log, log.flip(-1)])


class _LogPartition(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, theta: Tensor, k: int, mask: Tensor) -> Tensor:  # type: ignore[override]
        ctx.k = k
        ctx.save_for_backward(theta, mask)
        last = _table(_log_weights(theta, mask), k)[-1]
        return last.gather(-1, _chosen(mask, k)[..., None])[..., 0].to(theta.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        theta, mask = ctx.saved_tensors
        return grad[..., None] * marginals(theta, ctx.k, mask), None, None


class _Marginals(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, theta: Tensor, k: int, mask: Tensor) -> Tensor:  # type: ignore[override]
        log, chosen = _log_weights(theta, mask), _chosen(mask, k)
        table = _table(_both(log), k)
        whole = table[-1, 0].gather(-1, chosen[..., None])
        before, after = _splits(table, chosen, -math.inf)
        weight = (log.movedim(-1, 0)[..., None] + before + after - whole).exp()  # P(i taken, and j before it)
        ctx.save_for_backward(log, chosen, table, weight)
        return weight.sum(-1).movedim(0, -1).to(theta.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        # The slope of mu is the covariance of the indicators z, which is symmetric. With s = grad . z, this is
        # E[z_i s] - mu_i E[s]; the table `mean` holds the mean of s over the first i, given that j of them are taken.
        log, chosen, table, weight = ctx.saved_tensors
        gain = grad.double().where(log > -math.inf, 0.0)
        take = _take(_both(log), table)
        mean = torch.zeros_like(table)
        for before, now, chance, g in zip(mean, mean[1:], take, _both(gain)[..., None].unbind(-2)):
            torch.lerp(before[..., 1:], before[..., :-1] + g, chance[..., 1:], out=now[..., 1:])
        whole = mean[-1, 0].gather(-1, chosen[..., None])
        before, after = _splits(mean, chosen, 0.0)
        given = before + gain.movedim(-1, 0)[..., None] + after - whole
        return (weight * given).sum(-1).movedim(0, -1).to(grad.dtype), None, None
