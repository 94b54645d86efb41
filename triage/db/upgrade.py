"""How do the tables become those of this version of the program?"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DatabaseError

from triage.db.engine import open_engine
from triage.errors import DatabaseOutdated, Misconfigured

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number does, as long as it is ours: two upgrades of one Postgres at once take turns on it.
ADVISORY_LOCK = 7_470_201


def upgrade_database(url: str) -> str:
    """Create or upgrade the tables of triage and of its job engine; repeating it does nothing.

    Returns the revision now in force. Two at once take turns. Raises ``DatabaseOutdated`` where the database
    comes from a newer version, ``Misconfigured`` where it cannot be reached.
    """
    # Every command asks for the revision; few upgrade, and these are slow to load.
    from alembic import command
    from dbos import DBOS

    engine = open_engine(url)
    try:
        with _one_process(engine), _reachable(url), engine.connect() as connection, _alone(connection):
            _refuse_newer(connection)
            command.upgrade(migrations(connection), "head")
            connection.commit()
        DBOS.migrate(url)  # takes a lock of its own, and makes indexes concurrently, so after our transaction
        return _head()
    finally:
        engine.dispose()


def check_database(engine: Engine) -> None:
    """Raise ``DatabaseOutdated`` unless the tables are exactly those of this version."""
    with _reachable(engine.url.render_as_string(hide_password=True)), engine.connect() as connection:
        revision = _refuse_newer(connection)
    if revision != _head():
        found = f"is at revision {revision}" if revision else "has no tables of triage yet"
        raise DatabaseOutdated(f"The database {found}, this version needs {_head()}. Run: triage db upgrade")


def migrations(connection: Connection) -> Config:
    """What Alembic is to know: where our migrations are, and the connection that they use."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _head() -> str:
    return _revisions()[-1]


def _revisions() -> list[str]:
    """All that this version knows, in their order: the numbers that the files of the migrations begin with."""
    return sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _refuse_newer(connection: Connection) -> str | None:
    """The revision in force, None where there is none; raises ``DatabaseOutdated`` for one of a later version."""
    revision = None
    if inspect(connection).has_table("alembic_version"):
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision is not None and revision not in _revisions():
        raise DatabaseOutdated(
            f"The database is at revision {revision}, which this version of triage does not know: "
            "a newer version made it. Install that version again, or set TRIAGE_HOME or TRIAGE_DATABASE_URL to another."
        )
    return None if revision is None else str(revision)


@contextmanager
def _one_process(engine: Engine) -> Iterator[None]:
    """Let one process at a time touch a SQLite file that may be new.

    Switching a new file to its write-ahead log fails at once with "database is locked" where another connection
    does the same; the busy time-out does not count there (https://www.sqlite.org/pragma.html#pragma_journal_mode).
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path:
        yield
        return
    try:
        lock = Path(f"{path}.lock").open("w")  # noqa: SIM115  # closed by the with below
    except OSError as error:
        raise Misconfigured(f"The folder of the database {path} cannot be written: {error.strerror}.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Hold the database for one upgrade at a time."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("BEGIN IMMEDIATE"))
        yield
        return
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": ADVISORY_LOCK})
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": ADVISORY_LOCK})
        connection.commit()


@contextmanager
def _reachable(url: str) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        shown = url if url.startswith("sqlite") else url.rsplit("@", 1)[-1]
        raise Misconfigured(f"The database at {shown} cannot be used: {error.orig}") from error
