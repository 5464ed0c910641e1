"""Data made to measure, from a seed."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .types import GraphData, GraphSet, Stream


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
    """(train, val, test) masks: `per_class` nodes of each class are labelled, the rest is halved.

    A small class keeps at least half of its nodes for the rest, where it has more than one.

    Raises:
        InputError: fewer than two nodes are left.
    """
    draw = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(y), generator=draw)
    train = torch.zeros(len(y), dtype=torch.bool)
    for label in y.unique():
        members = order[y[order] == label]
        train[members[: min(per_class, max(1, len(members) // 2))]] = True
    rest = order[~train[order]]
    if len(rest) < 2:
        raise InputError(f"{len(y)} nodes are too few: one of each class is labelled, and two more are needed to test")
    val, test = torch.zeros_like(train), torch.zeros_like(train)
    val[rest[: len(rest) // 2]] = True
    test[rest[len(rest) // 2 :]] = True
    return train, val, test


# The house of GNNExplainer: a square with a roof. Its nodes are top, two middles, two bottoms.
_HOUSE = torch.tensor([[0, 1], [0, 2], [1, 2], [1, 3], [2, 4], [3, 4]])
_ROLES = torch.tensor([1, 2, 2, 3, 3])


def houses(
    seed: int, num_nodes: int = 120, num_houses: int = 20, attach: int = 5, noise: float = 0.1, features: int = 10
) -> GraphData:
    """A Barabasi-Albert graph with a house planted at each of `num_houses` of its nodes.

    Ying et al. (2019), GNNExplainer, https://arxiv.org/abs/1903.03894: BA-Shapes has 300 nodes, 80 houses and
    `attach` 5; a house hangs by one of its middle nodes. Labels are roles: base, top, middle, bottom.
    `truth["motif"]` (m,) marks the six edges of each house, `truth["house"]` (n,) is the number of a node's
    house or -1. All nodes have the same features, so that only the structure tells.

    Args:
        num_nodes: of the base; a house adds five.
        attach: edges that each node of the base brings when it joins.
        noise: random edges that are added, as a share of all nodes.
        features: width of x, which is all ones.
    """
    if num_houses > num_nodes:
        raise ValueError(f"num_houses={num_houses}: no more than num_nodes={num_nodes}, one house hangs at one node")
    draw = torch.Generator().manual_seed(seed)
    base = torch.tensor(list(nx.barabasi_albert_graph(num_nodes, attach, seed=seed).edges)).T
    total = num_nodes + 5 * num_houses
    first = num_nodes + 5 * torch.arange(num_houses)
    motif = (first[:, None, None] + _HOUSE).reshape(-1, 2).T
    hooks = torch.stack([torch.randperm(num_nodes, generator=draw)[:num_houses], first + 1])

    kind = torch.zeros(total, total, dtype=torch.uint8)  # 0 no edge, 1 edge, 2 edge of a house; upper triangle
    for pairs, value in ((base, 1), (hooks, 1), (motif, 2)):
        low, high = pairs.sort(dim=0).values
        kind[low, high] = value
    free = (torch.ones_like(kind).triu(1) - kind.clamp(max=1)).nonzero()
    extra = free[torch.randperm(len(free), generator=draw)[: round(noise * total)]]
    kind[extra[:, 0], extra[:, 1]] = 1
    kind = kind + kind.T
    edge_index = kind.nonzero().T.contiguous()
    return GraphData(
        edge_index=edge_index,
        x=torch.ones(total, features),
        y=torch.cat([torch.zeros(num_nodes, dtype=torch.long), _ROLES.repeat(num_houses)]),
        classes=("base", "top", "middle", "bottom"),
        truth={
            "motif": kind[edge_index[0], edge_index[1]] == 2,
            "house": torch.cat([torch.full((num_nodes,), -1), torch.arange(num_houses).repeat_interleave(5)]),
        },
    )


def motif_counts(
    seed: int, num_graphs: int = 400, most: int = 4, num_nodes: tuple[int, int] = (30, 40), surplus: int = 12
) -> GraphSet:
    """Graphs with 0 to `most` planted houses; `y` (g,) counts them.

    A graph is a random tree with random further edges, and houses that hang by one edge each. The number of nodes
    is drawn from `num_nodes` (both ends included) and there are `surplus` edges more than a spanning tree has,
    however many houses there are: two of them in each house, the others between nodes of the tree. So neither the
    number of nodes nor that of edges tells anything. All nodes have the same feature, 1.
    """
    if num_nodes[0] < 5 * most + 10 or surplus < 2 * most:
        raise ValueError(f"most={most} houses need {5 * most + 10} nodes and a surplus of {2 * most}")
    draw = np.random.default_rng(seed)
    counts = draw.integers(most + 1, size=num_graphs)
    house, graphs = _HOUSE.numpy(), []
    for count in counts.tolist():
        n = int(draw.integers(num_nodes[0], num_nodes[1] + 1))
        base = n - 5 * count
        pairs = _tree_pairs(draw, base)
        free = np.ones((base, base), dtype=bool)
        free[pairs[:, 0], pairs[:, 1]] = False
        candidates = np.argwhere(np.tril(free, -1))
        more = candidates[draw.choice(len(candidates), surplus - 2 * count, replace=False)]
        first = base + 5 * np.arange(count)
        hooks = np.stack([draw.integers(base, size=count), first + 1], axis=1)
        planted = (first[:, None, None] + house).reshape(-1, 2)
        graphs.append(_renumbered(draw, np.concatenate([pairs, more, hooks, planted]), n))
    return GraphSet(tuple(graphs), torch.from_numpy(counts))


def cycle_lengths(
    seed: int, num_graphs: int = 400, lengths: tuple[int, ...] = (3, 4, 5, 6, 7), num_nodes: tuple[int, int] = (20, 30)
) -> GraphSet:
    """Graphs with one cycle each, from which trees grow; `y` (g,) is the place of its length in `lengths`.

    The number of nodes is drawn from `num_nodes` (both ends included), and there are as many edges, however long the
    cycle is. All nodes have the same feature, 1.
    """
    if max(lengths) > num_nodes[0] or min(lengths) < 3:
        raise ValueError(f"lengths={lengths}: a cycle has from 3 to {num_nodes[0]} nodes here")
    draw = np.random.default_rng(seed)
    y = draw.integers(len(lengths), size=num_graphs)
    graphs = []
    for label in y:
        n, length = int(draw.integers(num_nodes[0], num_nodes[1] + 1)), lengths[label]
        ring = np.stack([np.arange(length), (np.arange(length) + 1) % length], axis=1)
        graphs.append(_renumbered(draw, np.concatenate([ring, _tree_pairs(draw, n, length)]), n))
    return GraphSet(tuple(graphs), torch.from_numpy(y), tuple(f"a cycle of {length}" for length in lengths))


def _tree_pairs(draw: np.random.Generator, n: int, grown: int = 1) -> np.ndarray:
    """(n - grown, 2): each node from `grown` on with an older one, all with the same chance."""
    child = np.arange(grown, n)
    return np.stack([child, draw.integers(child)], axis=1)


def _renumbered(draw: np.random.Generator, pairs: np.ndarray, n: int) -> GraphData:
    """A graph of these pairs whose numbers tell nothing."""
    ends = torch.from_numpy(draw.permutation(n)[pairs].T)
    both = torch.cat([ends, ends.flip(0)], dim=1)
    return GraphData(both[:, (both[0] * n + both[1]).argsort()], torch.ones(n, 1))


def events(
    seed: int,
    num_users: int = 100,
    num_items: int = 60,
    num_events: int = 4000,
    drift: float = 0.6,
    pull: float = 0.7,
    focus: float = 12.0,
    noise: float = 0.1,
) -> Stream:
    """Users visit items that lie on a circle, and every visit moves the user.

    A user at angle a picks item i at angle b with probability proportional to exp(focus cos(a - b)); then he moves
    the share `pull` of the way to that item, and `drift` further in his own direction (clockwise or not, by user).
    Where he goes next therefore hangs on all his visits so far, the last one most: who misses an event, because it
    stands in the same batch, is off by about `drift`. Some users are far more active than others.

    Users are nodes 0 ... num_users - 1, items follow. Gaps between events are exponential with mean 1.
    `message` (m, 2) is the item's place on the circle plus Gaussian noise. `truth["state"]` (m,) is the user's angle
    just before the event, `truth["direction"]` (num_users,) is 1 or -1.

    Args:
        drift: own movement per event, in radians; with pull 0 and drift 0 users stand still and order does not matter.
        pull: share of the way to the visited item, 0 to 1.
        focus: concentration of the choice; 0 picks any item.
        noise: standard deviation of the noise on messages.
    """
    draw = torch.Generator().manual_seed(seed)
    place = torch.arange(num_items) * (2 * math.pi / num_items)
    activity = torch.randn(num_users, generator=draw).exp()
    src = torch.multinomial(activity, num_events, replacement=True, generator=draw)
    t = torch.empty(num_events, dtype=torch.double).exponential_(generator=draw).cumsum(0)
    direction = torch.randint(0, 2, (num_users,), generator=draw) * 2 - 1
    start = torch.rand(num_users, generator=draw) * 2 * math.pi
    luck = torch.empty(num_events, num_items).exponential_(generator=draw).log().neg()  # Gumbel: argmax is a draw

    # One event hangs on the one before: a loop, in NumPy since torch costs ten times as much for 60 numbers.
    angles, chance = place.double().numpy(), luck.double().numpy()
    now, turn = start.double().numpy(), drift * direction.double().numpy()
    state, item = np.empty(num_events), np.empty(num_events, dtype=np.int64)
    for k, user in enumerate(src.tolist()):
        state[k] = now[user]
        item[k] = (focus * np.cos(angles - now[user]) + chance[k]).argmax()
        way = (angles[item[k]] - now[user] + math.pi) % (2 * math.pi) - math.pi
        now[user] = (now[user] + pull * way + turn[user]) % (2 * math.pi)

    visited = torch.as_tensor(item)
    there = torch.stack([place.cos(), place.sin()], dim=1)[visited]
    return Stream(
        src=src,
        dst=num_users + visited,
        t=(t - t[0]).float(),
        num_nodes=num_users + num_items,
        message=there + noise * torch.randn(num_events, 2, generator=draw),
        num_sources=num_users,
        truth={"state": torch.as_tensor(state).float(), "direction": direction},
    )
