r"""Noisy top-k gating: which few experts see an input, how much each counts, and what keeps all of them busy.

$$H(x)_i = (xW_g)_i + \epsilon_i\,\mathrm{softplus}((xW_n)_i), \qquad
G(x) = \mathrm{softmax}(\mathrm{KeepTopK}(H(x), k))$$

Shazeer et al. (2017), equations 3 to 11.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def top_k_gates(h: Float[Tensor, "b n"], k: int) -> tuple[Float[Tensor, "b n"], Bool[Tensor, "b n"]]:
    """(gates, chosen): the softmax of the k largest of each row, zero elsewhere, and which entries those are.

    Ties are broken so that exactly k are chosen.

    Raises:
        ValueError: k is not between 1 and n.
    """
    if not 1 <= k <= h.shape[1]:
        raise ValueError(f"k={k} experts of {h.shape[1]} cannot be chosen")
    best = h.topk(k, dim=1).indices
    chosen = torch.zeros_like(h, dtype=torch.bool).scatter(1, best, True)
    return h.masked_fill(~chosen, -math.inf).softmax(1), chosen


def kth_excluding(h: Float[Tensor, "b n"], k: int) -> Float[Tensor, "b n"]:
    """At (b, i): the k-th largest of row b without its entry i, which is what entry i must beat to be chosen.

    Minus infinity where k = n: there is nothing left to beat.
    """
    n = h.shape[1]
    if k == n:
        return torch.full_like(h, -math.inf)
    top = h.topk(k + 1, dim=1).values
    kth, next_one = top[:, k - 1 : k], top[:, k : k + 1]
    return torch.where(h >= kth, next_one, kth)


def chance_of_choice(
    clean: Float[Tensor, "b n"], noisy: Float[Tensor, "b n"], spread: Float[Tensor, "b n"], k: int
) -> Float[Tensor, "b n"]:
    r"""$P(x, i)$: how likely expert i is chosen when only its own noise is drawn again.

    Args:
        clean: $xW_g$.
        noisy: $H(x)$, the logits with the noise that was drawn.
        spread: the standard deviation of the noise, above zero.
        k: how many are chosen; with k = n there is no contest, and the chance is 1.
    """
    if k == clean.shape[1]:
        return torch.ones_like(clean)
    return torch.special.ndtr((clean - kth_excluding(noisy, k)) / spread)


def squared_cv(x: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """The squared coefficient of variation: variance over squared mean; 0 when all n are equal."""
    return x.var(correction=0) / x.mean().square().clamp(min=1e-10)


def dispatch(chosen: Bool[Tensor, "b n"]) -> tuple[Int[Tensor, " p"], list[int]]:
    """(rows, counts): the chosen (row, expert) pairs, expert by expert.

    `x[rows].split(counts)` are the n batches that the experts receive, and
    `index_add(0, rows, outputs)` brings their outputs home: nothing else is computed.
    """
    return chosen.T.nonzero()[:, 1], chosen.sum(0).tolist()
