"""``triage deliveries`` and ``triage received``: what is on its way, and what was given up?"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy.orm import Session

from triage.app import open_database
from triage.channels import inbox, outbox
from triage.channels.views import delivery_view, received_view
from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import note, out, print_json
from triage.jobs import Jobs
from triage.tickets.views import Json

deliveries = typer.Typer(no_args_is_help=True, help="What is sent to channels: list, show, send dead letters again.")
received = typer.Typer(no_args_is_help=True, help="What channels brought: list, show, work on dead letters again.")

State = Annotated[str | None, typer.Option(help="Only those in this state, such as dead.")]
Channel = Annotated[str | None, typer.Option(help="Only those of this channel.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="How many to show.")]
AllDead = Annotated[bool, typer.Option("--all-dead", help="All dead letters, of --channel if given.")]
RowId = Annotated[str | None, typer.Argument(help="The id, as the list shows it.")]


@deliveries.command(name="list")
def list_deliveries(state: State = None, channel: Channel = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List deliveries, newest first.

    Example: `triage deliveries list --state dead`
    """
    with open_database(settings_for_command()) as (_, sessions), sessions() as session:
        views = [delivery_view(row) for row in outbox.listed(session, state=state, channel=channel, limit=limit)]
    _show(views, "deliveries", ("id", "channel", "event", "state", "attempts", "ticket", "detail"), as_json)


@deliveries.command(name="show")
def show_delivery(delivery_id: Annotated[str, typer.Argument(help="The delivery's id.")]) -> None:
    """Show one delivery: what was tried, what is done of it, what the system said.

    Example: `triage deliveries show 01a20893-a5b0-7d61-9a8e-5d2b8c1f4e33`
    """
    with open_database(settings_for_command()) as (_, sessions), sessions() as session:
        print_json(delivery_view(outbox.find(session, delivery_id)))


@deliveries.command(name="retry")
def retry_delivery(delivery_id: RowId = None, all_dead: AllDead = False, channel: Channel = None) -> None:
    """Send a dead letter again, or all of them; only what was not done yet is done.

    Example: `triage deliveries retry --all-dead --channel rt`
    """

    def dead(session: Session) -> list[str]:
        return [row.id for row in outbox.listed(session, state="dead", channel=channel, limit=1_000)]

    with open_database(settings_for_command()) as (engine, sessions):
        jobs = Jobs(engine)
        try:
            with sessions.begin() as session:
                chosen = dead(session) if all_dead else [_one(delivery_id)]
                for one in chosen:
                    outbox.retry(session, jobs, one)
        finally:
            jobs.close()
    note(f"{len(chosen):,} deliveries are queued again; a worker sends them.")


@received.command(name="list")
def list_received(state: State = None, channel: Channel = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List what channels brought, newest first.

    Example: `triage received list --state dead`
    """
    with open_database(settings_for_command()) as (_, sessions), sessions() as session:
        views = [received_view(row) for row in inbox.listed(session, state=state, channel=channel, limit=limit)]
    _show(views, "received", ("id", "channel", "event", "state", "attempts", "detail"), as_json)


@received.command(name="show")
def show_received(received_id: Annotated[str, typer.Argument(help="The id, as the list shows it.")]) -> None:
    """Show one, with what it holds while it is not worked on: this may be personal.

    Example: `triage received show 01a20893-a5b0-7d61-9a8e-5d2b8c1f4e33`
    """
    with open_database(settings_for_command()) as (_, sessions), sessions() as session:
        row = inbox.find(session, received_id)
        body = row.body.decode("utf-8", "replace") if row.body is not None else None
        print_json({**received_view(row), "happenings": row.happenings, "body": body})


@received.command(name="retry")
def retry_received(received_id: RowId = None, all_dead: AllDead = False, channel: Channel = None) -> None:
    """Work again on what was given up, or on all of that.

    Example: `triage received retry --all-dead`
    """
    with open_database(settings_for_command()) as (engine, sessions):
        jobs = Jobs(engine)
        try:
            with sessions.begin() as session:
                dead = inbox.listed(session, state="dead", channel=channel, limit=1_000)
                again = [row.id for row in dead if row.happenings is not None]
                chosen = again if all_dead else [_one(received_id)]
                for one in chosen:
                    inbox.retry(session, jobs, one)
        finally:
            jobs.close()
    note(f"{len(chosen):,} are queued again; a worker takes them.")


def _one(row_id: str | None) -> str:
    if row_id is None:
        raise typer.BadParameter("Name an id, or give --all-dead.")
    return row_id


def _show(views: list[Json], name: str, columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json({name: views})
        return
    if not views:
        note("There is nothing to show.")
        return
    table = Table(*columns)
    for view in views:
        table.add_row(*(escape(str(view[column])) for column in columns))
    out.print(table)
