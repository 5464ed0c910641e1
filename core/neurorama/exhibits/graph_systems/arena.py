"""What systems for big graphs are tried on: hubs and communities, GraphSAGE on samples, features on a disk."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from neurorama import Bars, Frame, Grid, Run, Value, descend
from neurorama.kernels.cache import PAGE, PagedFile, belady, lru
from neurorama.kernels.propagation import Adjacency, adjacency, normalised
from neurorama.kernels.sampling import Sample, surroundings


@dataclass(frozen=True)
class BigGraph:
    """`pattern` holds the neighbours of each of n nodes, row by row; `x` (n, d) features, `y` (n,) communities."""

    pattern: Adjacency
    x: Tensor
    y: Tensor

    @property
    def edge_index(self) -> Tensor:
        """(2, m) sender and receiver."""
        return torch.stack([self.pattern.col, self.pattern.row])


def hubs_and_communities(
    num_nodes: int, features: int, communities: int = 8, degree: int = 12, homophily: float = 0.7, tail: float = 1.5
) -> BigGraph:
    """A random graph whose degrees follow a power law, numbered at random; drawn from torch's random stream.

    Args:
        degree: mean number of neighbours that are drawn; pairs drawn twice count once.
        homophily: share of links that must stay in their community.
        tail: nodes are drawn with Pareto weights of this exponent; their degrees have the exponent tail + 1.
    """
    y = torch.randint(communities, (num_nodes,))
    weight = (1 - torch.rand(num_nodes)) ** (-1 / tail)
    links = num_nodes * degree // 2
    src, dst = (torch.multinomial(weight, links, replacement=True) for _ in range(2))
    stays = torch.rand(links) < homophily
    for community in range(communities):
        members = (y == community).nonzero().flatten()
        here = (stays & (y[src] == community)).nonzero().flatten()
        dst[here] = members[torch.multinomial(weight[members], len(here), replacement=True)]
    pairs = torch.stack([src * num_nodes + dst, dst * num_nodes + src])[:, src != dst].unique()
    centre = nn.functional.normalize(torch.randn(communities, features), dim=1)
    x = centre[y] + torch.randn(num_nodes, features)
    return BigGraph(adjacency(torch.stack([pairs // num_nodes, pairs % num_nodes]), num_nodes), x, y)


class SAGE(nn.Module):
    """GraphSAGE of two layers: each node's own state beside the mean of its neighbours'. -> (n, c)"""

    def __init__(self, features: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2 * features, hidden), nn.Linear(2 * hidden, classes)])

    def forward(self, edge_index: Tensor, x: Tensor) -> Tensor:
        near = normalised(edge_index, len(x), self_loops=False, how="row")
        h = self.layers[0](torch.cat([x, near @ x], dim=1)).relu()
        return self.layers[1](torch.cat([h, near @ h], dim=1))


@dataclass(frozen=True)
class Served:
    """A mini-batch with the features of its nodes.

    Args:
        sample: who is in it.
        x: (s, d) their features.
        level: (s,) where each was: one of `LEVELS`.
        touched: (p,) the pages that were read for it.
    """

    sample: Sample
    x: np.ndarray
    level: np.ndarray
    touched: np.ndarray


LEVELS = ("GPU memory", "CPU memory", "disk cache", "disk")


def epoch(graph: BigGraph, train: Tensor, size: int, fanouts: Sequence[int]) -> list[Sample]:
    """All `train` nodes in a new random order, `size` in a mini-batch, each with its sampled surroundings."""
    parts = train[torch.randperm(len(train))].split(size)
    return [surroundings(graph.pattern.crow, graph.pattern.col, part, fanouts) for part in parts]


def page_cache(whole: PagedFile, samples: Sequence[Sample], rows: int) -> Iterator[Served]:
    """Features where they lie, behind a cache of pages (for `rows` rows) that drops the least recently used, as an
    operating system does."""
    wanted = [np.unique(sample.nodes.numpy() // whole.per_page) for sample in samples]
    hits = np.split(lru(np.concatenate(wanted), rows // whole.per_page), np.cumsum([len(w) for w in wanted])[:-1])
    for sample, pages, hit in zip(samples, wanted, hits):
        nodes = sample.nodes.numpy()
        missed = np.isin(nodes // whole.per_page, pages[~hit])
        yield Served(sample, whole.read(nodes)[0], np.where(missed, 3, 1), pages[~hit])


def feature_cache(whole: PagedFile, samples: Sequence[Sample], rows: int) -> Iterator[Served]:
    """Features where they lie, behind the best possible cache of single rows, which knows all samples to come."""
    wanted = [sample.nodes.numpy() for sample in samples]
    hits = np.split(belady(np.concatenate(wanted), rows), np.cumsum([len(w) for w in wanted])[:-1])
    for sample, nodes, hit in zip(samples, wanted, hits):
        yield Served(sample, whole.read(nodes)[0], np.where(hit, 1, 3), whole.read(nodes[~hit])[1])


def partition_buffer(
    whole: PagedFile, graph: BigGraph, train: Tensor, batches: int, fanouts: Sequence[int], groups: int
) -> Iterator[Served]:
    """Epochs with a buffer for 1 / `groups` of the graph: 64 stretches of the file are dealt out at random, one group
    after the other is loaded, and its training nodes see only neighbours that are loaded too."""
    n, edge_index = len(graph.y), graph.edge_index
    while True:
        group = (torch.randperm(64) % groups)[torch.arange(n) * 64 // n]
        for number, turn in enumerate(torch.arange(batches).tensor_split(groups)):
            member = group == number
            inside = adjacency(edge_index[:, member[edge_index].all(0)], n)
            seeds, loaded = train[member[train]], np.unique(member.nonzero().flatten().numpy() // whole.per_page)
            for part in seeds[torch.randperm(len(seeds))].tensor_split(len(turn)):
                sample = surroundings(inside.crow, inside.col, part, fanouts)
                nodes = sample.nodes.numpy()
                yield Served(sample, whole.read(nodes)[0], np.ones(len(nodes), int), loaded)
                loaded = loaded[:0]


def race(
    graph: BigGraph,
    test: Tensor,
    feeds: Mapping[str, Iterator[Served]],
    files: Mapping[str, PagedFile],
    before: Mapping[str, int],
    steps: int,
) -> Run:
    """Trains the same GraphSAGE on each of `feeds`, one mini-batch each a frame, and counts what the disk reads.

    Args:
        test: (t,) nodes that are tested, on all their neighbours.
        feeds: name -> its mini-batches, `steps` of them at least.
        files: name -> what it reads.
        before: name -> pages that it had to read and write before training.
        steps: mini-batches in all.
    """
    first = SAGE(graph.x.shape[1], 32, int(graph.y.max()) + 1)
    models = {arm: copy.deepcopy(first) for arm in feeds}
    now: dict[str, Served] = {}

    def loss(arm: str) -> Tensor:
        sample, x = now[arm].sample, torch.as_tensor(now[arm].x)
        logits = models[arm](sample.edge_index, x)[: sample.seeds]
        return nn.functional.cross_entropy(logits, graph.y[sample.nodes[: sample.seeds]])

    learning = {arm: descend(partial(loss, arm), model.parameters(), steps) for arm, model in models.items()}
    read, missed = dict.fromkeys(feeds, 0), dict.fromkeys(feeds, 0)
    for step in range(1, steps + 1):
        values: dict[str, Value] = {}
        for arm, feed in feeds.items():
            served = now[arm] = next(feed)
            next(learning[arm])
            read[arm] += len(served.touched)
            missed[arm] += int((served.level > 1).sum())
            values[f"pages/{arm}"] = float(before.get(arm, 0) + read[arm])
            values[f"disk/{arm}"] = _map(served.touched, files[arm].pages)
            values[f"came from/{arm}"] = Bars(LEVELS, np.bincount(served.level, minlength=4), "nodes of the mini-batch")
            if missed[arm]:
                values[f"amplification/{arm}"] = read[arm] * PAGE / (missed[arm] * 4 * graph.x.shape[1])
            if step % 6 == 0:
                with torch.no_grad():
                    guess = models[arm](graph.edge_index, graph.x)[test].argmax(1)
                values[f"test accuracy/{arm}"] = float((guess == graph.y[test]).float().mean())
        yield Frame(step, steps, values)


def _map(touched: np.ndarray, pages: int) -> Grid:
    """A file as up to 1,024 cells, row by row: the share of each that was read."""
    cells = min(1024, max(1, pages))
    cell = np.arange(pages) * cells // max(1, pages)
    share = np.bincount(cell[touched], minlength=cells) / np.maximum(1, np.bincount(cell, minlength=cells))
    return Grid(np.pad(share, (0, -cells % 32)).reshape(-1, 32), "", "pages of the file, row by row", "share read")
