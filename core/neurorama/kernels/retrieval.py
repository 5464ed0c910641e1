r"""Retrieval from a memory of patterns by going downhill in an energy that ends in a softmax.

$$E(\xi) = -\beta^{-1}\log\sum_i e^{\beta x_i \cdot \xi} + \tfrac12 \xi \cdot \xi + \beta^{-1}\log N + \tfrac12 M^2,
\qquad \xi' = \sum_i \mathrm{softmax}_i(\beta\, x_i \cdot \xi)\, x_i$$

with $M$ the length of the longest pattern, which makes $E$ non-negative. An update never raises $E$ (Ramsauer et al.,
2021, theorem 1). It is attention whose keys and values are both the patterns.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def energy(
    patterns: Float[Tensor, "stored d"], state: Float[Tensor, "*batch d"], beta: float
) -> Float[Tensor, "*batch"]:
    """The energy of each state, at least 0.

    Args:
        patterns: (N, d) what is stored.
        state: (..., d) the states.
        beta: inverse temperature, above 0; small: wide valleys that run together, large: one valley a pattern.
    """
    log_sum = torch.logsumexp(beta * state @ patterns.T, dim=-1) / beta
    longest = patterns.square().sum(-1).max()
    return state.square().sum(-1) / 2 - log_sum + math.log(len(patterns)) / beta + longest / 2


def weights(
    patterns: Float[Tensor, "stored d"], state: Float[Tensor, "*batch d"], beta: float
) -> Float[Tensor, "*batch stored"]:
    """How much of each pattern the next state is made of: softmax(beta x_i . state), rows sum to 1."""
    return torch.softmax(beta * state @ patterns.T, dim=-1)


def update(
    patterns: Float[Tensor, "stored d"], state: Float[Tensor, "*batch d"], beta: float
) -> Float[Tensor, "*batch d"]:
    """One step downhill, the weighted mean of the patterns."""
    return weights(patterns, state, beta) @ patterns
