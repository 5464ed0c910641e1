"""The folder that holds benchmark files and the user's own graphs, and how a file gets into it whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from urllib.request import urlopen

from platformdirs import user_cache_path, user_data_path

OWN = re.compile(r"mine/[a-z0-9][a-z0-9_-]{0,63}")  # how a graph of the user's own is called

_LARGEST = 200_000_000  # bytes of a download
_PATIENCE = 10.0  # seconds without a byte


def root() -> Path:
    """Where benchmark files lie: `NEURORAMA_DATA`, or the cache folder of this system's user."""
    given = os.environ.get("NEURORAMA_DATA", "")
    return Path(given).expanduser() if given else user_cache_path("neurorama")


def mine() -> Path:
    """Where the user's own graphs are kept: in `NEURORAMA_DATA`, or where this system keeps a user's data."""
    return (root() if os.environ.get("NEURORAMA_DATA") else user_data_path("neurorama")) / "mine"


def own() -> list[str]:
    """The names of the user's own graphs."""
    found = sorted(f"mine/{path.stem}" for path in mine().glob("*.json"))
    return [name for name in found if OWN.fullmatch(name)]


def write(path: Path, content: bytes) -> None:
    """Writes a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def download(url: str) -> bytes:
    """The content at `url`.

    Raises:
        OSError: not reachable, refused, or too large.
        http.client.HTTPException: broken off.
    """
    with urlopen(url, timeout=_PATIENCE) as answer:
        if int(answer.headers.get("Content-Length") or 0) > _LARGEST:
            raise OSError(f"{url} is larger than {_LARGEST} bytes")
        return answer.read()
