"""``triage db``: is the database up to date, and no larger than it need be?"""

from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from triage.app import open_database
from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import note, print_json
from triage.db.upgrade import upgrade_database
from triage.jobs import Jobs
from triage.pruning import LEAST_DAYS, count
from triage.pruning import prune as drop

cli = typer.Typer(no_args_is_help=True, help="Create, upgrade, check and prune the database.")


@cli.command()
def upgrade() -> None:
    """Create or upgrade the tables; repeating it does nothing.

    Example: `TRIAGE_DATABASE_URL=postgresql://triage:secret@localhost/triage triage db upgrade`
    """
    settings = settings_for_command()
    settings.home.mkdir(parents=True, exist_ok=True)
    note(f"The database is at revision {upgrade_database(settings.sqlalchemy_url)}.")


@cli.command()
def check() -> None:
    """Say whether the database fits this version; exit status 1 where it does not."""
    with open_database(settings_for_command()):
        note("The database is reachable and up to date.")


@cli.command()
def prune(
    days: Annotated[int | None, typer.Option(min=1, help="Older than so many days; else TRIAGE_KEEP_DAYS.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many there are.")] = False,
    as_json: AsJson = False,
) -> None:
    """Drop finished jobs, what channels brought and told, and the words of solved tickets; workers do it every hour.

    Tickets, decisions, answers and dead letters stay.

    Example: `triage db prune --days 30 --dry-run`
    """
    settings = settings_for_command()
    days = settings.keep_days if days is None else days
    if not days:
        note("TRIAGE_KEEP_DAYS is 0: everything is kept. Name --days to drop what is older.")
        return
    with open_database(settings) as (engine, sessions), closing(Jobs(engine)) as jobs:
        found = (count if dry_run else drop)(sessions, jobs, days)
    if as_json:
        print_json({"dry_run": dry_run, "days": max(days, LEAST_DAYS), **asdict(found)})
        return
    what = (
        f"{found.jobs:,} finished jobs, {found.received:,} messages that channels brought, {found.deliveries:,} that "
        f"they were told, the words of {found.messages:,} messages on solved tickets, {found.memories:,} passing notes"
    )
    days = max(days, LEAST_DAYS)
    note(
        f"Older than {days} days there are {what}." if dry_run else f"Dropped what was older than {days} days: {what}."
    )
