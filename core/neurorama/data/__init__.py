"""Data by name: embedded, synthetic, benchmark, and the user's own.

    data.graph("karate", seed=0)            one graph; also graphs("mutag"), table("digits"), stream("events")
    data.sources()                          everything there is, and what is missing
    data.add("friends.csv")                 your own graph: the name that `graph` and every source knob know it by
    data.edit("karate", [("link", 3, 9)])   a graph changed by hand, kept as one of your own

torch is imported when something is loaded, not before.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..errors import InputError as InputError
from ..errors import nearest
from . import benchmark, folder
from .folder import own as own

if TYPE_CHECKING:
    from . import embedded as embedded
    from . import synthetic as synthetic
    from .convert import from_networkx as from_networkx
    from .convert import from_pyg as from_pyg
    from .convert import to_pyg as to_pyg
    from .convert import usable as usable
    from .edits import edit as edit
    from .edits import editable as editable
    from .edits import featured as featured
    from .files import read as read
    from .measure import statistics as statistics
    from .mine import add as add
    from .mine import remove as remove
    from .types import GraphData as GraphData
    from .types import GraphSet as GraphSet
    from .types import Stream as Stream
    from .types import Table as Table

_HOMES = {
    **dict.fromkeys(("GraphData", "GraphSet", "Stream", "Table"), "types"),
    **dict.fromkeys(("from_networkx", "from_pyg", "to_pyg", "usable"), "convert"),
    **dict.fromkeys(("add", "remove"), "mine"),
    **dict.fromkeys(("edit", "editable", "featured"), "edits"),
    "read": "files",
    "statistics": "measure",
}


def __getattr__(name: str) -> Any:
    if name in ("embedded", "synthetic"):
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


Kind = Literal["graph", "graphs", "table", "stream"]


@dataclass(frozen=True)
class _Made:
    """Data that a function of `embedded` or `synthetic` makes."""

    kind: Kind
    title: str
    function: str
    options: tuple[tuple[str, Any], ...] = ()

    def load(self, seed: int) -> Any:
        module, _, function = self.function.partition(".")
        return getattr(import_module(f".{module}", __name__), function)(seed, **dict(self.options))


_MADE = {
    "karate": _Made("graph", "Karate club: 34 members and the half they joined after a quarrel", "embedded.karate"),
    "les-miserables": _Made("graph", "Les Misérables: 77 characters and who meets whom", "embedded.les_miserables"),
    "davis": _Made("graph", "Southern women: 18 women and the 14 events they went to", "embedded.davis"),
    "florentine": _Made("graph", "Florence: marriages between 15 families", "embedded.florentine"),
    "blocks": _Made("graph", "Three groups, mostly linked inside", "synthetic.block_model"),
    "blocks-mixed": _Made(
        "graph",
        "Three groups, linked inside and to the others alike",
        "synthetic.block_model",
        (("homophily", 0.45),),
    ),
    "blocks-opposed": _Made(
        "graph", "Three groups, mostly linked to the others", "synthetic.block_model", (("homophily", 0.1),)
    ),
    "ba-houses": _Made("graph", "A random graph with 20 planted houses", "synthetic.houses"),
    "ba-shapes": _Made(
        "graph",
        "BA-Shapes: a random graph with 80 planted houses",
        "synthetic.houses",
        (("num_nodes", 300), ("num_houses", 80)),
    ),
    "graph-atlas": _Made("graphs", "All 1,252 graphs with one to seven nodes", "embedded.graph_atlas"),
    "motifs": _Made("graphs", "400 random graphs with none to four planted houses", "synthetic.motif_counts"),
    "cycles": _Made("graphs", "400 random graphs with one cycle of three to seven nodes", "synthetic.cycle_lengths"),
    "digits": _Made("table", "1,797 handwritten digits, 8 by 8 pixels", "embedded.digits"),
    "wine": _Made("table", "178 wines of three growers, 13 measurements", "embedded.wine"),
    "breast-cancer": _Made("table", "569 tumours, 30 measurements, malignant or benign", "embedded.breast_cancer"),
    "events": _Made("stream", "4,000 visits of users who wander around a circle of items", "synthetic.events"),
}


@dataclass(frozen=True)
class Source:
    """One source of data; `note` says what is missing and how to get it, where it is not `available`."""

    name: str
    kind: Kind
    title: str
    available: bool = True
    note: str = ""


def sources(kind: Kind | None = None) -> list[Source]:
    """All sources, of one kind or of all: embedded, synthetic, benchmarks, the user's own."""
    found = [Source(name, made.kind, made.title) for name, made in _MADE.items()]
    for name, bench in benchmark.BENCHMARKS.items():
        missing = bench.missing()
        note = f"{missing[0]} is not in {folder.root()}; it is downloaded on first use" if missing else ""
        found.append(Source(name, bench.kind, bench.title, not missing, note))
    found += [Source(name, "graph", f"your own: {name.removeprefix('mine/')}") for name in own()]
    return [source for source in found if kind in (None, source.kind)]


def load(source: str, seed: int = 0) -> GraphData | GraphSet | Table | Stream:
    """The data called `source`; `seed` draws what is synthetic, the rest is the same for all seeds.

    Raises:
        InputError: nothing is called that, or its files cannot be had.
    """
    if source in _MADE:
        return _MADE[source].load(seed)
    if source in benchmark.BENCHMARKS:
        return benchmark.load(source)
    if source.startswith("mine/"):
        from . import mine

        return mine.load(source)
    raise InputError(f"no data is called {source!r}; {nearest(source, [*_MADE, *benchmark.BENCHMARKS, *own()])}")


T = TypeVar("T")


def _typed(source: str, seed: int, kind: str, words: str, expected: type[T]) -> T:
    data = load(source, seed)
    if not isinstance(data, expected):
        fitting = ", ".join(known.name for known in sources(kind))[:200]  # type: ignore[arg-type]
        raise InputError(f"source={source!r} is not {words}; allowed: {fitting}")
    return data


def graph(source: str, seed: int = 0) -> GraphData:
    """Like `load`, for sources that are one graph."""
    from .types import GraphData

    return _typed(source, seed, "graph", "one graph", GraphData)


def labelled(source: str, seed: int = 0) -> GraphData:
    """Like `graph`, for tasks that need labels of nodes.

    Raises:
        InputError: also where the graph has no labels, or only one.
    """
    found = graph(source, seed)
    if found.y is None:
        raise InputError(
            f"source={source!r} has no labels to predict: its nodes need an attribute `class`, `y` or `label`"
        )
    if found.num_classes < 2:
        raise InputError(f"source={source!r} has only one label, {found.classes[0]!r}; two are needed to tell apart")
    return found


def graphs(source: str, seed: int = 0) -> GraphSet:
    """Like `load`, for sources that are a set of graphs."""
    from .types import GraphSet

    return _typed(source, seed, "graphs", "a set of graphs", GraphSet)


def table(source: str, seed: int = 0) -> Table:
    """Like `load`, for sources that are a table."""
    from .types import Table

    return _typed(source, seed, "table", "a table", Table)


def stream(source: str, seed: int = 0) -> Stream:
    """Like `load`, for sources that are a stream of events."""
    from .types import Stream

    return _typed(source, seed, "stream", "a stream of events", Stream)
