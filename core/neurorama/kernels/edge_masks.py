r"""Differentiable edge masks: which messages pass, and the gradient of the loss to that choice.

Where each node decides for itself whether it listens and whether it broadcasts, an edge stays if both of its ends
agree to it, as in Co-GNN (Finkelshtein et al., 2024, https://arxiv.org/abs/2310.01267):

$$g_{u \to v} = b_u\, l_v, \qquad l_v, b_v \in \{0, 1\}$$

Where each edge has a logit of its own, the gate is $g_e = \sigma(s_e)$. Either way `gated` puts the gates on the
entries of a propagation matrix; its products give the gates a gradient without an (edges, features) intermediate.
"""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from .propagation import Adjacency
from .subsets import gumbel_top_k

ACTIONS = ("isolate", "broadcast", "listen", "standard")  # number 2 * listens + broadcasts


def node_actions(
    listen: Float[Tensor, "n 2"],
    broadcast: Float[Tensor, "n 2"],
    tau: float | Tensor = 1.0,
    generator: Generator | None = None,
) -> Float[Tensor, "n 2"]:
    """Whether each node listens (column 0) and broadcasts (column 1), drawn by a straight-through Gumbel-softmax.

    The values are exactly 0 or 1; the gradient is the softmax's, with the same noise.

    Args:
        listen: logits of yes (column 0) and no.
        broadcast: likewise.
        tau: temperature, above 0: a number, or (n, 1) where each node has its own. It changes the gradient only.
    """
    drawn = [gumbel_top_k(logits, 1, tau=tau, generator=generator)[:, 0] for logits in (listen, broadcast)]
    return torch.stack(drawn, dim=1)


def edge_gates(actions: Float[Tensor, "n 2"], edge_index: Int[Tensor, "2 m"]) -> Float[Tensor, " m"]:
    """1 for each edge whose sender broadcasts and whose receiver listens, else 0. `actions` as from `node_actions`."""
    src, dst = edge_index
    return actions[src, 1] * actions[dst, 0]


def gated(near: Adjacency, gates: Float[Tensor, " m"]) -> Adjacency:
    """`near` with each entry multiplied by its edge's gate; self-loops that `normalised` added stay as they are.

    Entries are not scaled anew: of a mean over all senders, what is shut out leaves a zero. For a mean over those
    that are let in, give the gates as weights to `normalised`.

    Args:
        near: made from the `edge_index` of the gates.
        gates: one for each column of it.
    """
    loops = gates.new_ones(near.col.numel() - gates.numel())
    return near.reweighted(near.weight * torch.cat([gates, loops])[near.order])
