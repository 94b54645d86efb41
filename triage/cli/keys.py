"""``triage keys``: who may call the REST API?"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from triage.app import open_database
from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import note, out, print_json
from triage.tickets import keys
from triage.tickets.keys import Scope

cli = typer.Typer(no_args_is_help=True, help="Make, list and revoke keys of the REST API.")


@cli.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, such as zendesk-webhook.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may do; give it again for more. Default: everything.")
    ] = None,
) -> None:
    """Make a key; its secret is printed once and never stored. From the first key on, every call needs one.

    Example: `triage keys create zendesk-webhook --scope tickets:write`
    """
    with open_database(settings_for_command()) as (_, sessions), sessions.begin() as session:
        secret = keys.make_key(session, name, scope or list(Scope))
    out.print(secret, highlight=False)
    note("Send it as `Authorization: Bearer …`. It cannot be shown again.")


@cli.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List all keys, without their secrets.

    Example: `triage keys list`
    """
    with open_database(settings_for_command()) as (_, sessions), sessions() as session:
        rows = keys.list_keys(session)
        if as_json:
            names = ("name", "prefix", "scopes", "created_at", "revoked_at")
            print_json({"keys": [{name: getattr(row, name) for name in names} for row in rows]})
            return
        table = Table("name", "begins with", "may", "made", "revoked")
        for row in rows:
            revoked = f"{row.revoked_at:%Y-%m-%d}" if row.revoked_at else ""
            table.add_row(escape(row.name), row.prefix, ", ".join(row.scopes), f"{row.created_at:%Y-%m-%d}", revoked)
        out.print(table if rows else "There are no keys: the API is open on loopback and refuses to serve elsewhere.")


@cli.command()
def revoke(name: str) -> None:
    """Take a key out of use for good.

    Example: `triage keys revoke zendesk-webhook`
    """
    with open_database(settings_for_command()) as (_, sessions), sessions.begin() as session:
        keys.revoke_key(session, name)
    note(f"The key {name} is revoked.")
