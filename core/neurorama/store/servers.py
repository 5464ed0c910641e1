"""Which processes make runs, and which of them are dead."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psutil
from sqlalchemy import Connection, Row, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ..errors import StoreError
from .tables import RUNS, SERVERS

BEAT = 10.0  # seconds between two signs of life
SILENCE = timedelta(seconds=60)  # after which a server that cannot be looked at counts as dead


def _host() -> str:
    """This machine; in a container this container, whose process numbers are its own."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        space = ""
    return f"{socket.gethostname()} {space}".strip()


def now(connection: Connection) -> datetime:
    """The time by the clock that all servers of this database share."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    return connection.execute(select(func.clock_timestamp())).scalar_one()


class Server:
    """This process, as long as it makes runs."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self._host, self._pid = _host(), os.getpid()
        self._born = psutil.Process().create_time()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def beat(self, connection: Connection) -> None:
        """A sign of life; the first one enters this server."""
        insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name]
        seen = now(connection)
        entry = insert(SERVERS).values(id=self.id, host=self._host, pid=self._pid, born=self._born, seen=seen)
        connection.execute(entry.on_conflict_do_update(index_elements=[SERVERS.c.id], set_={"seen": seen}))

    def go_on(self, beat: Callable[[], object]) -> None:
        """Calls `beat` every ten seconds, in a thread of its own, until `stop`."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._beats, args=(beat,), name="neurorama-store", daemon=True)
                self._thread.start()

    def _beats(self, beat: Callable[[], object]) -> None:
        while not self._over.wait(BEAT):
            with suppress(StoreError):  # whoever writes next is told; the next beat may succeed
                beat()

    def stop(self) -> bool:
        """No more beats; whether there were any."""
        self._over.set()
        with self._lock:
            if self._thread is not None:
                self._thread.join()
            return self._thread is not None

    def dead(self, connection: Connection) -> dict[str, str]:
        """The ids of servers that have unfinished runs and are dead, each with how that is known."""
        unfinished = select(RUNS.c.server).where(RUNS.c.state.in_(("queued", "running"))).distinct().subquery()
        rows = connection.execute(
            select(unfinished.c.server, SERVERS).join_from(
                unfinished, SERVERS, unfinished.c.server == SERVERS.c.id, isouter=True
            )
        ).all()
        time = now(connection) if rows else None
        return {row.server: why for row in rows if time and row.server != self.id and (why := self._why(row, time))}

    def _why(self, row: Row, time: datetime) -> str:
        """Why a server is dead, or "".

        A process number may have been given again: that is believed only of a server that is silent, because clocks are
        set, and then the times at which processes began seem other than they were.
        """
        if row.id is None:
            return "its server is not known any more"
        machine = row.host.partition(" ")[0]
        silent = time - row.seen > SILENCE
        if row.host != self._host:
            return (
                f"its server on {machine} has not been heard of since {row.seen:%Y-%m-%d %H:%M} UTC" if silent else ""
            )
        return (
            f"its server (process {row.pid} on {machine}) died" if _gone(row.pid, row.born if silent else None) else ""
        )


def _gone(pid: int, born: float | None) -> bool:
    """Whether no such process lives; with `born`, none that began at that time."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return born is not None and abs(process.create_time() - born) > 2
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:  # it is there, and not ours to ask
        return False


def forget(connection: Connection, ids: list[str]) -> None:
    """Strikes servers out."""
    connection.execute(delete(SERVERS).where(SERVERS.c.id.in_(ids)))
