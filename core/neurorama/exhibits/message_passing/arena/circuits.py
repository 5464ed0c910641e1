"""A graph as a network of resistors while edges are added, beside what a graph network carries between its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from scipy.stats import spearmanr
from torch import Tensor

from neurorama import Graph, Points, Value
from neurorama.kernels.resistance import Circuit, circuit

from .batches import Batch, Wiring
from .distance import DistanceTask
from .nets import GCN
from .rewiring import REWIRING, one_by_one
from .shortcuts import with_pairs

CIRCUITS = {
    "current": "A current from the answer to where it is asked for: colour is potential, width is the current.",
    **REWIRING,
    "what gets through": "Each dot a pair of nodes, in an untrained GCN: the more they resist, the less they hear.",
    "rank correlation": "Spearman's, of those dots: -1 if the Jacobian always falls as the resistance grows.",
}


def jacobian(net: GCN, edge_index: Tensor, x: Tensor) -> Tensor:
    """(n, n) how much the output of u changes with the input of v: the norm of d h_u / d x_v."""
    n = len(x)
    copies = Batch(Wiring.of([(edge_index, n)] * n), x.repeat(n, 1).requires_grad_(), torch.zeros(n))
    out = net(copies)[torch.arange(n) * (n + 1)]  # node u of copy u
    grads = [torch.autograd.grad(column.sum(), copies.x, retain_graph=True)[0] for column in out.unbind(1)]
    return torch.stack(grads).square().sum((0, 2)).sqrt().view(n, n)


def seen(arm: str, task: DistanceTask, network: Circuit, edge_index: Tensor, net: GCN) -> dict[str, Value]:
    """The current from source to target, and what gets through between all pairs."""
    assert task.test.source is not None
    assert task.test.target is not None
    n = len(network.pinv)
    potential = network.potential(int(task.test.source[0]), int(task.test.target[0]))
    (given, _), (u, v) = task.test.wiring.pieces[0], (once := edge_index[:, edge_index[0] < edge_index[1]])
    change = torch.arange(len(u)) >= (given[0] < given[1]).sum()  # what was added comes last
    pairs = network.together.triu(1).nonzero().T
    norms = jacobian(net, edge_index, task.test.x[:n])
    through = (norms + norms.T)[pairs[0], pairs[1]].clamp(min=1e-12).log10()
    dots = torch.stack([network.resistance()[pairs[0], pairs[1]], through], dim=1)
    axes = ("effective resistance", "log10 of the Jacobian")
    alike = bool((dots.std(0) < 1e-6).any())  # as in a complete graph: then there is no correlation
    return {
        f"current/{arm}": Graph(
            once, n, values=potential, unit="potential", weights=(potential[u] - potential[v]).abs(), change=change
        ),
        f"what gets through/{arm}": Points(dots, items="pairs of nodes", axes=axes),
        f"rank correlation/{arm}": 0.0 if alike else float(spearmanr(dots[:, 0], dots[:, 1])[0]),  # type: ignore[arg-type]
    }


def growing(task: DistanceTask, added: Mapping[str, Tensor]) -> Iterator[dict[str, Value]]:
    """The views of all arms after 0, 1, 2, ... added edges."""
    edges, n = task.test.wiring.pieces[0]
    net = GCN(task.sizes[0], 16, 4, task.depth)
    networks = dict.fromkeys(added, circuit(edges, n))
    for step, views in enumerate(zip(*(one_by_one(arm, edges, n, pairs) for arm, pairs in added.items()))):
        values: dict[str, Value] = {}
        for (arm, pairs), view in zip(added.items(), views):
            if step:
                networks[arm] = networks[arm].with_edge(*pairs[:, step - 1].tolist())
            values |= view | seen(arm, task, networks[arm], with_pairs(edges, pairs[:, :step]), net)
        yield values
