"""MLflow's registry in the same database, on SQLite and on a real Postgres."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, make_url, text

from tests.desks import small_desk
from tests.unit.learning.conftest import SmallHome, small_home
from triage.db.engine import open_engine
from triage.db.upgrade import check_database, upgrade_database
from triage.errors import RegistryUnusable
from triage.learning.registry import champion_id, promote
from triage.learning.release import settle
from triage.learning.tracking import Ledger, registry_url
from triage.policy import Policy

# What MLflow 3.17 itself does with SQLAlchemy 2.1 and pydantic, and leaves open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

__all__ = ["small_home"]


def write(home: SmallHome, url: str) -> Ledger:
    ledger = Ledger(url, home.models)
    ledger.write(Policy())
    return ledger


@pytest.fixture
def mlflow_engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(registry_url(database_url))
    yield engine
    engine.dispose()


def test_champion_and_challenger_are_named(small_home: SmallHome, database_url: str) -> None:
    first = small_home.train()
    promote(small_home.models, first)
    write(small_home, database_url)
    second = small_home.train(small_desk(60))
    assert write(small_home, database_url).aliases() == {"champion": first, "challenger": second}
    promote(small_home.models, second)
    assert write(small_home, database_url).aliases() == {"champion": second}


def test_writing_twice_registers_once(small_home: SmallHome, database_url: str) -> None:
    small_home.train()
    ledger = Ledger(database_url, small_home.models)
    assert len(ledger.write(Policy())) == 1
    assert ledger.write(Policy()) == []
    assert list(ledger.versions().values()) == ["1"]


def test_run_has_parameters_figures_and_the_dataset(
    small_home: SmallHome, database_url: str, mlflow_engine: Engine
) -> None:
    model_id = small_home.train()
    settle(small_home.models, small_home.judge(model_id))
    write(small_home, database_url)
    with mlflow_engine.connect() as connection:
        metrics = dict(connection.execute(text("SELECT key, value FROM metrics")).tuples().all())
        parameters = dict(connection.execute(text("SELECT key, value FROM params")).tuples().all())
        tags = dict(connection.execute(text("SELECT key, value FROM model_version_tags")).tuples().all())
    assert metrics["queue.accuracy"] > 0.5 and "queue.certified_coverage" in metrics
    assert (parameters["seed"], parameters["tickets"]) == ("0", "90")
    assert tags["model_id"] == model_id and tags["dataset_id"].startswith("d-")
    assert tags["forced"] == "false" and "passed the gate" in tags["verdict"]


def test_both_sets_of_tables_are_upgraded_side_by_side(
    small_home: SmallHome, empty_database_url: str, tmp_path: Path
) -> None:
    upgrade_database(empty_database_url)  # as the version before MLflow left it
    small_home.train()
    write(small_home, empty_database_url)
    upgrade_database(empty_database_url)
    engine = open_engine(empty_database_url)
    check_database(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
        assert "model_id" in {column["name"] for column in inspect(connection).get_columns("runs")}
    engine.dispose()


def test_nothing_is_written_into_the_current_folder(
    small_home: SmallHome, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    small_home.train()
    write(small_home, database_url)
    assert list((tmp_path / "here").iterdir()) == []


def test_tables_of_an_older_mlflow_are_upgraded(
    small_home: SmallHome, database_url: str, mlflow_engine: Engine
) -> None:
    import mlflow.store.db_migrations as migrations
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from mlflow.store.tracking.dbmodels.initial_models import Base

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    revisions = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    Ledger(database_url, small_home.models)  # for the schema on Postgres
    with mlflow_engine.begin() as connection:
        for statement in _emptying(mlflow_engine):
            connection.execute(text(statement))
    Base.metadata.create_all(mlflow_engine)
    with mlflow_engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revisions[3])
    small_home.train()
    assert len(Ledger(database_url, small_home.models).write(Policy())) == 1


def test_tables_of_a_newer_mlflow_are_refused_and_the_champion_goes_on(
    small_home: SmallHome, database_url: str, mlflow_engine: Engine
) -> None:
    promote(small_home.models, small_home.train())
    write(small_home, database_url)
    with mlflow_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
    with pytest.raises(RegistryUnusable, match="newer version of MLflow"):
        Ledger(database_url, small_home.models)
    assert champion_id(small_home.models) is not None


def test_lost_registry_is_written_anew(small_home: SmallHome, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'triage.db'}"
    promote(small_home.models, small_home.train())
    aliases = write(small_home, url).aliases()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    assert write(small_home, f"sqlite:///{moved / 'triage.db'}").aliases() == aliases


def test_locked_registry_is_explained(small_home: SmallHome, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'triage.db'}"
    write(small_home, url)
    with sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RegistryUnusable, match=r"locked.*triage models register"):
            Ledger(url, small_home.models)
        other.execute("ROLLBACK")
    other.close()


def test_file_that_is_no_database_is_explained(small_home: SmallHome, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, and long enough to be seen as none " * 20)
    with pytest.raises(RegistryUnusable, match="not a database"):
        Ledger(f"sqlite:///{tmp_path / 'triage.db'}", small_home.models)


def test_server_that_is_away_is_explained_without_its_password(small_home: SmallHome) -> None:
    with pytest.raises(RegistryUnusable) as caught:
        Ledger("postgresql+psycopg://triage:secret@127.0.0.1:1/triage", small_home.models)
    assert "secret" not in str(caught.value)


def test_registry_stands_beside_the_sqlite_file_and_in_a_schema_of_postgres() -> None:
    assert registry_url("sqlite:////srv/desk/triage.db") == "sqlite:////srv/desk/mlflow.db"
    url = make_url(registry_url("postgresql+psycopg://u:p@h/triage?options=-c statement_timeout=5"))
    assert (url.password, url.database) == ("p", "triage")
    assert url.query["options"] == "-c statement_timeout=5 -c search_path=mlflow"


def _emptying(engine: Engine) -> list[str]:
    if engine.dialect.name == "postgresql":
        return ["DROP SCHEMA mlflow CASCADE", "CREATE SCHEMA mlflow"]
    return ["PRAGMA foreign_keys = OFF", *(f'DROP TABLE "{name}"' for name in inspect(engine).get_table_names())]
