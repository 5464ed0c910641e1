"""Recordings of every exhibit's default run: what its page opens on before anything has been run.

`record` writes `assets/traces/<area>/<slug>.trace`, and beside it the stills in `assets/pictures`; `recorded` reads
a trace back without importing the exhibit. A recording that is missing, damaged or older than the code is never
an error: it is None, or says that it is `stale`.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__, catalogue, codec, places
from .catalogue import Row
from .data.folder import write
from .errors import InputError
from .trace import Frame, Trace, Value

LARGEST = 150_000  # bytes that a recording aims at
UNPACKED = 64 * 2**20  # bytes that one may unpack to


def file(key: str) -> Path:
    """Where the recording of a paper's exhibit is, or would be."""
    row = catalogue.row(key)
    return places.assets() / "traces" / row.area / f"{row.slug}.trace"


def still(key: str, arm: int = 0) -> Path:
    """Where the small picture of an arm is, or would be: 0 is the method, 1 what stands beside it."""
    row = catalogue.row(key)
    return places.assets() / "pictures" / row.area / f"{row.slug}-{arm}.svg"


def record(key: str) -> list[Path]:
    """Runs an exhibit as it comes and keeps the run and its stills; the files that were written, the trace first.

    Raises:
        InputError: no such exhibit; or no checkout, whose part the recordings are.
    """
    from .runner import run
    from .stage import Stage
    from .stage.svg import paint

    if places.root() is None:
        raise InputError("recordings come with the package; to make new ones, work in a checkout of the project")
    row = catalogue.row(key)
    trace = run(row.key)
    written = {file(row.key): packed(trace)}
    first, *others = Stage(trace, catalogue.load(row.key)).rows()[0]
    for arm, pane in enumerate([first, *(pane for pane in others if pane.series == first.series)][:2]):
        written[still(row.key, arm)] = f"{paint(pane.figure, alt=pane.alt)}\n".encode()
    for path, content in written.items():
        write(path, content)
    return list(written)


def packed(trace: Trace, largest: int = LARGEST) -> bytes:
    """A run as a recording of about `largest` bytes; `about` tells how it was made.

    Where it would be larger, pictures are kept only `every` so many frames, the first and the last among them;
    curves keep all their points.
    """
    about = {
        "version": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": code(catalogue.row(trace.exhibit)),
        "every": 1,
    }
    data = codec.dump(trace, about)
    while len(data) > largest and about["every"] < len(trace.frames) - 1:
        about["every"] += 1
        data = codec.dump(thinned(trace, about["every"]), about)
    return data


def thinned(trace: Trace, every: int) -> Trace:
    """All frames, but of what is not a plain number only each `every`-th value of a series, its first and its last."""
    kept: dict[str, set[int]] = {}
    for name in trace.names():
        steps = [step for step, _ in trace.series(name)]
        even = np.linspace(0, len(steps) - 1, -(-(len(steps) - 1) // every) + 1).round().astype(int)
        kept[name] = {steps[place] for place in even.tolist()}

    def some(frame: Frame) -> dict[str, Value]:
        return {
            name: value
            for name, value in frame.values.items()
            if isinstance(value, int | float) or frame.step in kept[name]
        }

    return replace(trace, frames=tuple(replace(frame, values=some(frame)) for frame in trace.frames))


def recorded(key: str) -> tuple[Trace, dict[str, Any]] | None:
    """The recorded default run and what is known of it, or None where there is none that can be read.

    What is known: `date` (ISO 8601, UTC) and `version` of Neurorama, `every` (see `packed`), and whether it is
    `stale`: made by another version, or before the exhibit's code was last changed. Takes no torch.

    Raises:
        InputError: no paper is called that.
    """
    row = catalogue.row(key)
    if not file(row.key).is_file():
        return None
    try:
        trace, about = codec.load(file(row.key).read_bytes(), UNPACKED)
        if trace.exhibit != row.key or not trace.frames:
            raise InputError(f"it has {len(trace.frames)} frames of {trace.exhibit}")
        known: dict[str, Any] = {
            "date": str(about["date"]),
            "version": str(about["version"]),
            "every": int(about["every"]),
        }
        known["stale"] = known["version"] != __version__ or about.get("code") != code(row)
    except (InputError, OSError, LookupError, TypeError, ValueError, SyntaxError) as error:
        logging.getLogger("neurorama").warning("the recording of %s cannot be read: %s", row.key, error)
        return None
    return trace, known


def code(row: Row) -> str:
    """A fingerprint of an exhibit and its arena as they run: their source without the text of the page."""
    digest = hashlib.blake2b(digest_size=8)
    for path in row.sources:
        first = catalogue.syntax(path).body[0]
        lines = path.read_text(encoding="utf-8").splitlines()
        digest.update("\n".join(lines[first.end_lineno :]).encode())
    return digest.hexdigest()
