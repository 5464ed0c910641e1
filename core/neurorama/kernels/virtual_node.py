r"""A virtual node in each graph of a batch: all nodes write to it, it answers all of them.

$$z' = \gamma\Big(z + \sum_j x_j\Big), \qquad x_i' = x_i + z$$

is the usual form (Gilmer et al., 2017; here as in the code of Cai et al., 2023, https://arxiv.org/abs/2301.11956).
With the right messages one round of it is linear attention, exactly (Cai et al., section 4): each node sends
$(\phi(k_j) \otimes v_j,\; \phi(k_j))$, the virtual node adds them up to $(S, s)$ and sends that to all, and

$$x_i' = \frac{\phi(q_i)^\top S}{\phi(q_i)^\top s}.$$
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .segment import segment_mean, segment_sum


class VirtualNode(nn.Module):
    """The virtual nodes between two layers of message passing. Their states are rows of a (g, d) tensor.

    Args:
        width: d, of nodes and virtual nodes.
        how: "sum" as in the paper; "mean" does not grow with the graph.
    """

    def __init__(self, width: int, how: Literal["sum", "mean"] = "sum") -> None:
        super().__init__()
        self.gather = segment_sum if how == "sum" else segment_mean
        self.first = nn.Parameter(torch.zeros(width))
        self.update = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())

    def start(self, graphs: int) -> Float[Tensor, "g d"]:
        """The states before the first layer, learned, the same in each graph."""
        return self.first.expand(graphs, -1)

    def read(
        self, x: Float[Tensor, "n d"], state: Float[Tensor, "g d"], batch: Int[Tensor, " n"]
    ) -> Float[Tensor, "n d"]:
        """What the nodes are once they have heard their graph's virtual node; `batch` is the graph of each."""
        return x + state[batch]

    def write(
        self, x: Float[Tensor, "n d"], state: Float[Tensor, "g d"], batch: Int[Tensor, " n"]
    ) -> Float[Tensor, "g d"]:
        """The virtual nodes' next states."""
        return self.update(state + self.gather(x, batch, len(state)))


def attention_messages(k: Float[Tensor, "n f"], v: Float[Tensor, "n e"]) -> Float[Tensor, "n message"]:
    """What each node sends: f (e + 1) numbers, whatever the size of the graph.

    Args:
        k: features of the key, not negative, for instance `elu_features` of the attention kernel.
        v: the value.
    """
    return torch.cat([k[:, :, None] * v[:, None, :], k[:, :, None]], dim=2).flatten(1)


def attention_update(q: Float[Tensor, "n f"], heard: Float[Tensor, "n message"]) -> Float[Tensor, "n e"]:
    """What each node makes of the sum of all messages. A query that meets no key has 0.

    Args:
        q: features of the query, not negative.
        heard: the state of its graph's virtual node.
    """
    total = torch.einsum("nf,nfe->ne", q, heard.unflatten(1, (q.shape[1], -1)))
    return total[:, :-1] / total[:, -1:].where(total[:, -1:] > 0, 1.0)


def virtual_attention(
    q: Float[Tensor, "n f"], k: Float[Tensor, "n f"], v: Float[Tensor, "n e"], batch: Int[Tensor, " n"], graphs: int
) -> Float[Tensor, "n e"]:
    """Linear attention within each graph of a batch, through virtual nodes: O(n f e), without padding.

    Args:
        q, k, v: as in `attention_update` and `attention_messages`.
        batch: the graph of each node, 0 to `graphs` - 1.
    """
    return attention_update(q, segment_sum(attention_messages(k, v), batch, graphs)[batch])


def pick(x: Float[Tensor, "n d"], sharpness: float) -> Float[Tensor, "n n"]:
    """Row r: how the virtual node weighs the nodes in round r, when its probe is what node r holds; a row adds up to 1.

    Args:
        x: of length 1 each, so that every node is the one that its own probe fits best.
        sharpness: the larger, the closer a row is to a single 1.
    """
    return (sharpness * x @ x.T).softmax(1)


def softmax_by_rounds(
    x: Float[Tensor, "n d"],
    q: Float[Tensor, "n f"],
    key: Callable[[Tensor], Tensor],
    value: Callable[[Tensor], Tensor],
    sharpness: float,
) -> Iterator[tuple[Float[Tensor, "n e"], Float[Tensor, "n n"]]]:
    r"""Softmax attention in as many rounds as there are nodes (Cai et al., section 6): after each round what the nodes
    hold, and the weights of the nodes behind it.

    In each round the virtual node says what it has picked, $z$, to all, and node i adds $e^{q_i \cdot k(z) / \sqrt f}$
    times $(v(z), 1)$ to what it keeps. The sharper the pick, the closer the last round is to attention.

    Args:
        x: as in `pick`.
        q: queries.
        key, value: linear maps (d,) -> (f,) and (d,) -> (e,).
    """
    total = weights = norm = torch.zeros(len(x), 1)
    for chosen in pick(x, sharpness):
        z = chosen @ x
        share = (q @ key(z) / math.sqrt(q.shape[1])).exp()[:, None]
        total, norm, weights = total + share * value(z), norm + share, weights + share * chosen
        yield total / norm, weights / norm
