"""Random walks on a graph in CSR form, all walkers at once.

The neighbours of node v are `col[crow[v]:crow[v + 1]]`; `Adjacency` of the propagation kernel holds an undirected
graph just so. A walker on a node without neighbours stays.
"""

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor


def uniform_walks(
    crow: Int[Tensor, " rows"],
    col: Int[Tensor, " m"],
    start: Int[Tensor, " w"],
    length: int,
    generator: Generator | None = None,
) -> Int[Tensor, "w steps"]:
    """Walks of `length` steps, each to a neighbour chosen evenly; column 0 is `start`."""
    walk = [start]
    for _ in range(length):
        walk.append(_hop(crow, col, walk[-1], generator))
    return torch.stack(walk, dim=1)


def node2vec_walks(
    crow: Int[Tensor, " rows"],
    col: Int[Tensor, " m"],
    start: Int[Tensor, " w"],
    length: int,
    p: float,
    q: float,
    generator: Generator | None = None,
) -> Int[Tensor, "w steps"]:
    """Walks that remember one step, as in node2vec (Grover and Leskovec, 2016).

    From v, having come from u, the chance of a neighbour x is proportional to 1/p where x = u, 1 where u has x as a
    neighbour, 1/q elsewhere. Drawn by rejection, so that no table of pairs of edges is needed.

    Args:
        col: ascending within each row.
        p: above 1 walks turn back less often.
        q: above 1 walks stay near, below 1 they explore.
    """
    keys = torch.repeat_interleave(torch.arange(crow.numel() - 1), crow.diff()) * (crow.numel() - 1) + col
    most = max(1 / p, 1.0, 1 / q)
    walk = [start]
    for step in range(length):
        here = walk[-1]
        there = _hop(crow, col, here, generator)
        waiting = torch.arange(len(start)) if step else start.new_empty(0)
        while waiting.numel():
            before, offered = walk[-2][waiting], there[waiting]
            chance = torch.full(waiting.shape, 1 / q, dtype=torch.float64)
            chance[_has(keys, before * (crow.numel() - 1) + offered)] = 1.0
            chance[offered == before] = 1 / p
            refused = torch.rand(waiting.shape, dtype=torch.float64, generator=generator) * most >= chance
            waiting = waiting[refused]
            there[waiting] = _hop(crow, col, here[waiting], generator)
        walk.append(there)
    return torch.stack(walk, dim=1)


def _hop(crow: Tensor, col: Tensor, here: Tensor, generator: Generator | None) -> Tensor:
    if not col.numel():
        return here.clone()
    degree = crow[here + 1] - crow[here]
    draw = torch.rand(here.shape, dtype=torch.float64, generator=generator)
    pick = torch.minimum((draw * degree).long(), degree - 1).clamp(min=0)
    return torch.where(degree > 0, col[(crow[here] + pick).clamp(max=col.numel() - 1)], here)


def _has(keys: Int[Tensor, " m"], asked: Int[Tensor, " w"]) -> Bool[Tensor, " w"]:
    place = torch.searchsorted(keys, asked).clamp(max=keys.numel() - 1)
    return keys[place] == asked if keys.numel() else torch.zeros_like(asked, dtype=torch.bool)
