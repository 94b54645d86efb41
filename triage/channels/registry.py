"""Which channels are set up in ``channels.toml``, and which of them can be opened?"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import structlog
from pydantic import BaseModel, ValidationError

from triage.channels.common.system import Channel, Services
from triage.channels.common.tables import Environment, source_of
from triage.deliver import Outlets
from triage.errors import Misconfigured, NotFound, TriageError
from triage.intake import JobQueue

# The class of each kind's table, in a module of its own that is only loaded where such a channel is set up.
KINDS: Mapping[str, str] = {
    "alerts": "triage.channels.alerts:AlertsTable",
    "freshdesk": "triage.channels.freshdesk:FreshdeskTable",
    "github": "triage.channels.github:GithubTable",
    "glpi": "triage.channels.glpi:GlpiTable",
    "helpdesk": "triage.channels.helpdesk:HelpdeskTable",
    "jira": "triage.channels.jira:JiraTable",
    "mail": "triage.channels.mail:MailTable",
    "mapped": "triage.channels.mapped:MappedTable",
    "rt": "triage.channels.rt:RtTable",
    "servicenow": "triage.channels.servicenow:ServicenowTable",
    "slack": "triage.channels.slack:SlackTable",
    "webhook": "triage.channels.webhook:WebhookTable",
    "zammad": "triage.channels.zammad:ZammadTable",
    "zendesk": "triage.channels.zendesk:ZendeskTable",
}
MOST_BYTES = 1_000_000

log = structlog.get_logger(__name__)


class ChannelBroken(Misconfigured):
    """A channel is set up wrongly; the others work, and this one may after a change and a restart."""

    code = "channel-broken"
    status = 503


class KindTable(Protocol):
    """The table of one kind of channel."""

    def build(self, name: str, environment: Environment, services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``. Nothing is called yet.

        ``services`` is None where only its settings are tried, without a database.
        """


@dataclass(frozen=True, slots=True)
class Channels:
    """The open channels by name, and why the others could not be opened."""

    open: Mapping[str, Channel]
    broken: Mapping[str, str]

    def find(self, name: str) -> Channel:
        """The channel; raises ``ChannelBroken``, ``NotFound`` where there is none."""
        if name in self.broken:
            raise ChannelBroken(f"Channel {name} is not usable: {self.broken[name]}")
        if name not in self.open:
            known = ", ".join(sorted(self.open)) or "none is set up"
            raise NotFound(f"There is no channel {name[:100]!r} (there are: {known}). Channels stand in channels.toml.")
        return self.open[name]

    def outlets(self, jobs: JobQueue) -> Outlets:
        """Where results are sent."""
        opened = self.open.values()
        return Outlets(
            jobs,
            pushed=frozenset(one.name for one in opened if one.sends and one.policy.mode != "off"),
            subscribers={one.name: one.subscribed for one in opened if one.subscribed},
            filed={source_of(one.name): one.filed_in for one in opened if one.filed_in},
            audiences={source_of(one.name): one.policy.audiences for one in opened if one.policy.audiences is not None},
        )

    def close(self) -> None:
        """Close the connections of all."""
        for channel in self.open.values():
            channel.close()


NO_CHANNELS = Channels({}, {})


def open_channels(path: Path, environment: Environment | None = None, services: Services | None = None) -> Channels:
    """Every channel of the file that can be opened; one that is wrong does not stop the others.

    A missing file means none. A file that cannot be read at all counts as one broken channel, named ``channels.toml``.
    """
    environment = os.environ if environment is None else environment
    opened: dict[str, Channel] = {}
    broken: dict[str, str] = {}
    try:
        tables = read_tables(path)
    except Misconfigured as error:
        return Channels({}, {path.name: str(error)})
    for name, table in tables.items():
        try:
            opened[name] = build(name, table, environment, services)
        except TriageError as error:
            broken[name] = str(error)
            log.error("channel misconfigured", channel=name, error=str(error))
    for name, why in _not_filed(opened, broken).items():
        opened.pop(name).close()
        broken[name] = why
        log.error("channel misconfigured", channel=name, error=why)
    return Channels(opened, broken)


def _not_filed(opened: Mapping[str, Channel], broken: Mapping[str, str]) -> dict[str, str]:
    """Why tickets of a channel cannot be filed where its table wants them to be, by the channel's name.

    A system that is broken itself is none of these: what is to be filed there waits as a dead letter.
    """
    wrong = {}
    for name, channel in opened.items():
        if channel.filed_in is None or channel.filed_in in broken:
            continue
        system = opened.get(channel.filed_in)
        if system is None:
            wrong[name] = f"filed_in: there is no channel {channel.filed_in} in channels.toml."
        elif system.create is None or system.system is None:
            wrong[name] = f"filed_in: {channel.filed_in} is of the kind {system.kind}, in which no tickets can be made."
    return wrong


def read_tables(path: Path) -> dict[str, object]:
    """The tables of the file by channel; raises ``Misconfigured`` where it is no TOML file with channels."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > MOST_BYTES:
        raise Misconfigured(f"{path} has {len(content):,} bytes, {MOST_BYTES:,} are the most.")
    try:
        file = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misconfigured(f"{path} is not valid TOML: {error}") from error
    tables = file.pop("channels", {})
    if file or not isinstance(tables, dict):
        raise Misconfigured(f"{path} may only hold tables such as [channels.mydesk]; see docs/howto/channels.md.")
    return tables


def build(name: str, table: object, environment: Environment, services: Services | None = None) -> Channel:
    """One channel from its table; raises ``Misconfigured`` that names the key."""
    if not name or len(name) > 100 or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise Misconfigured("A channel's name has letters, digits, - and _ only: it stands in addresses.")
    kind = table.get("kind") if isinstance(table, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise Misconfigured(f"`kind` must be one of {', '.join(sorted(KINDS))}.")
    module, _, klass = KINDS[kind].partition(":")
    model: type[BaseModel] = getattr(import_module(module), klass)
    try:
        parsed = model.model_validate(table)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False, include_url=False)[:5]
        )
        raise Misconfigured(f"{wrong}. See docs/howto/channels.md.") from error
    channel: Channel = parsed.build(name, environment, services)  # type: ignore[attr-defined]  # every kind's table has it
    return channel
