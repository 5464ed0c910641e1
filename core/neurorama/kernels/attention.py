r"""Attention between nodes: over all pairs, over edges only, or over all pairs in linear time.

$$x_i' = \sum_j \alpha_{ij} v_j, \qquad
\alpha_{ij} = \mathrm{softmax}_j\!\left(\frac{q_i \cdot k_j}{\sqrt d} + b_{ij}\right) \qquad\text{or}\qquad
\alpha_{ij} = \frac{\phi(q_i) \cdot \phi(k_j)}{\sum_l \phi(q_i) \cdot \phi(k_l)}$$

The first, over all n^2 pairs (Vaswani et al., 2017), may be restricted to edges. In the second the order of products
can be changed to $\phi(q_i)^\top (\sum_j \phi(k_j) v_j^\top)$, which costs O(n) (Katharopoulos et al., 2020;
Polynormer takes the sigmoid for $\phi$, Performer random features).

On edges, heads are an axis, and products go through the CSR kernel: nothing of size (edges, features) is made.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import elu, leaky_relu

from .propagation import Adjacency
from .segment import segment_softmax


def masked_softmax(
    scores: Float[Tensor, "*b n m"], mask: Bool[Tensor, "*#b #n m"] | None = None
) -> Float[Tensor, "*b n m"]:
    """The softmax over the last axis of what the mask allows; where it allows nothing, zeros."""
    if mask is None:
        return scores.softmax(-1)
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, lowest).softmax(-1).masked_fill(~mask, 0.0)


def dense_weights(
    q: Float[Tensor, "*b n d"],
    k: Float[Tensor, "*b m d"],
    bias: Float[Tensor, "*#b n m"] | None = None,
    mask: Bool[Tensor, "*#b #n m"] | None = None,
) -> Float[Tensor, "*b n m"]:
    """The softmax weights of every query over every key, O(n m d); `weights @ v` is the attention.

    Args:
        q, k: queries and keys; heads and graphs are leading axes.
        bias: added to the scores, for instance what an encoding of the pair says.
        mask: which keys each query may see, all by default; who may see none has a row of zeros.
    """
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return masked_softmax(scores if bias is None else scores + bias, mask)


def edge_weights(
    near: Adjacency,
    q: Float[Tensor, "n heads d"],
    k: Float[Tensor, "n heads d"],
    bias: Float[Tensor, "m heads"] | None = None,
) -> Float[Tensor, "m heads"]:
    """The same over edges only: the weights of each receiver's senders add up to 1. O(m heads d)

    Args:
        near: whose entries are the pairs; an edge that comes twice counts twice. What the entries are is not used.
        q, k: queries of receivers, keys of senders.
        bias: added to the scores, in the order of the entries.
    """
    scores = torch.stack([near.sampled(q[:, h], k[:, h]) for h in range(q.shape[1])], dim=1) / math.sqrt(q.shape[-1])
    return segment_softmax(scores if bias is None else scores + bias, near.row, near.num_nodes)


def gat_weights(
    near: Adjacency, receiver: Float[Tensor, "n heads"], sender: Float[Tensor, "n heads"], slope: float = 0.2
) -> Float[Tensor, "m heads"]:
    """The weights of a graph attention network (Veličković et al., 2018): softmax of LeakyReLU(receiver_i + sender_j).

    Args:
        receiver, sender: what the two halves of the attention vector make of each node, $a^\\top W x$.
        slope: of the LeakyReLU below zero.
    """
    scores = leaky_relu(receiver[near.row] + sender[near.col], slope)
    return segment_softmax(scores, near.row, near.num_nodes)


def attend(
    near: Adjacency, weights: Float[Tensor, "m heads"], v: Float[Tensor, "n heads e"]
) -> Float[Tensor, "n heads e"]:
    """The senders' values `v`, summed by the weights of the edges. A node without senders gets 0."""
    return torch.stack([near.reweighted(weights[:, h]) @ v[:, h] for h in range(v.shape[1])], dim=1)


def linear_attention(
    q: Float[Tensor, "*b n f"],
    k: Float[Tensor, "*b m f"],
    v: Float[Tensor, "*b m e"],
    mask: Bool[Tensor, "*#b m"] | None = None,
) -> Float[Tensor, "*b n e"]:
    """Normalised attention over all pairs in O((n + m) f e), n^2 numbers are never made.

    Args:
        q, k: what the feature map makes of queries and keys, not negative: `x.sigmoid()` is Polynormer's global
            attention, `elu_features` the linear transformer, `random_features` the Performer.
        mask: which keys there are. A query that meets none has 0.
    """
    if mask is not None:
        k = k.where(mask[..., None], 0.0)
    total = q @ k.sum(-2)[..., None]
    return q @ (k.mT @ v) / total.where(total > 0, 1.0)


def elu_features(x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
    """elu(x) + 1, above 0 (Katharopoulos et al., 2020)."""
    return elu(x) + 1


def random_features(x: Float[Tensor, "*b n d"], directions: Float[Tensor, "f d"]) -> Float[Tensor, "*b n f"]:
    r"""Performer's positive features, $\exp(w \cdot x - |x|^2/2) / \sqrt f$.

    The mean of $\phi(q) \cdot \phi(k)$ over directions is $e^{q \cdot k}$; its spread grows with $e^{|q + k|^2}$.
    Choromanski et al. (2020), https://arxiv.org/abs/2009.14794. For softmax attention divide q and k by $d^{1/4}$.

    Args:
        directions: drawn from a standard normal, the same for q and k.
    """
    return (x @ directions.T - x.square().sum(-1, keepdim=True) / 2).exp() / math.sqrt(len(directions))
