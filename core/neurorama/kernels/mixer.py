r"""Tokens of patches of graphs, and layers in which these few tokens hear each other.

$$Y = X + \big(W_2\,\sigma(W_1\,\mathrm{LN}(X)^{\top})^{\top}\big)^{\top}, \qquad
Z = Y + W_4\,\sigma(W_3\,\mathrm{LN}(Y))$$

is the layer of MLP-Mixer (Tolstikhin et al., 2021, https://arxiv.org/abs/2105.01601): the weights of the first part
belong to places of tokens. On graphs (He et al., 2023, https://arxiv.org/abs/2212.13350) it may be attention instead,
$(A \odot \mathrm{softmax}(QK^\top / \sqrt d))\,V$ with A between tokens; then it does not matter which token is where.
"""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from .attention import dense_weights
from .partition import partition, patches
from .propagation import Adjacency, adjacency
from .segment import segment_mean


class Cut:
    """Each of g graphs side by side, cut into P overlapping patches; its s nodes are copies, one for each patch.

    Args:
        edge_index: long, none of them from one graph to another.
        batch: the graph of each node, ascending.
        count: P; some may be empty.
        hops: how far a patch is widened beyond its part.
        generator: of METIS's seed.
    """

    def __init__(
        self,
        edge_index: Int[Tensor, "2 m"],
        batch: Int[Tensor, " n"],
        count: int,
        hops: int,
        generator: Generator | None = None,
    ) -> None:
        n, self.batch, self.graphs = len(batch), batch, int(batch[-1]) + 1
        self.part = partition(edge_index, n, count, batch, generator)
        self.patches = patches(edge_index, n, self.part, self.graphs * count, hops)

    @property
    def node(self) -> Int[Tensor, " s"]:
        """Which node each copy is of."""
        return self.patches.node

    @property
    def patch(self) -> Int[Tensor, " s"]:
        """The patch of each copy, 0 to g P - 1."""
        return self.patches.patch

    @cached_property
    def sums(self) -> Adjacency:
        """`sums @ h` adds up the neighbours inside a patch, (s, d) -> (s, d)."""
        return adjacency(self.patches.edge_index, len(self.node))

    @cached_property
    def shared(self) -> Float[Tensor, "g P P"]:
        """How many nodes two patches of a graph have in common, their sizes on the diagonal."""
        sizes = self.batch.bincount()
        place = self.node - (sizes.cumsum(0) - sizes)[self.batch[self.node]]  # of a node in its graph
        member = torch.zeros(self.patches.count, int(sizes.max()))
        member[self.patch, place] = 1
        member = member.unflatten(0, (self.graphs, -1))
        return member @ member.mT

    def tokens(self, h: Float[Tensor, "s d"]) -> Float[Tensor, "g P d"]:
        """The mean of each patch."""
        return segment_mean(h, self.patch, self.patches.count).unflatten(0, (self.graphs, -1))

    def told(self, tokens: Float[Tensor, "g P d"]) -> Float[Tensor, "s d"]:
        """To each copy the token of its patch."""
        return tokens.flatten(0, 1)[self.patch]

    def met(self, h: Float[Tensor, "s d"]) -> Float[Tensor, "n d"]:
        """For each node the mean of its copies."""
        return segment_mean(h, self.node, len(self.part))


class MLP(nn.Sequential):
    """Two linear layers with GELU between, back to the width it came from."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class MixerLayer(nn.Module):
    """Over tokens, then over channels; widths as in He et al.

    Args:
        width: d, of a token.
        count: P, how many tokens there are, always.
    """

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.over_tokens, self.over_channels = MLP(count, 4 * width), MLP(width, width // 2)

    def forward(self, x: Float[Tensor, "g P d"], near: Float[Tensor, "g P P"] | None = None) -> Float[Tensor, "g P d"]:
        """`near` is not used; it is there because attention needs it."""
        x = x + self.over_tokens(self.before(x).mT).mT
        return x + self.over_channels(self.between(x))


class HadamardLayer(nn.Module):
    """Attention whose weights are multiplied by those of a graph between the tokens, then over channels.

    Args:
        width: d, of a token; a multiple of `heads`.
        heads: of the attention.
    """

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.before, self.between = heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.over_channels = MLP(width, 2 * width)

    def forward(self, x: Float[Tensor, "g P d"], near: Float[Tensor, "g P P"]) -> Float[Tensor, "g P d"]:
        """
        Args:
            near: the weights of the graph. Nobody hears a token that has 0 on the diagonal.
        """
        parts = self.qkv(self.before(x)).chunk(3, dim=2)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        there = near.diagonal(dim1=1, dim2=2)[:, None, None] > 0
        heard = (near[:, None] * dense_weights(q, k, mask=there)) @ v
        x = x + self.out(heard.transpose(1, 2).flatten(2))
        return x + self.over_channels(self.between(x))
