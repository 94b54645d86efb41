"""How is the database opened?"""

from __future__ import annotations

from sqlite3 import Connection as SqliteConnection
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError

from triage.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Insert
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import ConnectionPoolEntry

    from triage.db.tables import Table

# A writer waits this long for another one before it gives up; the same as DBOS uses on its own engine.
BUSY_TIMEOUT_MS = 30_000


def open_engine(url: str) -> Engine:
    """Engine on SQLite (WAL, foreign keys, every commit synced to disk) or Postgres; made once per process.

    Raises ``Misconfigured`` where the URL is not one or its database is not supported.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Misconfigured(
            "TRIAGE_DATABASE_URL is not a database URL; it looks like postgresql://user:password@host:5432/triage."
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite_engine(url)
        case "postgresql":
            return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=10, hide_parameters=True)
        case other:
            raise Misconfigured(f"TRIAGE_DATABASE_URL names {other}; triage runs on SQLite and PostgreSQL.")


def insert_unless_there(session: Session, table: type[Table], row: Mapping[str, object]) -> Insert:
    """A statement that inserts the row where no constraint forbids it, and does nothing where one does."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    return insert(table).values(row).on_conflict_do_nothing()


def _sqlite_engine(url: str) -> Engine:
    # Errors name the statement, never what people wrote: they go to the log.
    engine = create_engine(url, pool_size=20, max_overflow=20, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: SqliteConnection, _entry: ConnectionPoolEntry) -> None:
        # Take the write lock at the first write: a read that turns into a write would fail at once with
        # "database is locked" under WAL (https://www.sqlite.org/isolation.html).
        connection.isolation_level = "IMMEDIATE"
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # FULL: an accepted ticket survives a power cut too (https://www.sqlite.org/pragma.html#pragma_synchronous).
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    return engine
