"""``triage db``: is the database up to date?"""

import typer

from triage.app import open_database
from triage.cli.options import settings_for_command
from triage.cli.show import note
from triage.db.upgrade import upgrade_database

cli = typer.Typer(no_args_is_help=True, help="Create, upgrade and check the database.")


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
