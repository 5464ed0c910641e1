"""The store itself."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from ..codec import Reader
from ..errors import InputError, StoreError, shorten
from ..trace import Frame, Trace
from .database import Database
from .record import ENDED, Identity, Record, State
from .servers import Server, forget
from .tables import FRAMES, RUNS
from .transport import pack, unpack

LIMIT = 2 * 10**9  # bytes of all frames, unless `NEURORAMA_STORE_LIMIT` says otherwise
LONGEST = 120  # letters of a name
_GOING_ON = ("queued", "running")
_GROW = (  # of each frame: built once, because building takes longer than writing
    update(RUNS)
    .where(RUNS.c.id == bindparam("its"), RUNS.c.state == "running")
    .values(frames=RUNS.c.frames + 1, size=RUNS.c.size + bindparam("bytes"), step=bindparam("now"), of=bindparam("all"))
    .returning(RUNS.c.number, RUNS.c.frames, RUNS.c.size)
)
_KEEP = insert(FRAMES)
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def limit_of(words: str) -> int:
    """`500 MB` -> 500,000,000.

    Raises:
        InputError: it is no size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]B|)\s*", words.upper())
    if found is None or not float(found[1]):
        raise InputError(f"NEURORAMA_STORE_LIMIT={shorten(words)} is no size; write for example 500 MB or 2 GB")
    return round(float(found[1]) * _UNITS[found[2]])


class Store:
    """All runs of one database; safe to share between threads, and with other servers on the same database."""

    def __init__(self, url: str = "", limit: int | None = None) -> None:
        """Opens the database, makes it where there is none, migrates an older one, and tells runs of dead servers lost.

        Args:
            url: `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`; else `NEURORAMA_STORE`, else SQLite in the
                user's data folder.
            limit: bytes that all frames may take; else `NEURORAMA_STORE_LIMIT` ("500 MB", "2 GB"), else 2 GB.

        Raises:
            StoreError: it cannot be opened: damaged, made by a newer Neurorama, not reachable ...
            InputError: the address or the limit is not one.
        """
        named = os.environ.get("NEURORAMA_STORE_LIMIT", "")
        self.limit = limit or (limit_of(named) if named else LIMIT)
        self._database = Database(url)
        self._server = Server()
        with suppress(StoreError):  # a store that is read-only can be looked at as it is
            self.reap()

    @property
    def name(self) -> str:
        """Its address, without a password."""
        return self._database.name

    def close(self) -> None:
        """Lets go of the database; runs of this process that are not over are told lost."""
        if self._server.stop():
            with suppress(StoreError):
                self._lose({self._server.id: "its server was closed"})
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # One run, from its start to its end

    def add(self, identity: Identity, *, owner: str = "", name: str = "", device: str = "cpu") -> Record:
        """A new run, queued; it belongs to this process, and is lost when this process dies before its end."""
        facts = {
            **_facts(identity),
            "fingerprint": identity.fingerprint,
            "state": "queued",
            "server": self._server.id,
            "owner": _clean(owner),
            "name": _clean(name, LONGEST),
            "device": device,
            "created": datetime.now(UTC),
        }
        with self._database.writing() as connection:
            self._server.beat(connection)
            record = _record(connection.execute(insert(RUNS).values(facts).returning(RUNS)).one())
        self._server.go_on(self._beat)
        return record

    def start(self, run: str) -> bool:
        """Queued becomes running; False where it is not queued any more (somebody stopped it meanwhile)."""
        with self._database.writing() as connection:
            waiting = update(RUNS).where(RUNS.c.id == run, RUNS.c.state == "queued")
            if connection.execute(waiting.values(state="running", started=datetime.now(UTC))).rowcount:
                return True
            _row(connection, run)
        return False

    def append(self, run: str, piece: bytes, step: int, of: int) -> bool:
        """Keeps one more frame of a running run, readable at once: `piece` is `codec.Writer().write([frame])`.

        One writer makes all pieces of a run, and they come in its order.

        Returns:
            False where the run is not running any more; then the frame is not kept.

        Raises:
            StoreError: no room on the disk, or the run alone is larger than the limit.
        """
        with self._database.writing() as connection:
            told = {"its": run, "bytes": len(piece), "now": step, "all": of}
            grown = connection.execute(_GROW, told).one_or_none()
            if grown is None:
                _row(connection, run)
                return False
            if grown.size > self.limit:
                raise StoreError(f"the run takes more than {_megabytes(self.limit)}, the limit of the whole store")
            connection.execute(_KEEP, {"run": grown.number, "number": grown.frames - 1, "piece": piece})
        return True

    def end(self, run: str, state: State, error: str = "", numbers: Mapping[str, float] | None = None) -> Record:
        """The run is over; a run that is over already stays as it is (who comes first is right).

        Then the oldest ended runs go where all frames take more than the limit, this one excepted.

        Args:
            state: done, stopped, failed or lost.
            error: what is to be known of it: a line for people, then perhaps a traceback.
            numbers: how it ended: the last number of every curve, and "margin".
        """
        if state not in ENDED:
            raise ValueError(f"a run does not end {state!r}; allowed: {', '.join(ENDED)}")
        with self._database.writing() as connection:
            connection.execute(
                update(RUNS)
                .where(RUNS.c.id == run, RUNS.c.state.in_(_GOING_ON))
                .values(state=state, ended=datetime.now(UTC), error=_clean(error), numbers=_plain(numbers or {}))
            )
            record = _record(_row(connection, run))
            shrunk = self._shrink(connection, keep=run)
        if shrunk:
            self._database.give_room_back()
        return record

    def reap(self) -> list[Record]:
        """Tells those runs lost whose server is dead, and returns them.

        A server of this machine is dead when its process is; another machine's when it has not been heard of for a
        minute. Opening a store does this, and whoever has added a run does it every ten seconds.
        """
        with self._database.reading() as connection:
            dead = self._server.dead(connection)
        return self._lose(dead) if dead else []

    def _beat(self) -> None:
        with self._database.writing() as connection:
            self._server.beat(connection)
        self.reap()

    def _lose(self, dead: Mapping[str, str]) -> list[Record]:
        lost = []
        with self._database.writing() as connection:
            for server, why in dead.items():
                rows = connection.execute(
                    update(RUNS)
                    .where(RUNS.c.server == server, RUNS.c.state.in_(_GOING_ON))
                    .values(state="lost", ended=datetime.now(UTC), error=why)
                    .returning(RUNS)
                )
                lost += map(_record, rows)
            forget(connection, [*dead])
        return lost

    # Reading

    def get(self, run: str) -> Record:
        """What is known of a run.

        Raises:
            InputError: there is none of that id.
        """
        with self._database.reading() as connection:
            return _record(_row(connection, run))

    def find(self, identity: Identity, owner: str | None = None) -> Record | None:
        """The same run, done, else running, else queued, of anybody or of one owner; the newest.

        None where there is none. An imported run is never found: nobody knows what made it.
        """
        order = case({"done": 0, "running": 1, "queued": 2}, value=RUNS.c.state, else_=3)
        same = select(RUNS).where(RUNS.c.fingerprint == identity.fingerprint, RUNS.c.state.in_(("done", *_GOING_ON)))
        if owner is not None:
            same = same.where(RUNS.c.owner == owner)
        with self._database.reading() as connection:
            row = connection.execute(same.order_by(order, RUNS.c.number.desc()).limit(1)).one_or_none()
        return None if row is None else _record(row)

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
        chosen = select(RUNS).where(*_chosen(owner, key, states, words))
        page = chosen.order_by(RUNS.c.created.desc(), RUNS.c.number.desc()).limit(limit).offset(offset)
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(page)]

    def count(self, owner: str | None = None, key: str = "", states: Sequence[State] = (), words: str = "") -> int:
        """How many `runs` has in all."""
        with self._database.reading() as connection:
            counted = select(func.count()).select_from(RUNS).where(*_chosen(owner, key, states, words))
            return connection.execute(counted).scalar_one()

    def size(self) -> int:
        """Bytes that all frames take."""
        with self._database.reading() as connection:
            return _size(connection)

    def pieces(self, run: str, after: int = 0) -> list[bytes]:
        """The frames as they were appended, in bytes, from number `after` on."""
        with self._database.reading() as connection:
            kept = select(FRAMES.c.piece).join(RUNS).where(RUNS.c.id == run, FRAMES.c.number >= after)
            found = list(connection.execute(kept.order_by(FRAMES.c.number)).scalars())
            if not found:
                _row(connection, run)
        return found

    def follow(self, run: str) -> Reel:
        """A reader that keeps its place."""
        self.get(run)
        return Reel(lambda after: self.pieces(run, after))

    def frames(self, run: str, after: int = 0) -> list[Frame]:
        """The frames from number `after` on. Decodes all; to look again and again, keep what `follow` gives."""
        return self.follow(run).more()[after:]

    def trace(self, run: str) -> Trace:
        """All that there is of it so far."""
        record = self.get(run)
        return Trace(record.key, record.params, tuple(self.frames(run)))

    # What its owner does; with `owner` given, InputError unless the run is his

    def rename(self, run: str, name: str, owner: str | None = None) -> Record:
        """Gives it a name of at most 120 letters, or none."""
        with self._database.writing() as connection:
            row = _owned(connection, run, owner)
            named = update(RUNS).where(RUNS.c.number == row.number).values(name=_clean(name, LONGEST))
            return _record(connection.execute(named.returning(RUNS)).one())

    def delete(self, run: str, owner: str | None = None) -> None:
        """Deletes a run and its frames.

        Raises:
            InputError: it is queued or running; it is to be stopped first.
        """
        with self._database.writing() as connection:
            row = _owned(connection, run, owner)
            if row.state not in ENDED:
                raise InputError(f"run {run} is {row.state}; stop it first")
            connection.execute(delete(RUNS).where(RUNS.c.number == row.number))
        self._database.give_room_back()

    def prune(self, keep_days: float, owner: str | None = None) -> list[str]:
        """Deletes the runs that ended more than so many days ago; their ids."""
        if not 0 <= keep_days <= 36500:
            raise InputError(f"keep_days={keep_days:g}: allowed: 0 to 36500")
        old = [RUNS.c.state.in_(ENDED), RUNS.c.ended <= datetime.now(UTC) - timedelta(days=keep_days)]
        if owner is not None:
            old.append(RUNS.c.owner == owner)
        with self._database.writing() as connection:
            gone = list(connection.execute(delete(RUNS).where(*old).returning(RUNS.c.id)).scalars())
        self._database.give_room_back()
        return gone

    def export(self, run: str) -> bytes:
        """The run as one file, lossless."""
        record = self.get(run)
        return pack(record, self.frames(run))

    def take(self, data: bytes, owner: str = "") -> Record:
        """Adds a run that `export` wrote, under a new id.

        Raises:
            InputError: it is something else, damaged, or too large.
        """
        record, frames, pieces = unpack(data)
        size = sum(map(len, pieces))
        if size > self.limit:
            raise InputError(f"the run takes more than {_megabytes(self.limit)}, the limit of the store")
        facts = {
            **_facts(record.identity),
            "fingerprint": "",
            "server": "",
            "owner": _clean(owner),
            "name": _clean(record.name, LONGEST),
            "error": _clean(record.error),
            "numbers": _plain(record.numbers),
            "frames": len(pieces),
            "size": size,
            "step": frames[-1].step if frames else 0,
            "of": frames[-1].of if frames else 0,
            **{fact: getattr(record, fact) for fact in ("state", "device", "created", "started", "ended")},
        }
        with self._database.writing() as connection:
            row = connection.execute(insert(RUNS).values(facts).returning(RUNS)).one()
            rows = [{"run": row.number, "number": number, "piece": piece} for number, piece in enumerate(pieces)]
            if rows:
                connection.execute(insert(FRAMES), rows)
            shrunk = self._shrink(connection, keep=row.id)
        if shrunk:
            self._database.give_room_back()
        return _record(row)

    def _shrink(self, connection: Connection, keep: str) -> bool:
        """Deletes the oldest ended runs, never `keep`, until all frames fit below the limit; whether any had to go."""
        excess = _size(connection) - self.limit
        if excess <= 0:
            return False
        ended = select(RUNS.c.number, RUNS.c.size).where(RUNS.c.state.in_(ENDED), RUNS.c.id != keep, RUNS.c.size > 0)
        for number, size in connection.execute(ended.order_by(RUNS.c.ended, RUNS.c.number)).all():
            if excess > 0:
                connection.execute(delete(RUNS).where(RUNS.c.number == number))
                excess -= size
        return True


class Reel:
    """The frames of one run, read as they come; for one thread."""

    def __init__(self, pieces: Callable[[int], list[bytes]]) -> None:
        self._pieces = pieces
        self._reader = Reader()
        self.frames: list[Frame] = []  # all so far

    def more(self) -> list[Frame]:
        """Those that came since the last call.

        Raises:
            InputError: the run is not there any more, or its frames are damaged.
        """
        fresh = [frame for piece in self._pieces(len(self.frames)) for frame in self._reader.read(piece)]
        self.frames += fresh
        return fresh


def _row(connection: Connection, run: str) -> Row[Any]:
    row = connection.execute(select(RUNS).where(RUNS.c.id == run)).one_or_none()
    if row is None:
        raise InputError(f"no run is called {shorten(run)}; it may have been deleted")
    return row


def _owned(connection: Connection, run: str, owner: str | None) -> Row[Any]:
    row = _row(connection, run)
    if owner is not None and row.owner != owner:
        raise InputError(f"run {run} belongs to somebody else")
    return row


def _chosen(owner: str | None, key: str, states: Sequence[State], words: str) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = []
    if owner is not None:
        chosen.append(RUNS.c.owner == owner)
    if key:
        chosen.append(RUNS.c.key == key)
    if states:
        chosen.append(RUNS.c.state.in_(states))
    for word in words.split():
        chosen.append(or_(RUNS.c.name.icontains(word, autoescape=True), RUNS.c.key.icontains(word, autoescape=True)))
    return chosen


def _size(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.sum(RUNS.c.size), 0))).scalar_one())


def _facts(identity: Identity) -> dict[str, Any]:
    return {
        "id": secrets.token_hex(8),
        "key": identity.key,
        "knobs": json.dumps(dict(identity.knobs)),
        "seed": identity.seed,
        "source": identity.source,
        "code": identity.code,
    }


def _record(row: Row[Any]) -> Record:
    try:
        facts = {name: getattr(row, name) for name in _TOLD}
        identity = Identity(row.key, json.loads(row.knobs), row.seed, row.source, row.code)
        numbers = {name: float(number) for name, number in json.loads(row.numbers).items()}
    except (ValueError, TypeError, AttributeError):
        raise StoreError(f"run {row.id} is damaged in the store; delete it") from None
    return Record(identity=identity, numbers=numbers, **facts)


_TOLD = [fact.name for fact in fields(Record) if fact.name not in ("identity", "numbers")]


def _plain(numbers: Mapping[str, float]) -> str:
    """Numbers as JSON, which has no word for infinity."""
    return json.dumps({name: x if math.isfinite(x := float(value)) else str(x) for name, value in numbers.items()})


def _clean(text: str, most: int = 20_000) -> str:
    """`text` as every database takes it."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:most]


def _megabytes(size: int) -> str:
    return f"{size / 10**6:,.0f} MB"
