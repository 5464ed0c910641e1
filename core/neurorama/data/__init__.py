"""Data by name: embedded, synthetic, benchmark, and the user's own."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import InputError, nearest
from . import embedded, synthetic
from .types import GraphData as GraphData
from .types import GraphSet as GraphSet
from .types import Stream as Stream
from .types import Table as Table

_SOURCES: dict[str, Callable[[int], GraphData | GraphSet | Table | Stream]] = {
    "karate": embedded.karate,
    "blocks": synthetic.block_model,
    "blocks-opposed": lambda seed: synthetic.block_model(seed, homophily=0.1),
}


def load(source: str, seed: int = 0) -> GraphData | GraphSet | Table | Stream:
    """The data called `source`; `seed` draws what is synthetic."""
    if source not in _SOURCES:
        raise InputError(f"no data is called {source!r}; {nearest(source, _SOURCES)}")
    return _SOURCES[source](seed)


def graph(source: str, seed: int = 0) -> GraphData:
    """Like `load`, for sources that are one graph."""
    data = load(source, seed)
    if not isinstance(data, GraphData):
        raise InputError(f"source={source!r} is not one graph")
    return data
