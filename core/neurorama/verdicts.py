"""The last verdict on every judged claim: one JSON file, `{key: verdict}`, sorted by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from . import places
from .data.folder import write
from .errors import InputError, one_line
from .runner import Verdict

_FILE = TypeAdapter(dict[str, Verdict])


def _read(file: Path) -> dict[str, Verdict]:
    if not file.is_file():
        return {}
    try:
        return _FILE.validate_json(file.read_bytes())
    except ValidationError as error:
        raise InputError(f"{file} is not a file of verdicts: {one_line(error)}") from None


def read_verdicts() -> dict[str, Verdict]:
    """The verdicts that were published with the package, and over them those that were judged here.

    Raises:
        InputError: a file that is not what `write_verdicts` writes.
    """
    found = {**_read(places.assets() / "verdicts.json"), **_read(places.verdicts())}
    return dict(sorted(found.items()))


def write_verdicts(new: Mapping[str, Verdict]) -> Path:
    """Merges `new` into `places.verdicts()`, all at once or not at all, and returns the file.

    Raises:
        InputError: the file that is there cannot be read as verdicts.
        OSError: the folder cannot be written.
    """
    file = places.verdicts()
    merged = dict(sorted({**_read(file), **new}.items()))
    write(file, _FILE.dump_json(merged, indent=1) + b"\n")
    return file
