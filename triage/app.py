"""How are the parts put together? The composition root: settings in, a running application out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from kb import Encoder, KnowledgeBase, Reranker, load_encoder, load_reranker, prepare_encoder
from triage.channels.common.system import Services
from triage.channels.inbox import take
from triage.channels.registry import NO_CHANNELS, Channels, open_channels
from triage.db.engine import open_engine
from triage.db.upgrade import check_database
from triage.desk import Desk
from triage.errors import Misconfigured
from triage.history import History
from triage.jobs import Jobs
from triage.reword import Endpoint, Reworder
from triage.settings import SQLITE_FILE, Settings
from triage.worker import Pace, Worker

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class App:
    """Everything a process needs to take tickets in, look at them and answer."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    desk: Desk
    jobs: Jobs
    channels: Channels

    def worker(self) -> Worker:
        """A worker on this application's database and desk; the caller starts and closes it."""
        return Worker(
            self.engine,
            self.sessions,
            self.desk,
            self.channels,
            mask_stored=self.settings.mask_stored,
            pace=Pace(
                side_by_side=self.settings.workers,
                poll_interval_s=self.settings.poll_interval_s,
                heartbeat_s=self.settings.heartbeat_s,
                keep_days=self.settings.keep_days,
            ),
        )


def ensure_encoder(settings: Settings, *, progress: Progress | None = None) -> None:
    """Prepare the encoder of the settings unless that has been done; needs the `train` extra the first time."""
    prepare_encoder(settings.encoder, settings.encoder_folder, progress=progress)


def open_encoder(settings: Settings) -> Encoder:
    """The prepared encoder; raises kb's ``ModelMissing`` or ``ModelDamaged`` with what to do."""
    return load_encoder(settings.encoder_folder, threads=settings.threads)


def open_reranker(settings: Settings) -> Reranker | None:
    """The cross-encoder of the settings, if there is one; raises kb's ``ModelMissing`` where it cannot be loaded."""
    return load_reranker(settings.reranker) if settings.reranker else None


def open_desk(settings: Settings, sessions: sessionmaker[Session] | None = None) -> Desk:
    """Encoder, knowledge base, model and policy; with a database also the tickets that went through this desk.

    Close its history, if any, before the database.
    """
    encoder = open_encoder(settings)
    endpoint = open_endpoint(settings)
    if settings.macros and not settings.macros.is_file():
        raise Misconfigured(f"TRIAGE_MACROS names {settings.macros}, and there is no such file.")
    return Desk(
        encoder,
        KnowledgeBase.open(settings.knowledge_folder, encoder, reranker=open_reranker(settings)),
        models=settings.models_folder,
        policy_file=settings.policy_file,
        audiences=settings.audiences,
        datasets=settings.datasets_folder,
        history=History(sessions, encoder) if sessions else None,
        duplicate_days=settings.duplicate_days,
        macros_file=settings.macros_file,
        reworder=Reworder(endpoint) if endpoint else None,
    )


def open_endpoint(settings: Settings) -> Endpoint | None:
    """The language model that rewords answers, or None where none is set; nothing is sent to it yet."""
    if settings.llm_url is None:
        return None
    if not settings.llm_model:
        raise Misconfigured("TRIAGE_LLM_URL is set and TRIAGE_LLM_MODEL is not: name the model that rewords answers.")
    key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else None
    return Endpoint(settings.llm_url, settings.llm_model, key, settings.llm_timeout_s)


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
def open_desk_with_history(settings: Settings) -> Iterator[Desk]:
    """A desk that knows the tickets which went through it so far, if it has a database at all."""
    if settings.database_url is None and not (settings.home / SQLITE_FILE).exists():
        yield open_desk(settings)
        return
    with open_database(settings) as (_, sessions):
        desk = open_desk(settings, sessions)
        if desk.history:
            desk.history.catch_up()
        yield desk


def services(settings: Settings, sessions: sessionmaker[Session], desk: Desk, jobs: Jobs) -> Services:
    """What channels may use of the desk."""
    return Services(sessions, jobs, desk, partial(take, sessions, jobs), mask_stored=settings.mask_stored)


@contextmanager
def open_app(settings: Settings) -> Iterator[App]:
    """The whole application; closes what it opened."""
    with open_database(settings) as (engine, sessions):
        jobs = Jobs(engine)
        history, channels = None, NO_CHANNELS
        try:
            desk = open_desk(settings, sessions)
            history = desk.history
            if history:
                history.follow()  # a long history takes seconds, so it begins before the first ticket is there
            channels = open_channels(settings.channels_file, services=services(settings, sessions, desk, jobs))
            yield App(settings, engine, sessions, desk, jobs, channels)
        finally:
            channels.close()
            if history:
                history.close()
            jobs.close()
