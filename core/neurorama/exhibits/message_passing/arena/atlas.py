"""All connected graphs of six and of seven nodes, each to be measured: a task of GRAPHS that is quick and whole."""

from __future__ import annotations

from functools import cache

import networkx as nx
import numpy as np
import torch
from torch import Generator, Tensor

from neurorama import Grid, Trace, Value
from neurorama.kernels.segment import segment_sum

from .batches import Batch, Piece, Wiring
from .graphs import SIZE, GraphTask

HEARD = {
    "attention": "The first test graph: how much each node hears each other, the mean of the last layer's heads.",
    "how far": "All test graphs: how far away whom each head of the last layer hears. 0 hops is the node itself.",
}


@cache
def _measured() -> tuple[tuple[Piece, ...], Tensor]:
    """(the 965 graphs, (965, 2) the mean distance of two nodes and the number of triangles)."""
    pieces, measures = [], []
    for graph in nx.graph_atlas_g():
        if len(graph) >= 6 and nx.is_connected(graph):
            pieces.append((torch.tensor(list(graph.to_directed().edges)).T.contiguous(), len(graph)))
            triangles = sum(dict(nx.triangles(graph)).values()) / 3  # type: ignore[call-overload, arg-type]
            measures.append([nx.average_shortest_path_length(graph), triangles])
    return tuple(pieces), torch.from_numpy(np.array(measures)).float()


def atlas(seed: int) -> GraphTask:
    """Three fifths of the graphs, drawn by `seed`, are trained on, a fifth each validates and tests. Nodes hold a 1; y
    (g,) is the mean distance plus the number of triangles, each in units of its spread over all graphs."""
    pieces, measures = _measured()
    y = ((measures - measures.mean(0)) / measures.std(0)).sum(1)
    order = torch.randperm(len(y), generator=Generator().manual_seed(seed))
    a, b = round(0.6 * len(y)), round(0.8 * len(y))

    def batch(some: Tensor) -> Batch:
        wiring = Wiring.of([pieces[k] for k in some.tolist()])
        return Batch(wiring, torch.ones(wiring.num_nodes, 1), y[some])

    train, seen = tuple(batch(some) for some in order[:a].split(SIZE)), y[order[:a]]
    return GraphTask(train, batch(order[a:b]), batch(order[b:]), 1, "R^2", float(seen.mean()), float(seen.std()))


def heard(arm: str, i: Tensor, j: Tensor, walks: Tensor, weights: Tensor) -> dict[str, Value]:
    """Whom a layer of attention hears: in the first graph, and how far away in all of them.

    Args:
        i, j, walks: of all pairs who asks, who is heard, and the walks from one to the other, (p,), (p,) and (p, k), as
            `pair_walks` gives them; the first that arrives is the distance.
        weights: (p, heads) attention.
    """
    n, near = 1 + int(j[i == 0].max()), (walks > 0).any(1)
    hops, weights = (walks > 0).long().argmax(1), weights.detach()
    shares = segment_sum(weights[near], hops[near], int(hops.max()) + 1) / (1 + i.max())
    first = weights[i < n].mean(1).reshape(n, n)
    return {
        f"attention/{arm}": Grid(first, "who asks", "who is heard", "weight", items="nodes"),
        f"how far/{arm}": Grid(shares.T, "head", "hops away", "share of attention"),
    }


def at_best_validation(trace: Trace, arm: str) -> float:
    """Test score where the validation score was highest (the first time)."""
    val, test = trace.numbers(f"validation score/{arm}"), trace.numbers(f"test score/{arm}")
    return test[val.index(max(val))]
