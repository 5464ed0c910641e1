"""What a run shows: typed values in frames, frames in a trace.

The *type* of a value decides how it is drawn; no exhibit ever draws. Arrays are copied in, so
that a network which goes on learning cannot change a frame that was already given away. All
arrays are NumPy; torch tensors and lists are accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


def _copy(value: ArrayLike, dtype: type, ndim: int, what: str) -> NDArray[Any]:
    if isinstance(value, np.ndarray) and not value.flags.writeable and value.dtype == dtype:
        array = value  # nobody can change it: frames share what stays the same, such as a graph's edges
    else:
        array = np.array(np.asarray(value), dtype=dtype)
    if array.ndim != ndim:
        raise ValueError(f"{what} must have {ndim} dimension(s), not shape {array.shape}")
    array.setflags(write=False)
    return array


def _set(value: object, name: str, array: object) -> None:
    object.__setattr__(value, name, array)


def _length(array: Any, length: int, what: str) -> None:
    if len(array) != length:
        raise ValueError(f"{what} has {len(array)} entries where {length} are needed")


def _fill(value: object, length: int, **fields: type) -> None:
    """Copies the optional per-item fields of `value` in and checks that each has `length` entries."""
    for name, dtype in fields.items():
        given = getattr(value, name)
        if given is not None:
            _set(value, name, _copy(given, dtype, 1, name))
            _length(getattr(value, name), length, name)


@dataclass(frozen=True, eq=False)
class Points:
    """A representation: one dot per item. `x` (n, d); wider than 2 is projected once for the whole run.

    Args:
        x: (n, d) coordinates.
        classes: (n,) integers, the class that colours each dot.
        values: (n,) floats, a quantity that colours each dot (instead of classes).
        wrong: (n,) booleans, mistakes: drawn with a dark ring.
        items: what the rows are ("nodes"), so that panes are linked.
        names: n names, or () for numbers.
        axes: the names of two axes where `x` is two-dimensional and means something.
        links: (m, 2) pairs of rows joined by a thin line (predicted to corrected, path of a ball).
    """

    x: FloatArray | ArrayLike
    classes: IntArray | ArrayLike | None = None
    values: FloatArray | ArrayLike | None = None
    wrong: NDArray[np.bool_] | ArrayLike | None = None
    items: str = "items"
    names: Sequence[str] = ()
    axes: tuple[str, str] | None = None
    links: IntArray | ArrayLike | None = None

    def __post_init__(self) -> None:
        _set(self, "x", _copy(self.x, np.float32, 2, "x"))
        n = len(self.x)  # type: ignore[arg-type]
        _fill(self, n, classes=np.int64, values=np.float32, wrong=np.bool_)
        if self.links is not None:
            _set(self, "links", _copy(self.links, np.int64, 2, "links"))
        if self.names:
            _length(self.names, n, "names")


@dataclass(frozen=True, eq=False)
class Grid:
    """A matrix or an image. `z` (r, c); row 0 is drawn on top.

    Args:
        z: (r, c) quantities.
        rows, cols: the names of the axes, with units.
        unit: what the colour measures.
        signed: zero is the middle of the colour scale.
        image: square cells and no axes (a digit, a set of digits side by side).
        items: what the columns are ("nodes"), where they are items.
        x, y: (c,) and (r,) coordinates of columns and rows where they are quantities.
    """

    z: FloatArray | ArrayLike
    rows: str = ""
    cols: str = ""
    unit: str = ""
    signed: bool = False
    image: bool = False
    items: str = ""
    x: FloatArray | ArrayLike | None = None
    y: FloatArray | ArrayLike | None = None

    def __post_init__(self) -> None:
        _set(self, "z", _copy(self.z, np.float32, 2, "z"))
        r, c = np.shape(self.z)
        _fill(self, c, x=np.float32)
        _fill(self, r, y=np.float32)


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph with values on nodes and edges. `edges` (2, m): an undirected edge once or in both directions.

    Args:
        edges: (2, m) node numbers.
        num_nodes: n.
        classes: (n,) integers that colour the nodes.
        values: (n,) a quantity that colours the nodes (instead of classes).
        wrong: (n,) mistakes, a dark ring.
        train: (n,) nodes whose label was seen, drawn darker.
        weights: (m,) a quantity that widens the edges.
        edge_values: (m,) a quantity that colours the edges (curvature, flow); `edge_unit` is what it measures.
        change: (m,) 1 for an edge that was added to the graph as it was given, -1 for one that was dropped, else 0.
        directed: draw arrows.
        names: n names, or () for numbers.
        unit: what the node colour measures.
        layers: (n,) the column of each node, for layered drawings (a network's wiring).
    """

    edges: IntArray | ArrayLike
    num_nodes: int
    classes: IntArray | ArrayLike | None = None
    values: FloatArray | ArrayLike | None = None
    wrong: NDArray[np.bool_] | ArrayLike | None = None
    train: NDArray[np.bool_] | ArrayLike | None = None
    weights: FloatArray | ArrayLike | None = None
    directed: bool = False
    items: str = "nodes"
    names: Sequence[str] = ()
    unit: str = ""
    layers: IntArray | ArrayLike | None = None
    edge_values: FloatArray | ArrayLike | None = None
    edge_unit: str = ""
    change: IntArray | ArrayLike | None = None

    def __post_init__(self) -> None:
        edges = _copy(self.edges, np.int64, 2, "edges")
        if len(edges) != 2:
            raise ValueError(f"edges must have shape (2, m), not {edges.shape}")
        if edges.size and (edges.min() < 0 or edges.max() >= self.num_nodes):
            raise ValueError(f"edges name a node outside 0..{self.num_nodes - 1}")
        _set(self, "edges", edges)
        n = self.num_nodes
        _fill(self, n, classes=np.int64, values=np.float32, wrong=np.bool_, train=np.bool_, layers=np.int64)
        _fill(self, edges.shape[1], weights=np.float32, edge_values=np.float32, change=np.int64)
        if self.names:
            _length(self.names, n, "names")


@dataclass(frozen=True, eq=False)
class Mask:
    """An explanation laid over a graph: how much each edge (and node) matters, in [0, 1].

    Args:
        edges: (m,) weights of the edges of `over`, in its order.
        over: the graph that is explained.
        nodes: (n,) weights of its nodes.
        target: the node that is explained, or None.
        truth: (m,) booleans, the edges of the planted motif, where it is known.
    """

    edges: FloatArray | ArrayLike
    over: Graph
    nodes: FloatArray | ArrayLike | None = None
    target: int | None = None
    truth: NDArray[np.bool_] | ArrayLike | None = None

    def __post_init__(self) -> None:
        _set(self, "edges", _copy(self.edges, np.float32, 1, "edges"))
        m = np.shape(self.over.edges)[1]
        _length(self.edges, m, "edges")
        _fill(self, self.over.num_nodes, nodes=np.float32)
        _fill(self, m, truth=np.bool_)


@dataclass(frozen=True, eq=False)
class Bars:
    """Named quantities side by side: k names, `values` (k,) in `unit`; `line` is a level to compare with."""

    names: Sequence[str]
    values: FloatArray | ArrayLike
    unit: str = ""
    items: str = ""
    line: float | None = None

    def __post_init__(self) -> None:
        _set(self, "values", _copy(self.values, np.float32, 1, "values"))
        _length(self.names, len(self.values), "names")  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Events:
    """A raster: `times` (m,) and `units` (m,) of each event, of `num_units` units; `classes` (m,) colours them."""

    times: FloatArray | ArrayLike
    units: IntArray | ArrayLike
    num_units: int
    time: str = "time"
    items: str = "units"
    classes: IntArray | ArrayLike | None = None

    def __post_init__(self) -> None:
        _set(self, "times", _copy(self.times, np.float32, 1, "times"))
        _set(self, "units", _copy(self.units, np.int64, 1, "units"))
        _length(self.units, len(self.times), "units")  # type: ignore[arg-type]
        _fill(self, len(self.times), classes=np.int64)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Flow:
    """Weighted links between two named sets: `weights` (a, b) from each of `sources` to each of `targets`."""

    weights: FloatArray | ArrayLike
    sources: Sequence[str]
    targets: Sequence[str]
    unit: str = ""

    def __post_init__(self) -> None:
        _set(self, "weights", _copy(self.weights, np.float32, 2, "weights"))
        _length(self.sources, np.shape(self.weights)[0], "sources")
        _length(self.targets, np.shape(self.weights)[1], "targets")


@dataclass(frozen=True, eq=False)
class Hist:
    """A distribution: `counts` (b,) between `bounds` (b + 1,) of the quantity `axis`; `line` marks a threshold."""

    counts: FloatArray | ArrayLike
    bounds: FloatArray | ArrayLike
    axis: str = ""
    line: float | None = None

    def __post_init__(self) -> None:
        _set(self, "counts", _copy(self.counts, np.float32, 1, "counts"))
        _set(self, "bounds", _copy(self.bounds, np.float32, 1, "bounds"))
        _length(self.bounds, len(self.counts) + 1, "bounds")  # type: ignore[arg-type]

    @classmethod
    def of(
        cls, values: ArrayLike, bins: int, low: float, high: float, axis: str = "", line: float | None = None
    ) -> Hist:
        """The histogram of `values`; what lies outside [low, high] counts in the outer bins."""
        counts, bounds = np.histogram(np.clip(np.asarray(values), low, high), bins=bins, range=(low, high))
        return cls(counts, bounds, axis, line)


@dataclass(frozen=True, eq=False)
class Curve:
    """A function as it stands at this step: `y` (n,) over `x` (n,), e.g. a filter or the loss along a path."""

    x: FloatArray | ArrayLike
    y: FloatArray | ArrayLike
    axis: str = ""
    unit: str = ""
    dots: bool = False

    def __post_init__(self) -> None:
        _set(self, "x", _copy(self.x, np.float32, 1, "x"))
        _set(self, "y", _copy(self.y, np.float32, 1, "y"))
        _length(self.y, len(self.x), "y")  # type: ignore[arg-type]


Value = float | Points | Grid | Graph | Mask | Bars | Events | Flow | Hist | Curve


def split(name: str) -> tuple[str, str]:
    """`"loss/GCN"` -> `("loss", "GCN")`; a name without an arm has the arm `""`."""
    series, _, arm = name.partition("/")
    return series, arm


@dataclass(frozen=True)
class Frame:
    """One moment of a run. `step` of `of` is the progress; `values` are named `series/arm`."""

    step: int
    of: int
    values: Mapping[str, Value] = field(default_factory=dict)

    def plus(self, values: Mapping[str, Value]) -> Frame:
        """This frame with more values."""
        return Frame(self.step, self.of, {**self.values, **values})


Run = Iterator[Frame]


@dataclass(frozen=True)
class Trace:
    """A recorded run: all that a stage, a store or a claim may see."""

    exhibit: str
    params: Mapping[str, Any]
    frames: tuple[Frame, ...]

    def names(self) -> list[str]:
        """Names of all values, in the order in which they first appear."""
        return list(dict.fromkeys(name for frame in self.frames for name in frame.values))

    def series(self, name: str) -> list[tuple[int, Value]]:
        """(step, value) of every frame that has `name`."""
        return [(frame.step, frame.values[name]) for frame in self.frames if name in frame.values]

    def last(self, name: str) -> Any:
        """The newest value of `name`.

        Raises:
            KeyError: no frame has it.
        """
        for frame in reversed(self.frames):
            if name in frame.values:
                return frame.values[name]
        raise KeyError(f"no frame of {self.exhibit} has {name!r}; it has {self.names()}")

    def numbers(self, name: str) -> list[float]:
        """The curve called `name`: its numbers in order of time."""
        return [float(value) for _, value in self.series(name)]  # type: ignore[arg-type]
