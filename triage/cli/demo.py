"""``triage demo``: the whole thing before one's eyes, on the sample desk."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from triage.app import App, open_app, open_encoder
from triage.cli.knowledge import show_report, sync_folder
from triage.cli.learn import show_card, train_on
from triage.cli.models import record, show_release
from triage.cli.options import settings_for_command
from triage.cli.reading import read_incoming
from triage.cli.serve import listen, serve_app, set_up
from triage.cli.show import err, note
from triage.cli.tickets import hand_in, watch
from triage.errors import BadInput
from triage.learning.dataset import read_tickets
from triage.learning.registry import list_models
from triage.policy import write_policy
from triage.settings import Settings

TEXT, LABELS, FEATURES = ["subject", "body"], ["queue", "category", "priority"], ["requester", "channel"]
PATIENCE_S = 120.0


def register(cli: typer.Typer) -> None:
    """Add this command to the top level."""
    cli.command()(demo)


def demo(
    desk: Annotated[Path, typer.Argument(help="Folder with tickets.csv, kb/, inbox.jsonl and policy.toml.")] = Path(
        "examples/desk"
    ),
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Go on and serve the REST API.")] = True,
) -> None:
    """Train on a sample desk, index its articles, triage its inbox, then serve until Ctrl-C.

    A second run repeats nothing: it shows the results and serves.

    Example: `triage demo examples/desk --no-serve`
    """
    settings = settings_for_command()
    for part in ("tickets.csv", "kb", "inbox.jsonl"):
        if not (desk / part).exists():
            raise BadInput(f"{desk} is not a sample desk: it has no {part}.")
    with listen(settings) as listener:
        settings.home.mkdir(parents=True, exist_ok=True)
        if (desk / "policy.toml").exists():
            write_policy(settings.policy_file, (desk / "policy.toml").read_text(encoding="utf-8"))
        if (desk / "macros.yaml").exists():
            shutil.copy(desk / "macros.yaml", settings.home / "macros.yaml")
        set_up(settings)
        _train_once(settings, desk / "tickets.csv")
        show_report(sync_folder(settings, desk / "kb"))
        with open_app(settings) as app:
            serve_app(app, listener, with_worker=True, meanwhile=lambda: _triage_inbox(app, desk), forever=serve)


def _train_once(settings: Settings, file: Path) -> None:
    tickets = read_tickets(file, text=TEXT, labels=LABELS, features=FEATURES)
    fingerprint = open_encoder(settings).fingerprint
    for card in list_models(settings.models_folder):
        if (card.dataset_digest, card.encoder_fingerprint) == (tickets.digest, fingerprint):
            note(f"Model {card.model_id} was trained on these tickets before.")
            return
    card, release = train_on(settings, tickets)
    show_card(card)
    show_release(card.model_id, release)
    record(settings)


def _triage_inbox(app: App, desk: Path) -> None:
    inbox = desk / "inbox.jsonl"
    # Named by its content: the same inbox is taken once, an edited one is another and comes in anew.
    source = f"sample-inbox-{hashlib.sha256(inbox.read_bytes()).hexdigest()[:12]}"
    tickets = [replace(ticket, source=source) for ticket in read_incoming(str(inbox))]
    err.rule("The sample inbox")
    ids = hand_in(app.sessions, app.jobs, tickets, mask_stored=app.settings.mask_stored)
    watch(app.sessions, ids, timeout_s=PATIENCE_S)
