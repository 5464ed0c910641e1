"""The database under the store: where it is, how it is opened and migrated, and its faults in plain words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from .. import places
from ..errors import InputError, StoreError, shorten

PATIENCE = 10.0  # seconds for which a write waits for another process's
_MIGRATIONS = Path(__file__).parent / "migrations"
_SCHEMA = "neurorama_schema"  # the table that tells the schema's number
_WAYS = "sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
_FAULTS = (  # what drivers say, in small letters, and what it means
    (("readonly", "read-only"), "is read-only: nothing can be kept or changed in it"),
    (("disk is full", "no space left", "disk full"), "has no room left on its disk: make room, then go on"),
    (("disk i/o error",), "cannot be written: its disk is full, at a limit, or failing"),
    (("not a database", "malformed", "utf-8"), "is damaged: move it away, and a new one is made"),
    (("locked", "busy"), f"is kept busy by another process, for more than {PATIENCE:.0f} s"),
    (("unable to open",), "cannot be opened: its folder is missing, or may not be read or written"),
    (("no such table", "no such column", 'relation "'), "has not the tables that it should have"),
)


def address(url: str = "") -> URL:
    """Where the store is: `url`, else `NEURORAMA_STORE`, else SQLite in the user's data folder.

    Raises:
        InputError: it is no address of a store, or the driver for it is not installed.
    """
    given = url or os.environ.get("NEURORAMA_STORE", "")
    if not given:
        return URL.create("sqlite", database=str(places.user() / "runs.sqlite"))
    try:
        found = make_url(given)
    except ArgumentError:
        raise InputError(f"NEURORAMA_STORE={shorten(given)} is no address of a database; write {_WAYS}") from None
    backend = found.get_backend_name()
    if backend == "postgresql":
        return found.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not found.database or found.database == ":memory:":
        raise InputError(f"NEURORAMA_STORE={_shown(found)!r} is not a store; write {_WAYS}")
    return found


def _shown(url: URL) -> str:
    """An address without its password."""
    return url.render_as_string(hide_password=True)


def newest() -> str:
    """The number of the schema that this version writes."""
    return max(file.stem[:4] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


class Database:
    """An open database whose schema is this version's."""

    def __init__(self, url: str = "") -> None:
        """Opens, makes or migrates it.

        Raises:
            InputError: `url` is no address of a store.
            StoreError: it cannot be opened.
        """
        where = address(url)
        self.name = _shown(where)
        self.sqlite = where.get_backend_name() == "sqlite"
        self._engine = self._connect(where)
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        try:
            with self._told():
                self._migrate()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        with self._told(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write; in SQLite one at a time, so that none is refused for what it has read."""
        with self._told(), self._writer.begin() as connection:
            yield connection

    def give_room_back(self) -> None:
        """Shortens SQLite's file by what was deleted; PostgreSQL does so by itself."""
        if self.sqlite:
            with self._told(), self._engine.connect() as connection:
                driver: Any = connection.connection.driver_connection  # `execute` would free one page only
                driver.executescript("BEGIN IMMEDIATE; PRAGMA incremental_vacuum; COMMIT")

    def _connect(self, where: URL) -> Engine:
        if not self.sqlite:
            try:
                return create_engine(where, pool_pre_ping=True, connect_args={"connect_timeout": int(PATIENCE)})
            except ImportError:
                raise InputError("a store in PostgreSQL needs psycopg: pip install 'neurorama[postgres]'") from None
        path = Path(str(where.database).removeprefix("file:"))  # which SQLite takes too
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
        # isolation_level=None: transactions begin where `begin` below says so, not where the driver guesses
        engine = create_engine(where, connect_args={"timeout": PATIENCE, "isolation_level": None})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Faults of the database, each as one line."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise StoreError(f"the store {self.name} {_meaning(getattr(error, 'orig', None) or error)}") from error
        except OSError as error:
            raise StoreError(f"the store {self.name} cannot be opened: {error.strerror}") from error

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            if self._version(connection) == newest():
                return
        from alembic import command
        from alembic.config import Config

        with self._writer.begin() as connection:
            if not self.sqlite:  # one server migrates, the others wait, as SQLite's lock lets them
                connection.execute(text("SELECT pg_advisory_xact_lock(6376437)"))
            if self._version(connection) == newest():
                return
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _version(self, connection: Connection) -> str:
        """The schema's number, "" where there is nothing yet.

        Raises:
            StoreError: it is newer than this version's, or the database is something else.
        """
        tables = inspect(connection).get_table_names()
        if _SCHEMA not in tables:
            if tables:
                raise StoreError(f"the store {self.name} is a database of something else: it has a table {tables[0]!r}")
            return ""
        found = str(connection.execute(text(f"SELECT version_num FROM {_SCHEMA}")).scalar())
        if not found.isdigit():
            raise StoreError(f"the store {self.name} is damaged: its schema has no number")
        if found > newest():
            raise StoreError(
                f"the store {self.name} was written by a newer Neurorama (schema {found}, this one knows {newest()}): "
                "update Neurorama, or name another store in NEURORAMA_STORE"
            )
        return found


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    """Settings of each SQLite connection.

    WAL: readers never wait. What a transaction wrote survives the end of any process; a power cut may take the last few
    transactions with `synchronous=NORMAL`, and never more.
    """
    if connection.execute("PRAGMA page_count").fetchone() == (0,):  # a new file: room that is freed is given back
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _meaning(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    for words, meaning in _FAULTS:
        if any(word in lines[0].casefold() for word in words):
            return meaning
    return f"cannot be used: {lines[0][:200]}"
