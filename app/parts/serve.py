"""What the server does beside Streamlit's own work: it gives away what draws the pictures, and loads torch ahead."""

from __future__ import annotations

import gc
import gzip
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from neurorama.stage import PLAYER

_FILES = {path.name: path for path in sorted(PLAYER.glob("*.js"))}
_FILES["plotly.min.js"] = files("plotly") / "package_data" / "plotly.min.js"
_version = hashlib.blake2b(b"".join(file.read_bytes() for file in _FILES.values()), digest_size=6).hexdigest()
LIBRARY = f"player/{_version}"  # where they are, from the dashboard's own address
YEAR = 365 * 24 * 3600


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(_FILES[name].read_bytes())


async def _file(request: Request) -> Response:
    """One of the files; a browser keeps it, since another version has another address."""
    name = request.path_params["name"]
    if name not in _FILES:
        return Response(status_code=404)
    kept = {"Content-Encoding": "gzip", "Cache-Control": f"public, max-age={YEAR}, immutable"}
    return Response(await run_in_threadpool(_packed, name), headers=kept, media_type="text/javascript")


_below = f"/{st.get_option('server.baseUrlPath').strip('/')}".rstrip("/")  # where a proxy has put the dashboard
ROUTES = [Route(f"{_below}/{LIBRARY}/{{name}}", _file)]


@asynccontextmanager
async def ready(_: Any) -> AsyncIterator[None]:
    """Loads torch while the first visitor is still on the way, so that no click has to wait for it."""
    threading.Thread(target=_load, daemon=True).start()
    yield


def _load() -> None:
    import torch  # noqa: F401

    # Streamlit collects garbage after every run of a page. What torch has brought stays, and is most of what it would
    # look through: a quarter of a second for each answer to each visitor.
    gc.collect()
    gc.freeze()
