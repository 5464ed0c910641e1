"""The shapes in which data comes: a graph, a set of graphs, a table, a stream of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

Split = tuple[Tensor, Tensor, Tensor]  # boolean masks (n,): train, validation, test


@dataclass(frozen=True)
class GraphData:
    """One graph. Undirected graphs hold each edge in both directions; there are no duplicates and no self-loops.

    Args:
        edge_index: (2, m) long, sorted by source, then target.
        x: (n, d) float features; made from the structure where the graph has none of its own.
        y: (n,) long labels, or None.
        names: n names of nodes, or () for numbers.
        classes: names of the label values, or ().
        columns: names of the features, or ().
        edge_weight: (m,) float, or None.
        splits: (train, val, test) boolean masks (n,), where the source comes with public ones.
        directed: edges are one-way.
        truth: named extras that are known of synthetic data, e.g. "motif" (m,) edges or "house" (n,) nodes.
        notes: what was cleaned or left out when it was read, one sentence each.
    """

    edge_index: Tensor
    x: Tensor
    y: Tensor | None = None
    names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    edge_weight: Tensor | None = None
    splits: tuple[Split, ...] = ()
    directed: bool = False
    truth: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def num_nodes(self) -> int:
        return self.x.shape[0]

    @property
    def num_classes(self) -> int:
        return 0 if self.y is None else int(self.y.max()) + 1


@dataclass(frozen=True)
class GraphSet:
    """Many small graphs: `graphs`, all with features of one width; `y` (g,) long labels, or None.

    `names` has one name per graph, `classes` one per label value; both may be ().
    """

    graphs: tuple[GraphData, ...]
    y: Tensor | None = None
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows with a label each: `x` (n, d) float as the source has it, `y` (n,) long, names of columns and classes.

    `image` is (height, width) where a row is a picture.
    """

    x: Tensor
    y: Tensor
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    image: tuple[int, int] | None = None


@dataclass(frozen=True)
class Stream:
    """Timed events, oldest first: `src`, `dst` (m,) long, `t` (m,) float from 0 on, `message` (m, d) float or None.

    Where the stream is bipartite, destinations follow sources in the numbering and `num_sources` > 0.
    `truth` holds named extras that are known of synthetic streams.
    """

    src: Tensor
    dst: Tensor
    t: Tensor
    num_nodes: int
    message: Tensor | None = None
    num_sources: int = 0
    names: tuple[str, ...] = ()
    truth: Mapping[str, Tensor] = field(default_factory=dict)
