"""What is known of a run beside its frames."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

State = Literal["queued", "running", "done", "stopped", "failed", "lost"]
STATES: tuple[State, ...] = ("queued", "running", "done", "stopped", "failed", "lost")
ENDED: tuple[State, ...] = ("done", "stopped", "failed", "lost")


@dataclass(frozen=True)
class Identity:
    """What makes two runs the same: then they have the same trace.

    Args:
        key: the exhibit, `area/slug`.
        knobs: all knobs but the seed, as JSON has them.
        seed: the seed.
        source: digest of the data it runs on, or "".
        code: version of the package and digest of the code that runs.
    """

    key: str
    knobs: Mapping[str, Any]
    seed: int
    source: str
    code: str

    @property
    def params(self) -> dict[str, Any]:
        """The knobs with the seed, as a trace and an exhibit's `Params` have them."""
        return {"seed": self.seed, **self.knobs}

    @property
    def fingerprint(self) -> str:
        """Same run, same 32 letters."""
        told = json.dumps([self.key, dict(self.knobs), self.seed, self.source, self.code], sort_keys=True)
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Record:
    """One run as the store knows it; times are UTC.

    Args:
        id: 16 letters that nobody guesses; a link names it.
        of: the last frame's `of`; 0 before the first.
        step: the last frame's `step`.
        frames: how many frames are kept.
        size: bytes that they take.
        error: why it failed or was lost: a line for people, then perhaps a traceback.
        numbers: how it ended: the last number of every curve, by name, and "margin", of the claim.
        device: where it ran: "cpu", "cuda" or "mps".
        owner: whose it is; "" where nobody logs in.
        name: what its owner calls it, or "".
    """

    id: str
    identity: Identity
    state: State
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    owner: str = ""
    name: str = ""
    device: str = "cpu"
    error: str = ""
    step: int = 0
    of: int = 0
    frames: int = 0
    size: int = 0
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.identity.key

    @property
    def params(self) -> dict[str, Any]:
        """The knobs with the seed."""
        return self.identity.params

    @property
    def over(self) -> bool:
        """Neither waiting nor at work any more."""
        return self.state in ENDED
