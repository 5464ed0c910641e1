"""The user's own graphs, kept as plain JSON in his own folder and known as `mine/<name>`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Self

import torch
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ..errors import InputError, nearest, one_line
from . import folder
from .convert import assemble
from .files import contents, read
from .types import GraphData


class _Kept(BaseModel):
    """A graph as it is stored; an undirected edge once, features only where they do not come from the structure."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    names: list[str]
    sources: list[int]
    targets: list[int]
    weight: list[float] | None
    directed: bool
    y: list[int] | None
    classes: list[str]
    x: list[list[float]] | None
    columns: list[str]
    notes: list[str]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        n, m = len(self.names), len(self.sources)
        lengths = ((self.targets, m), (self.weight, m), (self.y, n), (self.x, n))
        if any(values is not None and len(values) != length for values, length in lengths):
            raise ValueError("its lists differ in length")
        if any(not 0 <= end < n for end in (*self.sources, *self.targets)):
            raise ValueError("an edge leads to a node that is not there")
        if any(len(row) != len(self.columns) for row in self.x or []):
            raise ValueError("its rows differ in length")
        if any(not 0 <= label < len(self.classes) for label in self.y or []):
            raise ValueError("a label has no class")
        return self

    @classmethod
    def of(cls, graph: GraphData) -> _Kept:
        once = torch.ones_like(graph.edge_index[0], dtype=torch.bool)
        if not graph.directed:
            once = graph.edge_index[0] < graph.edge_index[1]
        src, dst = graph.edge_index[:, once].tolist()
        return cls(
            names=list(graph.names),
            sources=src,
            targets=dst,
            weight=None if graph.edge_weight is None else graph.edge_weight[once].tolist(),
            directed=graph.directed,
            y=None if graph.y is None else graph.y.tolist(),
            classes=list(graph.classes),
            x=graph.x.tolist() if graph.columns else None,
            columns=list(graph.columns),
            notes=list(graph.notes),
        )

    def graph(self) -> GraphData:
        return assemble(
            pairs=torch.tensor([self.sources, self.targets], dtype=torch.long),
            num_nodes=len(self.names),
            x=None if self.x is None else torch.tensor(self.x),
            weight=None if self.weight is None else torch.tensor(self.weight),
            directed=self.directed,
            notes=self.notes,
            y=None if self.y is None else torch.tensor(self.y),
            names=tuple(self.names),
            classes=tuple(self.classes),
            columns=tuple(self.columns),
        )


def add(source: str | Path | bytes, filename: str = "") -> str:
    """Reads a graph (see `read`) and keeps it; the name under which `load` and every `source` knob find it again.

    Raises:
        InputError: as `read`; then nothing is written.
    """
    name = filename or (Path(source).name if not isinstance(source, bytes) else "")
    return keep(read(source, name), Path(name).stem, contents(source))


def keep(graph: GraphData, stem: str, content: bytes = b"") -> str:
    """Keeps a graph; its name, made from `stem` and from its `content`, or of what it came from."""
    kept = _Kept.of(graph).model_dump_json().encode()
    stem = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40] or "graph"
    own = f"mine/{stem}-{hashlib.sha256(content or kept).hexdigest()[:8]}"
    folder.write(_path(own), kept)
    return own


def load(name: str) -> GraphData:
    """A graph that was added before.

    Raises:
        InputError: there is none of that name, or its file is damaged.
    """
    path = _existing(name)
    try:
        return _Kept.model_validate_json(path.read_bytes()).graph()
    except ValidationError as error:
        raise InputError(f"source={name!r}: {path} is damaged ({one_line(error)[:160]}); remove it") from None


def remove(name: str) -> None:
    """Deletes a graph of the user's own.

    Raises:
        InputError: there is none of that name.
    """
    _existing(name).unlink()


def _path(name: str) -> Path:
    if not folder.OWN.fullmatch(name):
        raise InputError(f"source={name!r}: a graph of your own is called mine/ and then a-z, 0-9, - or _")
    return folder.mine() / f"{name.removeprefix('mine/')}.json"


def _existing(name: str) -> Path:
    path = _path(name)
    if not path.is_file():
        hint = nearest(name, folder.own()) if folder.own() else "there are none yet"
        raise InputError(f"no graph of your own is called {name!r}; {hint}")
    return path
