"""Errors that a person reads: one line that names the field, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class InputError(ValueError):
    """Something the user gave is wrong; the message is one line and complete (exit code 2)."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`did you mean 'depth'?`, or the list of what is allowed where nothing is near."""
    names = list(allowed)
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"allowed: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"


def one_line(error: ValidationError) -> str:
    """The first fault of a pydantic error as `field=value: what is allowed`."""
    fault = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in fault["loc"]) or "value"
    message = fault["msg"]
    return f"{field}={fault['input']!r}: {message[0].lower()}{message[1:]}".replace("\n", " ")
