"""Networks whose layers hear different hops: the graph of each layer, how old its news are, and what arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn

from neurorama import Curve, Graph, Grid, Value
from neurorama.kernels.curvature import balanced_forman
from neurorama.kernels.hops import distances, shells
from neurorama.kernels.propagation import Adjacency, normalised
from neurorama.kernels.resistance import circuit

from .batches import Wiring
from .distance import DISTANCE, DistanceTask
from .rewiring import REWIRING

Hears = Callable[[int], list[tuple[int, int]]]

LAYERED = {
    "edges": "Layer after layer more pairs hear each other. " + REWIRING["edges"],
    "news": "For each layer and distance: how many layers old is what is heard? -1 is not heard at all.",
    "total resistance": "The sum over all pairs of nodes of the graph that a layer works on.",
    "sensitivity": DISTANCE.views["sensitivity"],
    "by distance": "The same by hops from the target: does the far end come down, or stay up?",
}


class HopMatrices:
    """For k = 1, ..., `depth` the matrix that joins nodes at distance exactly k, as a GCN's; made once for a wiring."""

    def __init__(self, depth: int) -> None:
        self.depth, self.known = depth, dict[Wiring, list[Adjacency]]()

    def __call__(self, wiring: Wiring) -> list[Adjacency]:
        if wiring not in self.known:
            far = shells(wiring.edge_index, wiring.num_nodes, self.depth)
            self.known[wiring] = [normalised(pairs, wiring.num_nodes) for pairs in far]
        return self.known[wiring]


def opening(task: DistanceTask, hears: Mapping[str, Hears]) -> Iterator[dict[str, Value]]:
    """Layer by layer, the first test graph as the first system sees it, and for all how old their news are.

    `hears(t)` lists (k, number of the state) of all that layer t hears; layer t is the one that reads state t.
    """
    edges, n = task.test.wiring.pieces[0]
    age = {arm: torch.full((task.depth, task.depth), -1) for arm in hears}
    for t in range(task.depth):
        for arm, each in hears.items():
            for k, state in each(t):
                age[arm][t, k - 1] = t - state
        far = shells(edges, n, max(next(iter(hears.values()))(t))[0])
        every = torch.cat([pairs[:, pairs[0] < pairs[1]] for pairs in far], dim=1)
        curvature, count = balanced_forman(every, n), far[0].shape[1] // 2
        totals = [circuit(torch.cat(far[: k + 1], dim=1), n).total() for k in range(len(far))]
        yield {
            "edges": Graph(
                every,
                n,
                edge_values=curvature,
                edge_unit="balanced Forman curvature",
                change=torch.arange(every.shape[1]) >= count,
            ),
            "total resistance": Curve(range(1, len(far) + 1), totals, "hops heard", "sum over pairs", dots=True),
            **{
                f"news/{arm}": Grid(z, rows="layer", cols="hops", unit="layers old", x=range(1, task.depth + 1))
                for arm, z in age.items()
            },
        }


def by_distance(system: nn.Module, task: DistanceTask) -> Curve:
    """How much the target's answer changes with what nodes hold that are 0, 1, 2, ... hops away, on average."""
    assert task.test.target is not None
    far = distances(*task.test.wiring.pieces[0], task.test.target[:1])[0]
    norms, hops = DISTANCE.jacobian(system, task), range(int(far[far.isfinite()].max()) + 1)
    heights = [float(norms[far == k].mean().clamp(min=1e-12).log10()) for k in hops]
    return Curve(hops, heights, "hops", "power of 10", dots=True)
