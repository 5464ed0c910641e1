"""Every paper's facts without importing an exhibit: look up, search, relations, and `load`.

The facts of all papers are rows of `papers.jsonl`. A paper is *built* where its exhibit's file
exists; that file is read with `ast`, never imported, until somebody calls `load`.
"""

from __future__ import annotations

import ast
import json
import math
import re
import threading
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .errors import InputError, nearest, one_line, shorten

if TYPE_CHECKING:
    from .arena import Arena
    from .exhibit import Exhibit
    from .paper import Paper
    from .stage import Card
    from .trace import Trace

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

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its exhibit's file, and the file or files of its area's arena, where there are any."""
        area = self.path.parent
        return self.path, *(file for file in (area / "arena.py", *sorted(area.glob("arena/*.py"))) if file.is_file())


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
    return tuple(_row(json.loads(line)) for line in lines)


def _row(facts: dict[str, Any]) -> Row:
    facts.update({name: tuple(fact) for name, fact in facts.items() if isinstance(fact, list)})
    return Row(**facts)


@cache
def _rows() -> dict[str, Row]:
    return {row.key: row for row in papers()}


@cache
def _built() -> frozenset[str]:
    files = (_HERE / "exhibits").glob("*/*.py")
    return frozenset(f"{file.parent.name}/{file.stem}" for file in files if file.stem not in _NOT_PAPERS)


# CPython 3.11 and 3.12 can fail where two threads parse at once, and importing torch parses too.
_ONE_PARSER = threading.RLock()


def syntax(file: Path) -> ast.Module:
    """A source file, parsed but not run.

    Raises:
        SyntaxError: it is not Python.
    """
    with _ONE_PARSER:
        return ast.parse(file.read_text(encoding="utf-8"))


def _imported(name: str) -> ModuleType:
    with _ONE_PARSER:
        return import_module(f"neurorama.exhibits.{name}")


@cache
def areas() -> tuple[Area, ...]:
    """All areas in the order of the hall."""
    found = []
    for slug in dict.fromkeys(row.area for row in papers()):
        tree = syntax(_HERE / "exhibits" / slug / "__init__.py")
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
    hint = hint if hint.startswith("did") else "try `neurorama search WORDS`"
    raise InputError(f"no paper is called {shorten(key)}; {hint}")


def row(key: str) -> Row:
    """The facts of one paper (a key or a slug)."""
    return _rows()[resolve(key)]


def paper(key: str) -> Paper:
    """The bibliographic facts: of a built paper as its file's `PAPER` gives them, read without importing it.

    Raises:
        InputError: unknown key, or a `PAPER` that is not written in literals.
    """
    from pydantic import ValidationError

    from .paper import Paper

    facts = row(key)
    if not facts.built:
        return Paper(id=facts.id, title=facts.title, name=facts.name)
    for node in syntax(facts.path).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and any(isinstance(target, ast.Name) and target.id == "PAPER" for target in node.targets)
        ):
            try:
                return Paper(**{word.arg or "**": ast.literal_eval(word.value) for word in node.value.keywords})
            except ValidationError as error:
                raise InputError(f"PAPER of {facts.key}: {one_line(error)}") from None
            except ValueError:
                raise InputError(f"PAPER of {facts.key} is not written in literals") from None
    raise InputError(f"{facts.key} has no line `PAPER = Paper(...)`")


def load(key: str) -> Exhibit[Any]:
    """Imports one exhibit.

    Raises:
        InputError: unknown, or still planned.
    """
    full = resolve(key)
    if full not in _built():
        raise InputError(f"{full} is planned, not built yet; `neurorama list --built` shows what runs")
    return _imported(full.replace("/", ".")).EXHIBIT


_SPLIT = re.compile(r"[^\W_]+")


def _words(text: str) -> list[str]:
    return _SPLIT.findall(text.casefold())


@cache
def _index() -> dict[str, dict[int, float]]:
    """Word -> {row number: weight of the weightiest field that has it}."""
    wings = {area.slug: area for area in areas()}
    index: dict[str, dict[int, float]] = {}
    for number, row in enumerate(papers()):
        fields = (
            (1.0, f"{row.name} {row.slug}"),
            (0.9, row.title),
            (0.7, " ".join(row.shares)),
            (0.6, f"{row.area} {wings[row.area].title}"),
            (0.5, row.idea),
            (0.3, wings[row.area].blurb),
        )
        for weight, text in reversed(fields):
            for word in _words(text):
                index.setdefault(word, {})[number] = weight
    return index


def _slips(word: str) -> int:
    """How many typing errors a word of this length is forgiven."""
    return 0 if len(word) < 4 else 1 if len(word) < 7 else 2


def _alike(word: str) -> dict[str, float]:
    """Words of the index that `word` means, each with how sure that is: itself, what it begins, else the nearest."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    index = _index()
    found = {known: 0.9 for known in index if len(word) > 2 and known.startswith(word)}
    if word in index:
        found[word] = 1.0
    if not found:
        near = process.extract(word, index.keys(), scorer=OSA.distance, score_cutoff=_slips(word), limit=None)
        found = {known: 1 - 0.3 * slips for known, slips, _ in near}
    return found


def search(words: str, limit: int = 20) -> list[Row]:
    """Papers that `words` may mean, best first: in name, title, kernels, area and idea, typing errors forgiven.

    A paper of just that name, slug or title comes first; otherwise all papers that have most of the words.
    """
    from rapidfuzz.distance import OSA

    wanted = _words(words)
    whole = "".join(wanted)
    if not whole:
        return []
    hits: Counter[int] = Counter()
    scores: dict[int, float] = {}
    for word in dict.fromkeys(wanted):
        best = dict[int, float]()
        for known, sure in _alike(word).items():
            for number, weight in _index()[known].items():
                best[number] = max(best.get(number, 0.0), weight * sure)
        rarity = math.log(1 + len(papers()) / max(1, len(best)))
        for number, score in best.items():
            hits[number] += 1
            scores[number] = scores.get(number, 0.0) + rarity * score
    exact: dict[int, int] = {}
    for number, row in enumerate(papers()):
        slips = min(
            OSA.distance(whole, "".join(_words(text)), score_cutoff=_slips(whole))
            for text in (row.name, row.slug, row.title, row.key)
        )
        if slips <= _slips(whole):
            exact[number] = slips
    most = max(hits.values(), default=0)
    chosen = [number for number, count in hits.items() if count == most or number in exact]
    chosen += [number for number in exact if number not in hits]
    chosen.sort(key=lambda number: (exact.get(number, math.inf), -hits[number], -scores.get(number, 0.0), number))
    return [papers()[number] for number in chosen[:limit]]


@dataclass(frozen=True)
class Relations:
    """What a paper stands beside; in each, built papers come before planned ones.

    Args:
        same_arena: those whose systems meet this one in its arena.
        shares_kernel: those with a kernel in common, the one with most and rarest in common first.
        improves_on: what it set out to better: papers here, or plain names of well-known methods.
        compared_with: what it measures itself against besides.
        improved_by: papers here that set out to better it.
    """

    same_arena: tuple[Row, ...]
    shares_kernel: tuple[Row, ...]
    improves_on: tuple[Row | str, ...]
    compared_with: tuple[Row | str, ...]
    improved_by: tuple[Row, ...]


def related(key: str) -> Relations:
    """The relations of one paper.

    Raises:
        InputError: no such paper.
    """
    this = row(key)
    common = Counter(kernel for other in papers() for kernel in other.shares)

    def kinship(other: Row) -> float:
        return sum(1 / common[kernel] for kernel in set(this.shares) & set(other.shares))

    def named(names: tuple[str, ...]) -> tuple[Row | str, ...]:
        found = [_rows().get(name, name) for name in names]
        return tuple(sorted(found, key=lambda one: 2 if isinstance(one, str) else not one.built))

    ring = arena_of(this.key)
    others = [other for other in papers() if other is not this]
    kin = sorted((other for other in others if kinship(other)), key=lambda other: (not other.built, -kinship(other)))
    return Relations(
        same_arena=tuple(_rows()[name] for name in _entries().get(ring or "", ()) if name != this.key),
        shares_kernel=tuple(kin),
        improves_on=named(this.improves_on),
        compared_with=named(this.compared_with),
        improved_by=tuple(
            sorted((other for other in others if this.key in other.improves_on), key=lambda other: not other.built)
        ),
    )


@cache
def _entries() -> dict[str, tuple[str, ...]]:
    """Arena -> keys of its entries, read from the files: `entry=Entry(NODES, ...)` in area `a` is arena `a/nodes`.

    Where the arena of area `a` takes NODES from that of area `b`, it is `b/nodes`: one league for both.
    """
    found: dict[str, list[str]] = {}
    for paper in built():
        try:
            tree = syntax(paper.path)
        except SyntaxError:  # a broken exhibit breaks only itself; `check` tells of it
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "Entry"
                and node.args
                and isinstance(node.args[0], ast.Name)
            ):
                constant = node.args[0].id
                home = _taken_from(paper.area).get(constant, f"{paper.area}/{constant}")
                found.setdefault(home.lower(), []).append(paper.key)
    return {name: tuple(keys) for name, keys in found.items()}


@cache
def _taken_from(area: str) -> dict[str, str]:
    """What an area's arena takes from those of others: NODES -> `message_passing/NODES`."""
    folder = _HERE / "exhibits" / area
    found: dict[str, str] = {}
    for file in (folder / "arena.py", folder / "arena" / "__init__.py"):
        try:
            body = syntax(file).body if file.is_file() else []
        except SyntaxError:  # as with an exhibit: only what stands on it is broken
            continue
        for node in body:
            if isinstance(node, ast.ImportFrom) and node.level > 1 and (node.module or "").endswith(".arena"):
                home = (node.module or "").removesuffix(".arena")
                found.update({alias.asname or alias.name: f"{home}/{alias.name}" for alias in node.names})
    return found


def arenas() -> tuple[str, ...]:
    """Keys of all arenas that have an entry."""
    return tuple(_entries())


def arena_of(key: str) -> str | None:
    """The arena that a paper's exhibit enters, if any."""
    full = resolve(key)
    return next((name for name, keys in _entries().items() if full in keys), None)


def arena_key(name: str) -> str:
    """`area/name` of an arena that is called so, or by a name that only one has.

    Raises:
        InputError: no such arena.
    """
    meant = [full for full in arenas() if name in (full, full.partition("/")[2])]
    if len(meant) != 1:
        raise InputError(f"no arena is called {name!r}; {nearest(name, arenas())}")
    return meant[0]


def arena(name: str) -> tuple[Arena[Any, Any], tuple[str, ...]]:
    """Imports an arena, by what `arena_key` takes; with the keys of its entries.

    Raises:
        InputError: no such arena.
    """
    key = arena_key(name)
    area, _, constant = key.partition("/")
    return getattr(_imported(f"{area}.arena"), constant.upper()), _entries()[key]


def card(trace: Trace) -> Card:
    """What the stage needs to know of a run of an exhibit; or of a league, that is a trace with the name of its arena
    and, where they are not the usual ones, its settings `along` and `only` (keys of its entries).

    An entry is the first arm of a league, as the stage gives the second one the colour of a baseline.

    Raises:
        InputError: neither an exhibit nor an arena is called that.
    """
    if trace.exhibit not in arenas():
        return load(trace.exhibit)
    from .stage import Poster
    from .trace import split

    ring, keys = arena(trace.exhibit)
    views = dict(ring.views)
    views.setdefault(ring.metric, "On what was held out; higher is better.")
    views.setdefault("loss", "What training pulls down.")
    arms = dict.fromkeys(arm for frame in trace.frames[:1] for _, arm in map(split, frame.values) if arm)
    names = [row(key).name for key in trace.params.get("only", keys)]
    first = [name for name in names if not arms or name in arms][:1]
    along = str(trace.params.get("along", "training"))
    time = Poster.time if along == "training" else along
    return Poster(views, tuple(dict.fromkeys([*first, *arms])), time)
