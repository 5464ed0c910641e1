"""Who may use a dashboard that others reach: names with hashed passwords, in a file that only its owner reads."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from functools import cache
from pathlib import Path
from typing import Any

from . import places
from .data.folder import write
from .errors import InputError, nearest, shorten

SHORTEST = 8  # letters of a password
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def file() -> Path:
    """`NEURORAMA_USERS`, or `users.json` in the user's data folder."""
    named = os.environ.get("NEURORAMA_USERS")
    return Path(named).expanduser() if named else places.user() / "users.json"


def names() -> list[str]:
    """All who may come in, in order of the alphabet.

    Raises:
        InputError: the file is not one of users.
    """
    return sorted(_read())


def add(name: str, password: str) -> None:
    """Lets somebody in, or gives them another password, which ends their sessions.

    Raises:
        InputError: a name that is none, or a password that is too short.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"name={shorten(name)}: at most 64 letters, digits and . _ - @, a letter or digit first")
    if len(password) < SHORTEST:
        raise InputError(f"the password is too short; {SHORTEST} letters are the least")
    _write({**_read(), name: _hasher().hash(password)})


def remove(name: str) -> None:
    """Shuts somebody out, also where they are in already.

    Raises:
        InputError: there is no such user.
    """
    known = _read()
    if name not in known:
        raise InputError(f"no user is called {shorten(name)}; {nearest(name, known) if known else 'there are none'}")
    _write({other: entry for other, entry in known.items() if other != name})


def check(name: str, password: str) -> bool:
    """Whether that is their password; takes as long for a name that nobody has."""
    from argon2.exceptions import InvalidHashError, VerificationError

    entry = _read().get(name)
    try:
        return _hasher().verify(entry or _nobody(), password) and entry is not None
    except (VerificationError, InvalidHashError):
        return False


def stamp(name: str) -> str:
    """What a session of theirs carries; it changes with their password. "" where there is no such user."""
    entry = _read().get(name)
    return "" if entry is None else hashlib.blake2b(entry.encode(), digest_size=16).hexdigest()


def cookie_secret() -> str:
    """What signs the cookies of this server's sessions; made once, and kept beside the users."""
    kept = file().with_name("cookie-secret")
    if not kept.is_file():
        write(kept, secrets.token_hex(32).encode())
    return kept.read_text()


def _read() -> dict[str, str]:
    try:
        facts = json.loads(file().read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or not all(isinstance(entry, str) for entry in facts.values()):
            raise ValueError
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise InputError(f"{file()} cannot be read as a file of users") from None
    return facts


def _write(known: dict[str, str]) -> None:
    write(file(), json.dumps(known, indent=1).encode() + b"\n")  # its draft, and so the file, has mode 0600


@cache
def _hasher() -> Any:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobody() -> str:
    return _hasher().hash(secrets.token_hex(8))
