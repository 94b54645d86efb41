"""``triage channels``: which ways in and out are set up, and do they work?"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from triage.app import open_app
from triage.channels.attendant import poll
from triage.channels.common.system import Channel
from triage.channels.common.values import Finding, Webhook
from triage.channels.registry import build, open_channels, read_tables
from triage.channels.states import states
from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import note, out, print_json
from triage.errors import BadInput, Misconfigured, NotFound, TriageError

cli = typer.Typer(no_args_is_help=True, help="Set up the ways in and out: ticketing systems, mail, alerts, chat.")

MOST_BYTES = 10_000_000
Name = Annotated[str, typer.Argument(help="The channel's name in channels.toml.")]


@cli.command(name="list")
def list_channels(as_json: AsJson = False) -> None:
    """Show the channels of channels.toml, what each may do, and which cannot be used and why.

    Example: `triage channels list`
    """
    settings = settings_for_command()
    with open_app(settings) as app, app.sessions() as session:
        known = states(session)
        rows = [
            {
                "name": one.name,
                "kind": one.kind,
                "mode": one.policy.mode,
                "in": _ways_in(one),
                "out": one.sends or bool(one.subscribed),
                "trouble": known[one.name].trouble if one.name in known else "",
            }
            for one in app.channels.open.values()
        ]
        broken = dict(app.channels.broken)
    if as_json:
        print_json({"channels": rows, "broken": broken})
        return
    if not rows and not broken:
        note(f"No channel is set up. Write {settings.channels_file}; docs/howto/channels.md shows how.")
        return
    table = Table("channel", "kind", "policy", "in by", "out", "trouble")
    for row in rows:
        table.add_row(
            *(escape(str(row[key])) for key in ("name", "kind", "mode", "in")),
            "yes" if row["out"] else "no",
            escape(str(row["trouble"])) or "–",
        )
    for name, says in broken.items():
        table.add_row(escape(name), "–", "–", "–", "no", escape(f"cannot be used: {says}"))
    out.print(table)


@cli.command()
def check(name: Annotated[str | None, typer.Argument(help="The channel; all where none is named.")] = None) -> None:
    """Test credentials, permissions, names and a round trip, and say in words what is missing.

    Ends with status 1 where something is.

    Example: `triage channels check rt`
    """
    settings = settings_for_command()
    failed = False
    with open_app(settings) as app:
        names = [name] if name else [*app.channels.open, *app.channels.broken]
        if not names:
            note(f"No channel is set up. Write {settings.channels_file}; docs/howto/channels.md shows how.")
        for one in names:
            for finding in _findings(one, app.channels.broken.get(one), app.channels.open.get(one)):
                failed = failed or not finding.ok
                mark = "[green]ok[/]  " if finding.ok else "[red]no[/]  "
                out.print(f"{mark}{escape(one)}  {escape(finding.what)}: {escape(finding.says)}", highlight=False)
    if failed:
        raise typer.Exit(1)


@cli.command(name="try")
def try_payload(
    name: Name,
    payload: Annotated[Path, typer.Argument(help="A file with the body of a webhook.", dir_okay=False)],
    header: Annotated[list[str] | None, typer.Option(help="A header, as `Name: value`; repeat it for more.")] = None,
) -> None:
    """Show what a webhook's body would become, without its signature being checked; nothing is stored.

    Example: `triage channels try myportal payload.json --header 'X-Event: created'`
    """
    settings = settings_for_command()
    tables = read_tables(settings.channels_file)
    if name not in tables:
        open_channels(settings.channels_file).find(name)
        raise NotFound(f"There is no channel {name}.")
    channel = _build_without_secrets(name, tables[name])
    if channel.parse is None:
        raise BadInput(f"Channel {name} takes no webhooks, so there is nothing to try.")
    headers = {}
    for one in header or []:
        key, colon, value = one.partition(":")
        if not colon:
            raise BadInput(f"--header {one!r} is not of the form `Name: value`.")
        headers[key.strip().lower()] = value.strip()
    received = channel.parse(Webhook(headers, _read(payload), datetime.now(UTC)))
    view = {
        "key": received.key,
        "event": received.event,
        "note": received.note,
        "happenings": [{"is": type(one).__name__, **asdict(one)} for one in received.happenings],
    }
    out.print_json(json.dumps(view, default=str))


@cli.command(name="poll")
def poll_now(name: Name) -> None:
    """Ask a system now for what changed since it was last asked; a worker takes it from there.

    Example: `triage channels poll rt`
    """
    with open_app(settings_for_command()) as app:
        channel = app.channels.find(name)
        if channel.system is None:
            raise BadInput(f"Channel {name} has no system that could be asked.")
        number = poll(app.sessions, app.jobs, channel)
    note(f"{number:,} changed tickets will be looked at.")


class _Unset(dict[str, str]):
    """Secrets that are not set are made up: to try a payload nobody needs them."""

    def __init__(self, made_up: str) -> None:
        super().__init__(os.environ)
        self._made_up = made_up

    def get(self, key: str, default: str | None = None) -> str:  # type: ignore[override]  # never None here
        return super().get(key) or self._made_up


def _build_without_secrets(name: str, table: object) -> Channel:
    try:
        return build(name, table, _Unset("user:password"))
    except Misconfigured:
        return build(name, table, _Unset("c2VjcmV0"))  # where it has to be base64


def _ways_in(channel: Channel) -> str:
    ways = [
        *(["webhook"] if channel.parse or channel.dispatch else []),
        *([f"poll every {channel.poll_every_s:g} s"] if channel.system and channel.poll_every_s else []),
        *(["connection"] if channel.listen else []),
    ]
    return ", ".join(ways) or "–"


def _findings(name: str, broken: str | None, channel: Channel | None) -> list[Finding]:
    if broken is not None:
        return [Finding(False, "settings", broken)]
    if channel is None:
        return [Finding(False, "settings", f"There is no channel {name} in channels.toml.")]
    checking = channel.check or (channel.system.check if channel.system else None)
    if checking is None:
        return [Finding(True, "settings", "they can be read; this kind has nothing else to check.")]
    found: list[Finding] = []
    try:
        found.extend(checking())
    except TriageError as error:
        found.append(Finding(False, "the check", str(error)))
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > MOST_BYTES:
        raise BadInput(f"{path} has more than {MOST_BYTES:,} bytes.")
    return content
