"""The store itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from ..trace import Frame, Trace
from .record import Identity, Record, State


class Store:
    """All runs of one database; safe to share between threads, and with other servers on the same database."""

    def __init__(self, url: str = "", limit: int | None = None) -> None:
        """Opens the database, makes it where there is none, migrates an older one, and tells runs of dead servers lost.

        Args:
            url: `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`; else `NEURORAMA_STORE`, else SQLite in the
                user's data folder.
            limit: bytes that all frames may take; else `NEURORAMA_STORE_LIMIT` ("500 MB", "2 GB"), else 2 GB.

        Raises:
            StoreError: it cannot be opened: damaged, read-only, made by a newer Neurorama, not reachable ...
            InputError: the address or the limit is not one.
        """
        raise NotImplementedError

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    # One run, from its start to its end

    def add(self, identity: Identity, *, owner: str = "", name: str = "", device: str = "cpu") -> Record:
        """A new run, queued; it belongs to this process, and is lost when this process dies before its end."""
        ...

    def start(self, run: str) -> bool:
        """Queued becomes running; False where it is not queued any more (somebody stopped it meanwhile)."""
        ...

    def append(self, run: str, piece: bytes, step: int, of: int) -> bool:
        """Keeps one more frame of a running run, readable at once: `piece` is `codec.Writer().write([frame])`.

        One writer makes all pieces of a run, and they come in its order.

        Returns:
            False where the run is not running any more; then the frame is not kept.

        Raises:
            StoreError: no room on the disk, or the run alone is larger than the limit.
        """
        ...

    def end(
        self, run: str, state: State, error: str = "", numbers: Mapping[str, float] | None = None
    ) -> Record:
        """The run is over; a run that is over already stays as it is (who comes first is right).

        Then the oldest ended runs go where all frames take more than the limit, this one excepted.
        """
        ...

    def reap(self) -> list[Record]:
        """Tells those runs lost whose server is dead, and returns them.

        A server of this machine is dead when its process is; another machine's when it has not been heard of for a
        minute. Opening a store does this, and whoever has added a run does it every ten seconds.
        """
        ...

    # Reading

    def get(self, run: str) -> Record:
        """Raises InputError where there is none."""
        ...

    def find(self, identity: Identity, owner: str | None = None) -> Record | None:
        """The same run, done, else running, else queued, of anybody or of one owner; the newest; None where there is
        none. An imported run is never found: nobody knows what made it."""
        ...

    def runs(
        self,
        owner: str | None = None,
        key: str = "",
        states: Sequence[State] = (),
        words: str = "",
        limit: int = 50,
        offset: int = 0,
    ) -> list[Record]:
        """Newest first: of one owner, exhibit, some states, with `words` in its name or key."""
        ...

    def count(self, owner: str | None = None, key: str = "", states: Sequence[State] = (), words: str = "") -> int:
        """How many `runs` has in all."""
        ...

    def size(self) -> int:
        """Bytes that all frames take."""
        ...

    def pieces(self, run: str, after: int = 0) -> list[bytes]:
        """The frames as they were appended, in bytes, from number `after` on."""
        ...

    def frames(self, run: str, after: int = 0) -> list[Frame]:
        """The frames from number `after` on. Decodes all; to look again and again, keep what `follow` gives."""
        ...

    def follow(self, run: str) -> Reel:
        """A reader that keeps its place."""
        ...

    def trace(self, run: str) -> Trace:
        """All that there is of it so far."""
        ...

    # What its owner does; with `owner` given, InputError unless the run is his

    def rename(self, run: str, name: str, owner: str | None = None) -> Record: ...

    def delete(self, run: str, owner: str | None = None) -> None:
        """Raises InputError while it is queued or running: it is to be stopped first."""
        ...

    def prune(self, keep_days: float, owner: str | None = None) -> list[str]:
        """Deletes the runs that ended more than so many days ago; their ids."""
        ...

    def export(self, run: str) -> bytes:
        """The run as one file, lossless."""
        ...

    def take(self, data: bytes, owner: str = "") -> Record:
        """Adds a run that `export` wrote, under a new id.

        Raises:
            InputError: it is something else, damaged, or too large.
        """
        ...


class Reel:
    """The frames of one run, read as they come."""

    frames: list[Frame]  # all so far

    def more(self) -> list[Frame]:
        """Those that came since the last call."""
        ...
