"""The tables as they are now; how older ones become so is in `migrations`, and a test holds the two together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class Moment(TypeDecorator[datetime]):
    """A time in UTC, also where the database keeps no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


METADATA = MetaData()

SERVERS = Table(  # processes that make runs
    "servers",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("host", Text, nullable=False),  # the machine, or the container
    Column("pid", Integer, nullable=False),
    Column("born", Float, nullable=False),  # when the process began, in seconds of its machine's clock
    Column("seen", Moment, nullable=False),  # when it was last heard of, by the database's clock
)

RUNS = Table(
    "runs",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(16), nullable=False, unique=True),
    Column("fingerprint", String(32), nullable=False, index=True),  # of its identity; "" where it was imported
    Column("key", Text, nullable=False),
    Column("knobs", Text, nullable=False),  # JSON
    Column("seed", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("state", String(8), nullable=False, index=True),
    Column("server", String(16), nullable=False),  # that makes it; "" where it was imported
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("started", Moment),
    Column("ended", Moment),
    Column("error", Text, nullable=False, server_default=""),
    Column("step", Integer, nullable=False, server_default="0"),
    Column("of", Integer, nullable=False, server_default="0"),
    Column("frames", Integer, nullable=False, server_default="0"),
    Column("size", BigInteger, nullable=False, server_default="0"),  # bytes of its frames
    Column("numbers", Text, nullable=False, server_default="{}"),  # JSON
    Index("ix_runs_owner_created", "owner", "created"),
    sqlite_autoincrement=True,  # a number is never given again
)

FRAMES = Table(
    "frames",
    METADATA,
    Column("run", Integer, ForeignKey("runs.number", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # 0, 1, 2, ... within the run
    Column("piece", LargeBinary, nullable=False),  # `codec.Writer().write([frame])`, all of a run by one writer
)
