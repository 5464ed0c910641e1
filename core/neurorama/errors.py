"""Errors that a person reads: one line that names the field, the value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class InputError(ValueError):
    """Something the user gave is wrong; the message is one line and complete (exit code 2)."""


class StoreError(InputError):
    """The store of runs cannot be read or written; the message says which, why, and what helps."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`did you mean 'depth'?`, or the list of what is allowed where nothing is near."""
    names = list(allowed)
    folded = {name.casefold(): name for name in names}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    return f"allowed: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"


def one_line(error: ValidationError) -> str:
    """The first fault of a pydantic error as `field=value: what is allowed`."""
    fault = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in fault["loc"]) or "value"
    message = fault["msg"]
    hint = ""
    if fault["type"] == "literal_error" and isinstance(fault["input"], str):
        near = nearest(fault["input"], re.findall(r"'([^']*)'", fault.get("ctx", {})["expected"]))
        hint = f"; {near}" if near.startswith("did") else ""
    return f"{field}={shorten(fault['input'])}: {message[0].lower()}{message[1:]}{hint}".replace("\n", " ")


def shorten(value: object, most: int = 60) -> str:
    """`repr(value)` on one line, its middle left out where it is long."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 4 :]}"
