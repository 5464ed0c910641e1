"""Attention with several heads as layers: over the edges of a graph, or over all its nodes in linear time."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .attention import attend, gat_weights, linear_attention
from .propagation import Adjacency


class GAT(nn.Module):
    """The layer of Veličković et al. (2018, https://arxiv.org/abs/1710.10903) without bias: O(m d) for m edges.

    Args:
        features, width: of what comes in, and of what goes out, whose `heads` equal parts stand side by side.
        heads: a divisor of `width`.
    """

    def __init__(self, features: int, width: int, heads: int) -> None:
        super().__init__()
        self.v, self.shape = nn.Linear(features, width, bias=False), (heads, width // heads)
        self.ends = nn.Parameter(torch.randn(2, 1, *self.shape) / math.sqrt(self.shape[1]))  # of receivers, of senders

    def forward(self, near: Adjacency, x: Float[Tensor, "n features"]) -> Float[Tensor, "n width"]:
        """`near` says who hears whom, and has self-loops where nodes should hear themselves."""
        v = self.v(x).unflatten(1, self.shape)
        return attend(near, gat_weights(near, *(v * self.ends).sum(-1)), v).flatten(1)


class SigmoidAttention(nn.Module):
    """Attention over all pairs with the sigmoid for a feature map, as in Polynormer (Deng et al., 2024,
    https://arxiv.org/abs/2403.01232); keys are queries. O(n d^2 / heads)

    Args:
        width: of what comes in and of what goes out.
        heads: a divisor of `width`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.k, self.v, self.shape = nn.Linear(width, width), nn.Linear(width, width), (heads, width // heads)

    def forward(self, x: Float[Tensor, "*b n width"]) -> Float[Tensor, "*b n width"]:
        k, v = (part.unflatten(-1, self.shape).transpose(-3, -2) for part in (self.k(x).sigmoid(), self.v(x)))
        return linear_attention(k, k, v).transpose(-3, -2).flatten(-2)
