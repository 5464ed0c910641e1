"""Whether a run was made before: its knobs, a digest of its data, and a digest of the code that makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from . import __version__, catalogue
from .data import benchmark, folder
from .paper import Params
from .places import PACKAGE
from .runner import Knobs, knobs_of
from .store.record import Identity

# Whatever an exhibit may call. Coarse, so that no run is ever taken for one that other code made.
_SHARED = ("kernels/*.py", "data/*.py", "arena.py", "runner.py", "trace.py")


def identify(key: str, params: Knobs = None) -> Identity:
    """What makes this run the same as another.

    Raises:
        InputError: unknown or planned key, or a bad knob.
    """
    row, exhibit = catalogue.row(key), catalogue.load(key)
    knobs = knobs_of(exhibit, params)
    values = knobs.model_dump(mode="json")
    seed = values.pop("seed")
    return Identity(row.key, values, seed, _source(knobs), _code(row.sources))


def _source(knobs: Params) -> str:
    """Digest of the files that the knobs name as data; "" where the code alone makes it."""
    files: list[Path] = []
    for name, field in type(knobs).model_fields.items():
        if isinstance(field.json_schema_extra, dict) and "sources" in field.json_schema_extra:
            source = getattr(knobs, name)
            if source in benchmark.BENCHMARKS:
                files += [folder.root() / file for file in benchmark.BENCHMARKS[source].files]
            elif folder.OWN.fullmatch(source):
                files.append(folder.mine() / f"{source.removeprefix('mine/')}.json")
    return _digest(files) if files else ""


def _code(sources: Iterable[Path]) -> str:
    """The version, and a digest of the exhibit's file, its area's arena, all shared code, and torch's version."""
    shared = [file for pattern in _SHARED for file in sorted(PACKAGE.glob(pattern))]
    return f"{__version__}+{_digest([*sources, *shared], version('torch'))}"


def _digest(files: Iterable[Path], *words: str) -> str:
    """16 letters; a file that is not there counts as that."""
    digest = hashlib.blake2b(digest_size=8)
    for file in files:
        told = hashlib.blake2b(file.read_bytes()).digest() if file.is_file() else b""
        digest.update(f"{file.name} {told.hex()}\n".encode())
    digest.update(" ".join(words).encode())
    return digest.hexdigest()
