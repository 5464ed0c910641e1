"""Masks over weights: which connections of a network are alive."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


def prune_smallest(weight: Float[Tensor, "*s"], mask: Bool[Tensor, "*s"], share: float) -> Bool[Tensor, "*s"]:
    """`mask` without the `share` of its living weights that are smallest in size, rounded to a whole number.

    Args:
        weight: a layer's weights; where `mask` is false they do not matter.
        mask: which of them are alive.
        share: in [0, 1], of those alive.
    """
    return prune_smallest_of_all([weight], [mask], share)[0]


def prune_smallest_of_all(weights: Sequence[Tensor], masks: Sequence[Tensor], share: float) -> list[Tensor]:
    """Like `prune_smallest`, with one ranking over all layers together."""
    if not 0 <= share <= 1:
        raise ValueError(f"share={share} is not in [0, 1]")
    alive = torch.cat([mask.flatten() for mask in masks])
    size = torch.cat([weight.detach().abs().flatten() for weight in weights]).masked_fill(~alive, torch.inf)
    count = round(share * int(alive.sum()))
    alive[torch.argsort(size, stable=True)[:count]] = False
    parts = alive.split([mask.numel() for mask in masks])
    return [part.view_as(mask) for part, mask in zip(parts, masks)]


def shuffled(mask: Bool[Tensor, "*s"]) -> Bool[Tensor, "*s"]:
    """As many alive as in `mask`, at random places."""
    return mask.flatten()[torch.randperm(mask.numel())].view_as(mask)


class MaskedNetworks(nn.Module):
    """k ReLU networks side by side, each with its own mask. (n, inputs) or (k, n, inputs) -> (k, n, outputs)

    Args:
        starts: k networks, each the weights (inputs, outputs) of its layers; biases start at zero.
        masks: their masks, of the same shapes.
    """

    def __init__(self, starts: Sequence[Sequence[Tensor]], masks: Sequence[Sequence[Tensor]]) -> None:
        super().__init__()
        self.masks = [torch.stack(layer) for layer in zip(*masks)]
        self.weights = nn.ParameterList(torch.stack(layer) for layer in zip(*starts))
        self.biases = nn.ParameterList(torch.zeros(len(w), 1, w.shape[2]) for w in self.weights)

    def forward(self, x: Tensor) -> Tensor:
        h = x if x.dim() == 3 else x.expand(len(self.biases[0]), -1, -1)
        for i, (w, b, mask) in enumerate(zip(self.weights, self.biases, self.masks)):
            h = torch.baddbmm(b, h.relu() if i else h, w * mask)
        return h


def living_edges(
    weights: Sequence[Tensor], masks: Sequence[Tensor], most: int
) -> tuple[Int[Tensor, "2 m"], Float[Tensor, " m"], Int[Tensor, " n"]]:
    """The living connections between a regular sample of at most `most` units of each layer, for a drawing.

    Returns:
        edges (2, m) between the sampled units, the size of their weights (m,), and the layer of each unit (n,).
    """
    units = [torch.arange(0, n, -(-n // most)) for n in (len(masks[0]), *(m.shape[1] for m in masks))]
    first, edges, sizes = 0, [], []
    for w, mask, a, b in zip(weights, masks, units, units[1:]):
        i, j = mask[a][:, b].nonzero(as_tuple=True)
        edges.append(torch.stack([first + i, first + len(a) + j]))
        sizes.append(w.detach()[a][:, b][i, j].abs())
        first += len(a)
    layers = torch.cat([torch.full((len(u),), k) for k, u in enumerate(units)])
    return torch.cat(edges, dim=1), torch.cat(sizes), layers
