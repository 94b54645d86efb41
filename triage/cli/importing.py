"""``triage import``: how does a desk learn from its own past?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from kb import KnowledgeBase
from triage.app import open_app
from triage.channels.importing import Imported, import_articles, import_history
from triage.cli.learn import ready_to_train, show_card, train_on
from triage.cli.models import show_release
from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import note, out, print_json, progress
from triage.errors import BadInput


def register(top: typer.Typer) -> None:
    """Add this command to the top level."""
    top.command(name="import")(import_channel)


def import_channel(
    channel: Annotated[str, typer.Argument(help="The channel's name in channels.toml; it must have a system to read.")],
    since: Annotated[str, typer.Option(help="The day from which on, as 2025-01-31.")],
    train: Annotated[bool, typer.Option("--train", help="Then train a classifier on all fields.")] = False,
    knowledge: Annotated[
        bool,
        typer.Option("--kb", help="Then take solved tickets, and the help centre's articles, into the knowledge base."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read a system's history with its final labels and resolutions; called again, it goes on where it was.

    Example: `triage import rt --since 2025-01-01 --train --kb`
    """
    settings = ready_to_train() if train else settings_for_command()
    began = _day(since)
    with open_app(settings) as app, progress(f"Reading tickets of {channel}") as report:
        opened = app.channels.find(channel)
        system = opened.system
        if system is None:
            raise BadInput(f"Channel {channel} has no system whose history could be read.")
        folder = settings.home / "imports" / channel
        articles = import_articles(opened.articles(), folder) if knowledge and opened.articles else None
        imported = import_history(system, folder, began, masked=settings.mask_stored, progress=report)
    labels = [name for name, values in imported.fields.items() if values > 1]
    if as_json:
        print_json(_view(imported))
    else:
        _show(imported)
    if knowledge and imported.resolved:
        base = KnowledgeBase.open(settings.knowledge_folder, app.desk.encoder)
        synced = base.sync(imported.solved)
        note(f"{synced.added + synced.updated:,} solved tickets are in the knowledge base, for agents only.")
    if articles:
        base = KnowledgeBase.open(settings.knowledge_folder, app.desk.encoder)
        synced = base.sync(articles)
        note(f"{synced.added + synced.updated:,} articles of its help centre are in the knowledge base.")
    if not train:
        if labels:
            chosen = " ".join(f"--label {name}" for name in labels)
            command = f"triage train {imported.tickets} --text subject --text body {chosen} --feature requester"
            note(f"Train on them: {command} --time opened_at")
        return
    if not labels:
        raise BadInput("There is nothing to train on: no field of the solved tickets has two values.")
    _train(imported, labels)


def _train(imported: Imported, labels: list[str]) -> None:
    from triage.learning.dataset import read_tickets

    settings = ready_to_train()
    columns = {"text": ["subject", "body"], "labels": labels, "features": ["requester"]}
    tickets = read_tickets(imported.tickets, time="opened_at", **columns)  # type: ignore[arg-type]
    card, release = train_on(settings, tickets)
    show_card(card)
    show_release(card.model_id, release)


def _day(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError as error:
        raise BadInput(f"--since {value!r} is no day such as 2025-01-31.") from error


def _view(imported: Imported) -> dict[str, object]:
    return {
        "tickets": str(imported.tickets),
        "solved": str(imported.solved),
        "read": imported.read,
        "usable": imported.usable,
        "resolved": imported.resolved,
        "left_out": dict(imported.left_out),
        "fields": dict(imported.fields),
    }


def _show(imported: Imported) -> None:
    out.print(
        f"{imported.read:,} tickets read, {imported.usable:,} to learn from, {imported.resolved:,} with a resolution.",
        highlight=False,
    )
    for why, number in imported.left_out.items():
        out.print(f"  left out: {number:,} {why}", highlight=False)
    for name, values in imported.fields.items():
        out.print(f"  {name}: {values:,} values", highlight=False)
    out.print(f"They lie in {imported.tickets.parent}.", highlight=False)
