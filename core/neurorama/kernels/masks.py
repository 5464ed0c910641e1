"""Masks over weights: which connections of a network are alive."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def prune_smallest(weight: Float[Tensor, "*s"], mask: Bool[Tensor, "*s"], share: float) -> Bool[Tensor, "*s"]:
    """`mask` without the `share` of its living weights that are smallest in size; the count is rounded to a whole number.

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
