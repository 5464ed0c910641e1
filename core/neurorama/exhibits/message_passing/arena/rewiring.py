"""The view that all rewirings share: the graph before and after, and what each change does to it.

An exhibit hangs `rewired(ARM, ...)` into the frames of each arm, the baseline too, without changes: the arms of one
series have the same places of nodes, so that they are before and after. Where edges come one at a time, `one_by_one`
gives the same view after 0, 1, 2, ... changes. Captions are in `REWIRING`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorama import Curve, Graph, Value
from neurorama.kernels.curvature import balanced_forman
from neurorama.kernels.resistance import circuit

REWIRING = {
    "edges": "Added and dropped edges stand out. Colour is the curvature of an edge: far below 0 it is a bottleneck.",
    "total resistance": "The sum over all pairs of nodes, after each change: how badly they are connected.",
    "curvature around it": "How far each change lifts the lowest curvature nearby: above 0 it opens a bottleneck.",
}


def rewired(
    arm: str,
    edge_index: Tensor,
    num_nodes: int,
    added: Tensor | None = None,
    dropped: Tensor | None = None,
    **nodes: Any,
) -> dict[str, Value]:
    """The graph after all changes: `edges/ARM`, `total resistance/ARM` and `curvature around it/ARM`.

    Args:
        edge_index: (2, m) long, the graph as given, each edge once or in both directions.
        added: (2, a) long, pairs that are no edges, each once, in the order in which they count.
        dropped: (2, b) long, edges of the graph, each once; they go first, in their order.
        nodes: what else the `Graph` shows (classes, values, unit, names).
    """
    *_, last = one_by_one(arm, edge_index, num_nodes, added, dropped, **nodes)
    return last


def one_by_one(
    arm: str,
    edge_index: Tensor,
    num_nodes: int,
    added: Tensor | None = None,
    dropped: Tensor | None = None,
    **nodes: Any,
) -> Iterator[dict[str, Value]]:
    """The view of `rewired` after 0, 1, 2, ... changes; the resistance is exact, O(n^3) each.

    The total is over pairs that are connected, so it rises where a change joins two components.
    """
    given = torch.unique(edge_index.sort(dim=0).values, dim=1)  # each edge once
    none = given[:, :0]
    less, more = none if dropped is None else dropped, none if added is None else added
    changes = torch.cat([less, more], dim=1).sort(dim=0).values
    sign = torch.cat([-torch.ones_like(less[0]), torch.ones_like(more[0])])
    every = torch.cat([given, changes[:, sign > 0]], dim=1)  # what is or will be an edge, the given ones first
    there = torch.arange(every.shape[1]) < given.shape[1]
    change = torch.zeros_like(every[0])
    curvature = torch.zeros(every.shape[1], dtype=torch.double)
    curvature[there] = balanced_forman(given, num_nodes)
    totals, gains = [_total(given, num_nodes)], []
    for step in range(changes.shape[1] + 1):
        if step:
            pair = changes[:, step - 1, None]
            place = int((every == pair).all(0).nonzero()[0])
            there[place], change[place] = sign[step - 1] > 0, sign[step - 1]
            after = curvature.clone()  # a dropped edge keeps the curvature it had
            after[there] = balanced_forman(every[:, there], num_nodes)
            nearby = torch.cat([pair, every[:, there & torch.isin(every, pair).any(0)]], dim=1)
            around = there & torch.isin(every, nearby).all(0)  # no other curvature can change
            around[place] = False
            gains.append(float(after[around].min() - curvature[around].min()) if around.any() else 0.0)
            totals.append(_total(every[:, there], num_nodes))
            curvature = after
        shown = there | (change < 0)
        yield {
            f"edges/{arm}": Graph(
                every[:, shown],
                num_nodes,
                edge_values=curvature[shown],
                edge_unit="balanced Forman curvature",
                change=change[shown],
                **nodes,
            ),
            f"total resistance/{arm}": Curve(range(step + 1), totals, "edges changed", "sum over pairs", dots=True),
            f"curvature around it/{arm}": Curve(np.arange(1, step + 1), gains, "edge changed", "curvature", dots=True),
        }


def _total(once: Tensor, num_nodes: int) -> float:
    return circuit(torch.cat([once, once.flip(0)], dim=1), num_nodes).total()
