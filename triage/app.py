"""How are the parts put together? The composition root: settings in, a running application out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from kb import Encoder, KnowledgeBase, load_encoder, prepare_encoder
from triage.db.engine import open_engine
from triage.db.upgrade import check_database
from triage.desk import Desk
from triage.settings import Settings
from triage.worker import Jobs, Worker

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class App:
    """Everything a process needs to take tickets in, look at them and answer."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    desk: Desk
    jobs: Jobs

    def worker(self) -> Worker:
        """A worker on this application's database and desk; the caller starts and closes it."""
        return Worker(
            self.engine,
            self.sessions,
            self.desk,
            side_by_side=self.settings.workers,
            poll_interval_s=self.settings.poll_interval_s,
            heartbeat_s=self.settings.heartbeat_s,
        )


def ensure_encoder(settings: Settings, *, progress: Progress | None = None) -> None:
    """Prepare the encoder of the settings unless that has been done; needs the `train` extra the first time."""
    prepare_encoder(settings.encoder, settings.encoder_folder, progress=progress)


def open_encoder(settings: Settings) -> Encoder:
    """The prepared encoder; raises kb's ``ModelMissing`` or ``ModelDamaged`` with what to do."""
    return load_encoder(settings.encoder_folder, threads=settings.threads)


def open_desk(settings: Settings) -> Desk:
    """Encoder, knowledge base, model and policy, without a database."""
    encoder = open_encoder(settings)
    return Desk(
        encoder,
        KnowledgeBase.open(settings.knowledge_folder, encoder),
        models=settings.models_folder,
        policy_file=settings.policy_file,
        audiences=settings.audiences,
    )


@contextmanager
def open_database(settings: Settings) -> Iterator[tuple[Engine, sessionmaker[Session]]]:
    """The checked database; raises ``DatabaseOutdated`` where `triage db upgrade` must be run first."""
    engine = open_engine(settings.sqlalchemy_url)
    try:
        check_database(engine)
        yield engine, sessionmaker(engine)
    finally:
        engine.dispose()


@contextmanager
def open_app(settings: Settings) -> Iterator[App]:
    """The whole application; closes what it opened."""
    with open_database(settings) as (engine, sessions):
        jobs = Jobs(engine)
        try:
            yield App(settings, engine, sessions, open_desk(settings), jobs)
        finally:
            jobs.close()
