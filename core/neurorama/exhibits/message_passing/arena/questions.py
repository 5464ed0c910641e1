"""Two questions about whole graphs: how many nodes have a colour, and is the graph in one piece?

The first is about nodes and no edges, the second about edges and no colours; both need the whole graph. The arena of
whole graphs (`GRAPHS`) trains and scores on them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Generator, Tensor

from neurorama.kernels.lines import in_lines
from neurorama.kernels.random_walk_pe import relative_walks

from .batches import Batch, Piece, Wiring
from .graphs import GraphTask

COLOURS = 4
STEPS = 6  # of walks
MOST = 7  # nodes of the first colour
LEAST_NODES, MOST_NODES = 12, 16
SPARE = 4  # edges beyond those of two trees
TRAINED, SIZE, HELD_OUT = 16, 32, 128  # batches, graphs in each, graphs to validate and to test


def questions(kind: Literal["colours", "pieces"], seed: int) -> GraphTask:
    """Random graphs of 12 to 16 nodes. Half of them are in one piece, half in two, with as many edges.

    x: one of four colours, one-hot, and the chances that a walk from the node is back after 1 to 6 steps, which tell
    its place in the graph. y: "colours", how many nodes have the first one, 0 to 7; "pieces", one piece (1) or two (0).
    """
    draw = Generator().manual_seed(seed)
    train = tuple(_batch(kind, SIZE, draw) for _ in range(TRAINED))
    return GraphTask(
        train,
        _batch(kind, HELD_OUT, draw),
        _batch(kind, HELD_OUT, draw),
        MOST + 1 if kind == "colours" else 2,
        "accuracy",
    )


def _batch(kind: str, count: int, draw: Generator) -> Batch:
    whole = torch.randint(2, (count,), generator=draw)
    first = torch.randint(MOST + 1, (count,), generator=draw)
    graphs = [_graph(bool(one), draw) for one in whole]
    colours = torch.cat([_colours(n, int(some), draw) for (_, n), some in zip(graphs, first)])
    wiring = Wiring.of(graphs)
    line = in_lines(wiring.batch)
    walks = relative_walks(line.adjacency(wiring.edge_index), STEPS + 1)[..., 1:]
    back = line.disperse(walks.diagonal(dim1=1, dim2=2).mT)
    return Batch(wiring, torch.cat([colours, back], dim=1), first if kind == "colours" else whole)


def _graph(whole: bool, draw: Generator) -> Piece:
    """Two random trees and some edges inside them; one of these lies between the trees where the graph is whole."""
    n = int(torch.randint(LEAST_NODES, MOST_NODES + 1, (), generator=draw))
    half = n // 2
    side = (torch.arange(n) >= half).long()
    parent = [int(torch.randint(half * (v >= half), v, (), generator=draw)) for v in range(n) if v not in (0, half)]
    tree = torch.stack([torch.tensor(parent), torch.tensor([v for v in range(n) if v not in (0, half)])])
    taken = torch.zeros(n, n, dtype=torch.bool)
    taken[tree[0], tree[1]] = True
    free = torch.ones(n, n, dtype=torch.bool).triu(1) & ~taken
    inside = _some(free & (side[:, None] == side), SPARE - whole, draw)
    across = _some(free & (side[:, None] != side), int(whole), draw)
    edges = torch.randperm(n, generator=draw)[torch.cat([tree, inside, across], dim=1)]
    return torch.cat([edges, edges.flip(0)], dim=1), n


def _some(allowed: Tensor, count: int, draw: Generator) -> Tensor:
    pairs = allowed.nonzero()
    return pairs[torch.randperm(len(pairs), generator=draw)[:count]].T


def _colours(n: int, first: int, draw: Generator) -> Tensor:
    colour = torch.randint(1, COLOURS, (n,), generator=draw)
    colour[torch.randperm(n, generator=draw)[:first]] = 0
    return torch.nn.functional.one_hot(colour, COLOURS).float()
