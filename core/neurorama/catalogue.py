"""Every paper's facts without importing an exhibit: look up, search, relations, and `load`.

The facts of all papers are rows of `papers.jsonl`. A paper is *built* where its exhibit's file
exists; that file is read with `ast`, never imported, until somebody calls `load`.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError, nearest

if TYPE_CHECKING:
    from .arena import Arena
    from .exhibit import Exhibit

_HERE = Path(__file__).parent
_NOT_PAPERS = {"__init__", "arena"}


@dataclass(frozen=True)
class Row:
    """One paper as the catalogue knows it; texts are plain words."""

    id: int
    area: str
    slug: str
    title: str
    name: str
    kind: str
    fidelity: str
    idea: str
    mechanism: str
    claim: str
    picture: str
    views: tuple[str, ...]
    reference: str
    shares: tuple[str, ...]  # kernels it has in common with others
    improves_on: tuple[str, ...] = ()  # keys of papers here, or plain names of well-known methods
    compared_with: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.area}/{self.slug}"

    @property
    def path(self) -> Path:
        """Where its exhibit's file is, or would be."""
        return _HERE / "exhibits" / self.area / f"{self.slug}.py"

    @property
    def built(self) -> bool:
        return self.key in _built()


@dataclass(frozen=True)
class Area:
    """A wing of the hall: its slug, and title and blurb as its folder's docstring tells them."""

    slug: str
    title: str
    blurb: str


@cache
def papers() -> tuple[Row, ...]:
    """All papers, area by area."""
    lines = (_HERE / "papers.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(Row(**{k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(line).items()}) for line in lines)


@cache
def _rows() -> dict[str, Row]:
    return {row.key: row for row in papers()}


@cache
def _built() -> frozenset[str]:
    files = (_HERE / "exhibits").glob("*/*.py")
    return frozenset(f"{file.parent.name}/{file.stem}" for file in files if file.stem not in _NOT_PAPERS)


@cache
def areas() -> tuple[Area, ...]:
    """All areas in the order of the hall."""
    found = []
    for slug in dict.fromkeys(row.area for row in papers()):
        tree = ast.parse((_HERE / "exhibits" / slug / "__init__.py").read_text(encoding="utf-8"))
        title, _, blurb = (ast.get_docstring(tree) or slug).partition("\n")
        found.append(Area(slug, title, blurb.strip()))
    return tuple(found)


def built() -> tuple[Row, ...]:
    """The papers that have an exhibit."""
    return tuple(row for row in papers() if row.built)


def resolve(key: str) -> str:
    """The full key of `area/slug`, or of a bare slug (slugs are unique).

    Raises:
        InputError: nothing is called that; with the nearest name.
    """
    if key in _rows():
        return key
    slugs = {row.slug: row.key for row in papers()}
    if key in slugs:
        return slugs[key]
    hints = _rows() if "/" in key else slugs
    hint = nearest(key, hints)
    raise InputError(f"no paper is called {key!r}; {hint if hint.startswith('did') else 'try `neurorama search WORDS`'}")


def row(key: str) -> Row:
    """The facts of one paper (a key or a slug)."""
    return _rows()[resolve(key)]


def load(key: str) -> Exhibit[Any]:
    """Imports one exhibit.

    Raises:
        InputError: unknown, or still planned.
    """
    full = resolve(key)
    if full not in _built():
        raise InputError(f"{full} is planned, not built yet; `neurorama list --built` shows what runs")
    return import_module(f"neurorama.exhibits.{full.replace('/', '.')}").EXHIBIT


@cache
def _entries() -> dict[str, tuple[str, ...]]:
    """Arena -> keys of its entries, read from the files: `entry=Entry(NODES, ...)` in area `a` is arena `a/nodes`."""
    found: dict[str, list[str]] = {}
    for paper in built():
        for node in ast.walk(ast.parse(paper.path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "Entry"
                and node.args
                and isinstance(node.args[0], ast.Name)
            ):
                found.setdefault(f"{paper.area}/{node.args[0].id.lower()}", []).append(paper.key)
    return {name: tuple(keys) for name, keys in found.items()}


def arenas() -> tuple[str, ...]:
    """Keys of all arenas that have an entry."""
    return tuple(_entries())


def arena_of(key: str) -> str | None:
    """The arena that a paper's exhibit enters, if any."""
    full = resolve(key)
    return next((name for name, keys in _entries().items() if full in keys), None)


def arena(name: str) -> tuple[Arena[Any, Any], tuple[str, ...]]:
    """Imports an arena; with the keys of its entries.

    Raises:
        InputError: no such arena.
    """
    if name not in _entries():
        raise InputError(f"no arena is called {name!r}; {nearest(name, arenas())}")
    area, _, constant = name.partition("/")
    return getattr(import_module(f"neurorama.exhibits.{area}.arena"), constant.upper()), _entries()[name]
