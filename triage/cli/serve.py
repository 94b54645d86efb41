"""``triage init``, ``serve`` and ``worker``: how are the processes started?"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Annotated

import typer

from triage.app import App, ensure_encoder, open_app
from triage.cli.options import settings_for_command
from triage.cli.show import note, progress
from triage.db.upgrade import upgrade_database
from triage.errors import Misconfigured
from triage.policy import write_policy
from triage.settings import Settings, read_settings
from triage.telemetry import set_up_logging


def register(cli: typer.Typer) -> None:
    """Add these commands to the top level."""
    cli.command()(init)
    cli.command()(serve)
    cli.command()(worker)


def init() -> None:
    """Prepare the home folder: encoder, database, policy file. Repeating it repeats nothing.

    Example: `TRIAGE_HOME=./desk triage init`
    """
    set_up(settings_for_command())


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of TRIAGE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, instead of TRIAGE_PORT.")] = None,
    with_worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Also look at the tickets in this process.")
    ] = True,
) -> None:
    """Serve the REST API, and (by default) look at the tickets in the same process, until Ctrl-C.

    Example: `triage serve --port 8080`
    """
    given: dict[str, object] = {"host": host, "port": port}
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    set_up_logging(settings.log_level, as_json=settings.log_json)
    listener = listen(settings)
    with listener, open_app(settings) as app:
        serve_app(app, listener, with_worker=with_worker)


def worker() -> None:
    """Look at queued tickets until Ctrl-C; start as many of these as there are processors to spare.

    Example: `TRIAGE_DATABASE_URL=postgresql://… triage worker`
    """
    settings = read_settings()
    set_up_logging(settings.log_level, as_json=settings.log_json)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with open_app(settings) as app:
        app.desk.current()
        running = app.worker()
        running.start()
        stop.wait()
        running.close()


def set_up(settings: Settings) -> None:
    """Make the home folder ready; safe to repeat and to run twice at once."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with progress("Preparing the encoder") as report:
        ensure_encoder(settings, progress=report)
    upgrade_database(settings.sqlalchemy_url)
    if write_policy(settings.policy_file):
        note(f"Wrote {settings.policy_file}: say there what may be applied and which rules override.")


def listen(settings: Settings) -> socket.socket:
    """The listening socket; raises ``Misconfigured`` where the address is taken or is not this machine's."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Another triage may be serving there; "
            "stop it, or set TRIAGE_PORT to another port."
        ) from error
    return listener


def serve_app(
    app: App,
    listener: socket.socket,
    *,
    with_worker: bool,
    meanwhile: Callable[[], None] = lambda: None,
    forever: bool = True,
) -> None:
    """Serve until Ctrl-C or SIGTERM, then finish what is in hand; ``meanwhile`` runs before the API answers."""
    import uvicorn

    from triage.web import create_app

    app.desk.current()  # what is wrong with the model or the policy is said before anything is served
    stopping = threading.Event()
    web = create_app(
        settings=app.settings,
        engine=app.engine,
        sessions=app.sessions,
        desk=app.desk,
        jobs=app.jobs,
        channels=app.channels,
        stopping=stopping,
    )

    class Server(uvicorn.Server):
        """Lets waiting requests answer as soon as a signal asks the server to end."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            stopping.set()
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        web, log_config=None, access_log=False, timeout_keep_alive=15, timeout_graceful_shutdown=10, server_header=False
    )
    running = app.worker() if with_worker else None
    try:
        if running:
            running.start()
        meanwhile()
        if forever:
            host, port = listener.getsockname()[:2]
            note(f"Serving on http://{host}:{port} (Ctrl-C stops).")
            # uvicorn stops in peace and then raises the signal once more for whoever called it.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            with suppress(KeyboardInterrupt):
                Server(config).run(sockets=[listener])
    finally:
        if running:
            running.close()
