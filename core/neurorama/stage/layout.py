"""Where the nodes of a graph are drawn: the same graph always gets the same picture."""

from __future__ import annotations

import hashlib
import random
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

PIVOTS = 10  # nodes whose distances to all others lay out a large graph
FEW = 100  # nodes without an edge that are packed one by one

_KEPT = 128
_cache: OrderedDict[bytes, Array] = OrderedDict()
_lock = threading.Lock()  # igraph's random numbers belong to the process


def places(edges: Array, num_nodes: int, layers: Array | None = None) -> Array:
    """(n, 2) places in [-1, 1], cached by content.

    Args:
        edges: (2, m) node numbers; directions, doubles and loops do not matter.
        layers: (n,) the column of each node: a layered drawing, the nodes of a column from top to bottom by number.
    """
    pairs = np.unique(np.sort(np.asarray(edges, np.int64), axis=0), axis=1)
    pairs = pairs[:, pairs[0] != pairs[1]]
    key = hashlib.blake2b(pairs.tobytes(), digest_size=16, person=b"layout")
    key.update(num_nodes.to_bytes(8, "little"))
    if layers is not None:
        key.update(np.asarray(layers, np.int64).tobytes())
    digest = key.digest()
    with _lock:
        if digest not in _cache:
            found = _columns(layers) if layers is not None else _forces(pairs, num_nodes)
            found.setflags(write=False)
            _cache[digest] = found
            while len(_cache) > _KEPT:
                _cache.popitem(last=False)
        _cache.move_to_end(digest)
        return _cache[digest]


def _columns(layers: Array) -> Array:
    layers = np.asarray(layers)
    where = np.zeros((len(layers), 2))
    columns = np.unique(layers)
    tallest = max((int((layers == column).sum()) for column in columns), default=1)
    for place, column in enumerate(columns):
        members = np.flatnonzero(layers == column)
        where[members, 0] = -1 + 2 * place / max(1, len(columns) - 1)
        rank = np.arange(len(members)) - (len(members) - 1) / 2
        where[members, 1] = -2 * rank / max(tallest, len(members) * 1.0, 2) * 0.95
    return where


def _forces(pairs: Array, n: int) -> Array:
    """Each connected part by springs, the parts packed side by side, largest first."""
    import igraph

    if n == 0:
        return np.zeros((0, 2))
    graph = igraph.Graph(n, pairs.T.tolist())
    parts = sorted(graph.connected_components(), key=lambda part: (-len(part), part[0]))
    boxes = [(np.array(part), _connected(graph.induced_subgraph(part))) for part in parts if len(part) > 1]
    alone = np.array([part[0] for part in parts if len(part) == 1], int)
    if len(alone) > FEW:  # a block of rows is packed as one
        wide = -(-len(alone) // int(np.sqrt(len(alone))))
        boxes.append((alone, np.stack([np.arange(len(alone)) % wide, -(np.arange(len(alone)) // wide)], 1) * 0.9))
    else:
        boxes += [(alone[[i]], np.zeros((1, 2))) for i in range(len(alone))]
    where = _pack(boxes, n)
    middle, reach = (where.max(0) + where.min(0)) / 2, np.ptp(where, axis=0).max() / 2
    return (where - middle) / max(float(reach), 1e-9)


def _connected(graph: Any) -> Array:
    """(k, 2): springs, seeded; turned so that the longest extent lies flat; about one unit of area per node."""
    import igraph

    k = graph.vcount()
    if k == 1:
        return np.zeros((1, 2))
    igraph.set_random_number_generator(random.Random(0))
    circle = np.linspace(0, 2 * np.pi, k, endpoint=False)
    start = np.stack([np.cos(circle), np.sin(circle)], 1).tolist()
    if k <= 250:
        where = graph.layout_kamada_kawai(seed=start)
        if k > 8:
            where = graph.layout_fruchterman_reingold(seed=where, niter=120, start_temp=0.6)
    else:  # springs alone leave a large graph in a tangle: they only smooth what the distances have laid out
        seed, turns = _spread(graph), 60 if k <= 5_000 else 30 if k <= 20_000 else 6
        where = graph.layout_fruchterman_reingold(niter=turns, grid=True, seed=seed, start_temp=np.sqrt(k) / 10)
    igraph.set_random_number_generator(random)
    where = np.asarray(where.coords)
    where = where - where.mean(0)
    if k > 2:
        _, vectors = np.linalg.eigh(where.T @ where)
        turn = vectors[:, ::-1]
        where = where @ (turn * np.where(turn[np.abs(turn).argmax(0), [0, 1]] < 0, -1, 1))
    short, long = sorted(np.ptp(where, axis=0).tolist())
    return where * np.sqrt(k / max(long * max(short, 0.4 * long), 1e-12))


def _spread(graph: Any) -> list[list[float]]:
    """Places by the numbers of hops to a few pivots far from each other, about a unit of area per node.

    Pivot MDS: classical scaling of a few columns of the matrix of distances (Brandes and Pich, 2007). Leaves of one
    stem would fall on one place, where springs take long to part them, so all are moved a little.
    """
    k = graph.vcount()
    pivot, nearest, hops = int(np.argmax(graph.degree())), np.full(k, np.inf), []
    for _ in range(PIVOTS):
        hops.append(np.array(graph.distances(source=[pivot])[0], np.float32))
        nearest = np.minimum(nearest, hops[-1])
        pivot = int(nearest.argmax())
    square = np.square(hops)
    centred = square.mean(0) + square.mean(1, keepdims=True) - square - square.mean()
    _, axes = np.linalg.eigh(centred @ centred.T)
    where = centred.T @ axes[:, :-3:-1]
    where /= 2 * max(float(np.abs(where).max()), 1e-9)
    return (np.sqrt(k) * (where + np.random.default_rng(0).normal(scale=0.03, size=where.shape))).tolist()


def _pack(boxes: list[tuple[Array, Array]], n: int) -> Array:
    """Shelves, filled from left to right; a shelf is about as wide as the whole is high."""
    where = np.zeros((n, 2))
    gap = 0.15 * np.sqrt(n) if len(boxes) < 12 else 0.9
    first = np.ptp(boxes[0][1], axis=0)
    total = sum(float(np.prod(np.ptp(place, axis=0) + gap)) for _, place in boxes)
    limit = max(float(first[0]), 1.25 * np.sqrt(total))
    left = top = shelf = 0.0
    for members, place in boxes:
        size = np.ptp(place, axis=0)
        if left > 0 and left + size[0] > limit:
            left, top, shelf = 0.0, top - shelf - gap, 0.0
        where[members] = place - [place[:, 0].min(), place[:, 1].max()] + [left, top]
        left += float(size[0]) + gap
        shelf = max(shelf, float(size[1]))
    return where
