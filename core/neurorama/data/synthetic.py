"""Data made to measure, from a seed."""

from __future__ import annotations

import torch
from torch import Tensor

from .types import GraphData


def block_model(
    seed: int,
    num_nodes: int = 300,
    num_classes: int = 3,
    degree: float = 6.0,
    homophily: float = 0.85,
    features: int = 16,
    noise: float = 1.0,
) -> GraphData:
    """A stochastic block model with noisy class features.

    Args:
        degree: expected number of neighbours.
        homophily: expected share of neighbours of a node's own class; below 1 / num_classes labels oppose edges.
        features: width of x; each class has a random unit direction.
        noise: standard deviation of the Gaussian that is added to it.
    """
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(num_nodes) % num_classes
    same = num_nodes / num_classes
    inside, outside = degree * homophily / same, degree * (1 - homophily) / (num_nodes - same)
    chance = torch.where(y[:, None] == y, inside, outside)
    upper = torch.triu(torch.rand(num_nodes, num_nodes, generator=draw) < chance, diagonal=1)
    centres = torch.nn.functional.normalize(torch.randn(num_classes, features, generator=draw), dim=1)
    x = centres[y] + noise * torch.randn(num_nodes, features, generator=draw)
    classes = tuple(f"block {chr(65 + k)}" for k in range(num_classes))
    return GraphData(edge_index=(upper | upper.T).nonzero().T.contiguous(), x=x, y=y, classes=classes)


def few_labels(y: Tensor, per_class: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """(train, val, test) masks: `per_class` nodes of each class are labelled, the rest is halved."""
    draw = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(y), generator=draw)
    train = torch.zeros(len(y), dtype=torch.bool)
    for label in y.unique():
        train[order[y[order] == label][:per_class]] = True
    rest = order[~train[order]]
    val, test = torch.zeros_like(train), torch.zeros_like(train)
    val[rest[: len(rest) // 2]] = True
    test[rest[len(rest) // 2 :]] = True
    return train, val, test
