from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from triage.db.engine import open_engine
from triage.db.tables import Table
from triage.db.upgrade import check_database, migrations, upgrade_database
from triage.errors import DatabaseOutdated, Misconfigured
from triage.tickets import store


def test_migrations_make_exactly_the_tables_that_the_code_declares(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_object": lambda _object, name, kind, _reflected, _other: (
                    kind != "table" or name in Table.metadata.tables
                )
            },
        )
        assert compare_metadata(context, Table.metadata) == []


def test_the_newest_migration_is_the_one_that_alembic_takes_for_the_head(engine: Engine) -> None:
    with engine.connect() as connection:
        script = ScriptDirectory.from_config(migrations(connection))
        assert MigrationContext.configure(connection).get_current_revision() == script.get_current_head()
    check_database(engine)


def test_empty_database_is_refused_with_the_command_that_helps(empty_database_url: str) -> None:
    engine = open_engine(empty_database_url)
    with pytest.raises(DatabaseOutdated, match="triage db upgrade"):
        check_database(engine)
    engine.dispose()


def test_upgrading_twice_keeps_what_is_stored(database_url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO workers VALUES ('w', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')")
        )
    upgrade_database(database_url)
    check_database(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM workers")) == 1


def test_four_upgrades_at_once_take_turns(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        revisions = list(pool.map(upgrade_database, [empty_database_url] * 4))
    assert len(set(revisions)) == 1
    engine = open_engine(empty_database_url)
    assert "tickets" in inspect(engine).get_table_names()
    engine.dispose()


def test_database_of_a_newer_version_is_refused(database_url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseOutdated, match="newer version"):
        check_database(engine)
    with pytest.raises(DatabaseOutdated, match="newer version"):
        upgrade_database(database_url)


@pytest.mark.parametrize("url", ["mysql://localhost/triage", "no url at all", "postgresql+psycopg://127.0.0.1:1/x"])
def test_unusable_url_is_explained(url: str) -> None:
    with pytest.raises(Misconfigured):
        upgrade_database(url)


def test_tickets_of_the_first_version_are_kept_and_can_be_linked(empty_database_url: str) -> None:
    engine = open_engine(empty_database_url)
    with engine.begin() as connection:
        command.upgrade(migrations(connection), "0001")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tickets (id, source, digest, channel, requester, subject, body, features, state, "
                "attempts, received_at) VALUES ('t-1', 's', '', 'c', ' Ärger@Example.com', 'x', 'y', '{}', "
                "'triaged', 1, '2026-01-01 00:00:00+00:00')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO runs (id, ticket_id, number, encoder_fingerprint, knowledge_snapshot, policy_digest, "
                "code_version, text, seconds, finished_at) "
                "VALUES ('r-1', 't-1', 1, 'e', 'k', 'p', 'v', 'x', 0.1, '2026-01-01 00:00:00+00:00')"
            )
        )
    upgrade_database(empty_database_url)
    with Session(engine) as session:
        ticket = store.find_ticket(session, "t-1")
        assert (ticket.requester_key, ticket.duplicate_of) == ("ärger@example.com", None)
        assert (ticket.runs[0].similar, ticket.runs[0].duplicate_of) == ([], None)
        ticket.duplicate_of = "t-nowhere"
        with pytest.raises(IntegrityError):
            session.flush()
    engine.dispose()
