r"""Explaining a frozen graph network: which edges and features of a node's computation graph carry its prediction.

$$\min_{M, F}\; -\log P(y \mid A_c \odot \sigma(M),\, X_c \odot \sigma(F)) + \alpha \sum \sigma(M)
+ \beta\, \overline{H(\sigma(M))} + \gamma\, \overline{\sigma(F)} + \delta\, \overline{H(\sigma(F))}$$

Ying et al. (2019), GNNExplainer, https://arxiv.org/abs/1903.03894. Many nodes are explained at once: their
computation graphs stand side by side in one block-diagonal matrix, and the sum of their objectives is minimised,
which is the same as each one alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from .propagation import Adjacency
from .segment import segment_mean, segment_sum


@dataclass(frozen=True, eq=False)
class Blocks:
    """The computation graphs of e nodes side by side.

    Args:
        near: (N, N) block-diagonal, the entries of the whole graph's matrix that reach the explained node in time.
        node: (N,) the number of each node in the whole graph.
        owner: (N,) the explanation that each node belongs to.
        target: (e,) the rows of the explained nodes.
        entry: (M,) which entry of the whole graph's matrix each entry is.
    """

    near: Adjacency
    node: Int[Tensor, " rows"]
    owner: Int[Tensor, " rows"]
    target: Int[Tensor, " e"]
    entry: Int[Tensor, " m"]

    @property
    def edge_owner(self) -> Int[Tensor, " m"]:
        """(M,) the explanation that each entry belongs to."""
        return self.owner[self.near.row]

    def pairs(self) -> tuple[Int[Tensor, "2 p"], Int[Tensor, " m"]]:
        """The undirected edges, loops included, sorted; and (M,) which of them each entry is a direction of."""
        return torch.unique(torch.stack([self.near.row, self.near.col]).sort(0).values, dim=1, return_inverse=True)


def computation_graphs(near: Adjacency, nodes: Int[Tensor, " e"], layers: int) -> Blocks:
    """For each of `nodes` all that a network of `layers` propagations by `near` reads to predict it."""
    inside = torch.zeros(near.num_nodes, len(nodes), dtype=torch.bool)
    inside[nodes, torch.arange(len(nodes))] = True
    for _ in range(layers):
        receives = inside
        reached = torch.zeros(inside.shape).index_add(0, near.col, receives[near.row].float())
        inside = receives | (reached > 0)
    owner, node = inside.T.nonzero().T
    place = torch.full(inside.shape, -1).index_put((node, owner), torch.arange(len(node)))
    edge_owner, entry = receives[near.row].T.nonzero().T
    row, col = place[near.row[entry], edge_owner], place[near.col[entry], edge_owner]
    crow = torch.cat([row.new_zeros(1), row.bincount(minlength=len(node)).cumsum(0)])
    block = Adjacency(crow, col, near.weight[entry], torch.arange(len(entry)))
    return Blocks(block, node, owner, place[nodes, torch.arange(len(nodes))], entry)


@dataclass(frozen=True)
class Prices:
    """What a mask costs: coefficients as in the authors' code and in PyG."""

    edge_size: float = 0.005
    edge_entropy: float = 1.0
    feature_size: float = 1.0
    feature_entropy: float = 0.1


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks as they stand, in [0, 1], and what each explanation's `nll` and `objective` were under them."""

    edges: Float[Tensor, " m"]
    features: Float[Tensor, "e d"]
    nll: Float[Tensor, " e"]
    objective: Float[Tensor, " e"]


def entropy(mask: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
    """Of a coin with chance `mask`, in nats; 0 where the mask is 0 or 1."""
    return torch.special.entr(mask) + torch.special.entr(1 - mask)


def objectives(
    nll: Float[Tensor, " e"],
    edges: Float[Tensor, " m"],
    features: Float[Tensor, "e d"],
    owner: Int[Tensor, " m"],
    prices: Prices,
) -> Float[Tensor, " e"]:
    """What each explanation is to make small."""
    e = len(nll)
    size = prices.edge_size * segment_sum(edges, owner, e) + prices.feature_size * features.mean(1)
    unsure = prices.edge_entropy * segment_mean(entropy(edges), owner, e)
    return nll + size + unsure + prices.feature_entropy * entropy(features).mean(1)


def learn_masks(
    nll: Callable[[Tensor, Tensor], Tensor],
    owner: Int[Tensor, " m"],
    spread: Float[Tensor, " e"],
    features: int,
    epochs: int,
    lr: float = 0.01,
    prices: Prices | None = None,
    generator: Generator | None = None,
) -> Iterator[Masks]:
    """The masks before the first and after each of `epochs` steps of Adam.

    Args:
        nll: (edge mask (m,), feature masks (e, d)) -> (e,) minus log probability of each prediction under its masks.
        owner: the explanation that each edge belongs to.
        spread: standard deviation of the edge logits at the start, for each explanation; their mean is 0, as in PyG.
        features: d.
    """
    prices = prices or Prices()
    edge_logits = torch.randn(len(owner), generator=generator) * spread[owner]
    feature_logits = 0.1 * torch.randn(len(spread), features, generator=generator)
    parameters = [edge_logits.requires_grad_(), feature_logits.requires_grad_()]
    optimiser = torch.optim.Adam(parameters, lr=lr)
    for epoch in range(epochs + 1):
        edge_mask, feature_mask = edge_logits.sigmoid(), feature_logits.sigmoid()
        lost = nll(edge_mask, feature_mask)
        objective = objectives(lost, edge_mask, feature_mask, owner, prices)
        yield Masks(edge_mask.detach(), feature_mask.detach(), lost.detach(), objective.detach())
        if epoch < epochs:
            optimiser.zero_grad()
            objective.sum().backward()
            optimiser.step()


def aucs(
    scores: Float[Tensor, " m"], truth: Bool[Tensor, " m"], owner: Int[Tensor, " m"], explanations: int
) -> Float[Tensor, " e"]:
    """For each explanation the chance that a true edge scores above another one, ties counting half.

    An explanation that has no true edge, or no other, gives NaN.
    """
    _, level = torch.unique(scores, return_inverse=True)
    levels = int(level.max()) + 1 if len(level) else 1
    key, place, count = torch.unique(owner * levels + level, return_inverse=True, return_counts=True)
    above = torch.cumsum(count, 0) - count  # places before this level, over all owners up to this one
    edges = torch.bincount(owner, minlength=explanations)
    before = torch.cumsum(edges, 0) - edges
    rank = (above - before[key // levels] + (count + 1) / 2)[place].double()
    true = segment_sum(truth.double(), owner, explanations)
    won = segment_sum(rank * truth, owner, explanations) - true * (true + 1) / 2
    return (won / (true * (edges - true))).float()
