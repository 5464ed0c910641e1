r"""Means of neighbours between the plain mean and the maximum, by a parameter that can be learned.

$$\mathrm{SoftMax}_\beta(M) = \sum_{u} \frac{e^{\beta m_u}}{\sum_{v} e^{\beta m_v}}\, m_u, \qquad
\mathrm{PowerMean}_p(M) = \Big(\frac{1}{|M|} \sum_u m_u^p\Big)^{1/p}$$

channel by channel. $\beta = 0$ and $p = 1$ are the mean, large ones the maximum, very negative ones the minimum. Li et
al. (2020), DeeperGCN, https://arxiv.org/abs/2006.07739.

A message is what its sender says to all, so that both are products with the adjacency matrix: nothing of size
(edges, channels) is made.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .propagation import Adjacency

FAINTEST = -80.0  # e to this is still a normal number in single precision
LEAST, MOST = 1e-7, 10.0  # what messages are held to before a power is taken, as in the authors' code


def softmax_mean(sums: Adjacency, m: Float[Tensor, "n d"], beta: Float[Tensor, "*d"] | float) -> Float[Tensor, "n d"]:
    """The softmax-weighted mean of what each node's senders say, with gradients to `m` and `beta`; 0 without senders.

    Senders whose `beta * m` lies more than 80 below the largest in the graph all weigh alike.

    Args:
        sums: A, of ones (or counts): `sums @ m` adds up the senders.
        m: what each node says.
        beta: () one for all channels, or (d,) one for each.
    """
    scores = beta * m
    weight = (scores - scores.detach().amax(0)).clamp(min=FAINTEST).exp()
    total, norm = (sums @ torch.cat([weight * m, weight], dim=1)).chunk(2, dim=1)
    return total / norm.where(norm > 0, 1.0)


def power_mean(sums: Adjacency, m: Float[Tensor, "n d"], p: Float[Tensor, "*d"] | float) -> Float[Tensor, "n d"]:
    """The power mean of what each node's senders say, with gradients to `m` and `p`.

    Messages are held between 1e-7 and 10, outside of which they have no gradient; 0 without senders.

    Args:
        sums, m: as above, `m` above zero.
        p: not 0; () one for all channels, or (d,) one for each.
    """
    count = sums @ m.new_ones(len(m), 1)
    mean = (sums @ m.clamp(LEAST, MOST).pow(p)) / count.clamp(min=1)
    return mean.clamp(min=torch.finfo(m.dtype).tiny).pow(1 / p).where(count > 0, 0.0)
