"""``triage slack``: how is the app set up in a workspace?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from triage.channels.registry import read_tables
from triage.cli.channels import check as check_channel
from triage.cli.options import settings_for_command
from triage.cli.show import note
from triage.errors import BadInput

cli = typer.Typer(no_args_is_help=True, help="Set up the Slack app.")

Name = Annotated[str, typer.Argument(help="The channel's name in channels.toml.")]


@cli.command()
def manifest(
    name: Name = "slack",
    url: Annotated[
        str | None, typer.Option(help="Where Slack can reach this server; leave it out for Socket Mode.")
    ] = None,
) -> None:
    """Print the app's manifest, to paste at https://api.slack.com/apps?new_app=1.

    Example: `triage slack manifest slack --url https://triage.example.org > manifest.json`
    """
    from triage.channels.slack.manifest import manifest as written
    from triage.channels.slack.table import SlackTable

    table = read_tables(settings_for_command().channels_file).get(name)
    if table is None:
        note(f"There is no channel {name} in channels.toml yet, so this is the manifest of the defaults.")
        table = {"kind": "slack", "bot_token": "env:SLACK_BOT_TOKEN", "app_token": "env:SLACK_APP_TOKEN"}
    if not isinstance(table, dict) or table.get("kind") != "slack":
        raise BadInput(f"Channel {name} is no Slack channel.")
    parsed = SlackTable.model_validate(table)
    typer.echo(json.dumps(written(parsed, name, url.rstrip("/") if url else None), indent=2))


@cli.command()
def check(name: Name = "slack") -> None:
    """Test tokens, scopes, channels and a round trip, and say in words what is missing.

    Example: `triage slack check`
    """
    check_channel(name)
