"""A desk with a rule, a system beyond it that lives in memory and misbehaves on a word, and jobs done one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from kb import KnowledgeBase
from tests.doubles import NoJobs
from tests.unit.kb.doubles import WordEncoder
from triage.channels import inbox, outbox
from triage.channels.common.files import File
from triage.channels.common.system import Channel, Page
from triage.channels.common.tables import PolicyTable, SendingTable
from triage.channels.common.values import DeliveryFailed, Draft, Finding, Gone, Message, Received, RemoteTicket
from triage.channels.registry import Channels
from triage.db.tables import DeliveryRow, ReceivedRow, RemoteTicketRow, TicketRow
from triage.desk import Desk
from triage.pipeline import process

POLICY = """
[[rules]]
name = "vpn"
keywords = ["vpn"]
set = { queue = "network" }
"""


class MemorySystem:
    """A ticketing system: tickets by id, an API that fails as it is told."""

    def __init__(self) -> None:
        self.tickets: dict[str, RemoteTicket] = {}
        self.failures: list[DeliveryFailed] = []
        self.refused_fields: set[str] = set()
        self.loses_next_reply = False
        self.calls: list[str] = []
        self.held: list[File] = []

    def open(self, remote_id: str, subject: str, body: str = "", **values: object) -> None:
        ticket = RemoteTicket(remote_id, subject, body, "ana@example.com", {"queue": "general"}, opened_at=_now())
        self.tickets[remote_id] = replace(ticket, **values)  # type: ignore[arg-type]

    def change(self, remote_id: str, **values: object) -> None:
        self.tickets[remote_id] = replace(self.tickets[remote_id], updated_at=_now(), **values)  # type: ignore[arg-type]

    def _fail(self, call: str) -> None:
        self.calls.append(call)
        if self.failures:
            raise self.failures.pop(0)

    def read(self, remote_id: str) -> RemoteTicket:
        self._fail("read")
        if remote_id not in self.tickets:
            raise Gone(f"There is no ticket {remote_id}.")
        return self.tickets[remote_id]

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        self._fail("set")
        kept = {name: value for name, value in values.items() if name not in self.refused_fields}
        self.change(ticket.remote_id, fields={**self.tickets[ticket.remote_id].fields, **kept})

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        self._fail("post")
        messages = self.tickets[ticket.remote_id].messages
        ours = Message(f"m{len(messages)}", "bot", text, public, by_agent=True, is_ours=True)
        self.change(ticket.remote_id, messages=(*messages, ours))
        if self.loses_next_reply:
            self.loses_next_reply = False
            raise DeliveryFailed("It did not answer in time.", faulty=True)
        return ours.message_id

    def create(self, draft: Draft) -> str:
        self._fail("create")
        remote_id = str(100 + len(self.tickets))
        self.open(remote_id, draft.subject, draft.body, requester=draft.requester, fields={"queue": "general"})
        self.change(remote_id, fields={**self.tickets[remote_id].fields, **draft.fields}, opened_by_us=True)
        if self.loses_next_reply:
            self.loses_next_reply = False
            raise DeliveryFailed("It did not answer in time.", faulty=True)
        return remote_id

    def attach(self, ticket: RemoteTicket, text: str, files: Sequence[File]) -> None:
        self._fail("attach")
        self.held += files
        self.post(ticket, text, public=False)

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        self._fail("poll")
        yield Page(tuple(self.tickets), str(len(self.tickets)))

    def check(self) -> Iterator[Finding]:
        yield Finding(True, "credentials", "they work")

    def close(self) -> None:
        pass


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Office:
    """Everything between a system and the desk; ``work()`` does what is queued until nothing is."""

    sessions: sessionmaker[Session]
    desk: Desk
    system: MemorySystem
    channel: Channel
    jobs: NoJobs = field(default_factory=NoJobs)
    others: dict[str, Channel] = field(default_factory=dict)

    def with_policy(self, **policy: object) -> None:
        self.channel = replace(self.channel, policy=PolicyTable(**policy))  # type: ignore[arg-type]

    def take(self, *happenings: object, key: str = "k1", event: str = "changed", channel: str = "") -> bool:
        received = Received(key, event, happenings)  # type: ignore[arg-type]
        return inbox.take(self.sessions, self.jobs, channel or self.channel.name, received)

    def work(self, *, most: int = 50) -> None:
        opened = {self.channel.name: self.channel, **self.others}
        outlets = Channels(opened, {}).outlets(self.jobs)
        while self.jobs.queued and most:
            kind, row_id, number, _ = self.jobs.queued.pop(0)
            most -= 1
            match kind:
                case "triage":
                    process(self.sessions, self.desk, row_id, number, outlets)
                case "received":
                    with self.sessions() as session:
                        name = session.get_one(ReceivedRow, row_id).channel
                    inbox.work_on(self.sessions, self.jobs, opened[name], row_id, number)
                case _:
                    with self.sessions() as session:
                        name = session.get_one(DeliveryRow, row_id).channel
                    outbox.send(self.sessions, self.jobs, opened[name], row_id, number, outlets, opened)

    def deliveries(self, event: str) -> list[DeliveryRow]:
        with self.sessions() as session:
            query = select(DeliveryRow).where(DeliveryRow.event == event).order_by(DeliveryRow.id)
            return list(session.scalars(query))

    def delivery(self) -> DeliveryRow:
        with self.sessions() as session:
            return session.scalars(select(DeliveryRow).order_by(DeliveryRow.id.desc())).first()  # type: ignore[return-value]

    def received(self) -> list[ReceivedRow]:
        with self.sessions() as session:
            return list(session.scalars(select(ReceivedRow).order_by(ReceivedRow.id)))

    def tickets(self) -> list[TicketRow]:
        with self.sessions() as session:
            return list(session.scalars(select(TicketRow).order_by(TicketRow.id)))

    def remote(self, remote_id: str) -> RemoteTicketRow:
        with self.sessions() as session:
            return session.get_one(RemoteTicketRow, ("desk", remote_id))


@pytest.fixture
def open_office(sessions: sessionmaker[Session], tmp_path: Path) -> Callable[..., Office]:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    encoder = WordEncoder()
    knowledge = KnowledgeBase.open(tmp_path / "kb", encoder)
    desk = Desk(encoder, knowledge, models=tmp_path / "models", policy_file=policy)

    def make(mode: str = "apply", **sending: object) -> Office:
        system = MemorySystem()
        policy = PolicyTable(mode=mode)  # type: ignore[arg-type]
        channel = Channel("desk", "memory", policy, SendingTable(**sending), system=system)  # type: ignore[arg-type]
        return Office(sessions, desk, system, channel)

    return make


@pytest.fixture
def office(open_office: Callable[..., Office]) -> Office:
    return open_office()
