"""Is a ticket of a chat filed once in the ticketing system, and what is said in one place heard in the other?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from tests.integration.channels.conftest import MemorySystem, Office
from triage.channels import inbox, outbox
from triage.channels.common.files import File
from triage.channels.common.memory import remember
from triage.channels.common.system import Channel, Steps
from triage.channels.common.tables import PolicyTable
from triage.channels.common.values import (
    Closed,
    DeliveryFailed,
    Draft,
    Look,
    Message,
    News,
    Opened,
    Outgoing,
    Said,
    Status,
)
from triage.channels.registry import _not_filed
from triage.channels.relaying import pass_on
from triage.db.tables import CorrectionRow, DeliveryRow, RemoteTicketRow
from triage.deliver import enqueue, new_delivery
from triage.tickets import store
from triage.tickets.model import Correction

PLACE = "C1:7"


class Chat:
    """A chat: what was said in its threads, by us or for others."""

    def __init__(self) -> None:
        self.replies: list[str] = []
        self.heard: list[News] = []
        self.failures: list[DeliveryFailed] = []
        self.asked: list[str] = []
        self.got: list[File] = []

    def send(self, outgoing: Outgoing, done: Steps) -> str:
        self.replies.append(outgoing.remote_id)
        done("thread", "1")
        return "Said."

    def relay(self, outgoing: Outgoing, news: News, files: Sequence[File]) -> None:
        assert outgoing.remote_id == PLACE
        if self.failures:
            raise self.failures.pop(0)
        self.heard.append(news)
        self.got += files

    def files(self, remote_id: str, message_id: str) -> list[File]:
        self.asked.append(message_id)
        if self.failures:
            raise self.failures.pop(0)
        return [File("a.png", "image/png", message_id.encode())]

    def channel(self, **policy: object) -> Channel:
        return Channel(
            "chat",
            "chat",
            PolicyTable(**policy),
            send=self.send,
            relay=self.relay,
            files=self.files,
            filed_in="desk",  # type: ignore[arg-type]
        )


@pytest.fixture
def chat() -> Chat:
    return Chat()


def answered_files(_remote_id: str, message_id: str) -> list[File]:
    return [File("guide.pdf", "application/pdf", message_id.encode())]


@pytest.fixture
def filing(office: Office, chat: Chat) -> Office:
    system = office.system
    office.channel = replace(office.channel, create=system.create, attach=system.attach, files=answered_files)
    office.others["chat"] = chat.channel(mode="apply")
    return office


def asks(office: Office, body: str = "VPN drops", requester: str = "ana@example.com") -> None:
    opened = Opened(PLACE, "", body, requester, url="https://chat.example/C1/7")
    office.take(opened, key="open", channel="chat")
    office.work()


def says(office: Office, text: str, *, key: str, author: str = "ana@example.com", by_agent: bool = False) -> None:
    message = Message(key, author, text, public=True, by_agent=by_agent)
    office.take(Said(PLACE, message), key=key, channel="chat")
    office.work()


def answers(office: Office, text: str, *, public: bool = True, **values: object) -> None:
    (ticket,) = office.system.tickets.values()
    said = Message(f"a{len(ticket.messages)}", "bea", text, public, by_agent=True)
    office.system.change(ticket.remote_id, messages=(*ticket.messages, said), touched_by="bea", **values)
    office.take(Look(ticket.remote_id), key=f"look-{len(office.received())}")
    office.work()


def notes(system: MemorySystem) -> list[str]:
    (ticket,) = system.tickets.values()
    assert not any(one.public for one in ticket.messages if one.is_ours)
    return [one.text for one in ticket.messages if one.is_ours]


def test_a_ticket_of_a_chat_is_filed_with_its_requester_and_what_was_decided(filing: Office) -> None:
    asks(filing)
    (ticket,) = filing.system.tickets.values()
    assert (ticket.subject, ticket.requester, ticket.fields) == ("VPN drops", "ana@example.com", {"queue": "network"})
    assert "Asked in chat: https://chat.example/C1/7" in ticket.body
    (note,) = notes(filing.system)
    assert "queue" in note and "network" in note
    (filed,) = filing.deliveries("ticket.filed")
    assert (filed.state, filed.detail.partition(".")[0]) == ("delivered", f"Filed as {ticket.remote_id}")
    assert len(filing.tickets()) == 1


def test_who_has_no_address_is_named_in_the_text(filing: Office) -> None:
    asks(filing, requester="slack:U1")
    (ticket,) = filing.system.tickets.values()
    assert ticket.requester == "" and "Asked in chat by slack:U1" in ticket.body


def test_a_system_that_tells_of_our_ticket_before_we_wrote_it_down_makes_no_second_one(filing: Office) -> None:
    filing.system.loses_next_reply = True
    opened = Opened(PLACE, "", "VPN drops", "ana@example.com")
    filing.take(opened, key="open", channel="chat")
    filing.work(most=4)
    (remote_id,) = filing.system.tickets
    filing.take(Look(remote_id), key="hook")
    filing.work()
    assert len(filing.tickets()) == len(filing.system.tickets) == 1
    assert filing.deliveries("ticket.filed")[0].state == "delivered"
    assert len(notes(filing.system)) == 1


@pytest.mark.parametrize("loses_reply", [False, True])
def test_a_hook_that_is_faster_than_the_reply_keeps_nothing_from_being_done(filing: Office, loses_reply: bool) -> None:
    def create(draft: Draft) -> str:
        remote_id = filing.system.create(draft)
        filing.take(Look(remote_id), key="hook")
        kind, row_id, number, _ = filing.jobs.queued.pop()
        assert kind == "received"
        inbox.work_on(filing.sessions, filing.jobs, filing.channel, row_id, number)
        if loses_reply:
            raise DeliveryFailed("It did not answer in time.", faulty=True)
        return remote_id

    filing.channel = replace(filing.channel, create=create)
    filing.take(Opened(PLACE, "", "VPN drops", "ana@example.com"), key="open", channel="chat")
    filing.work(most=2)  # a ticket, understood, that has still to be filed
    filing.take(Said(PLACE, Message("m1", "ana@example.com", "Since Monday.", public=True)), key="m1", channel="chat")
    filing.work()
    assert len(filing.system.tickets) == len(filing.tickets()) == 1
    first, told = notes(filing.system)
    assert "queue" in first and "Since Monday." in told


def test_a_second_pass_of_a_ticket_that_is_still_being_filed_makes_no_second_one(filing: Office) -> None:
    filing.system.failures = [DeliveryFailed("It is away.", faulty=True)]
    filing.take(Opened(PLACE, "", "VPN drops", "ana@example.com"), key="open", channel="chat")
    filing.work(most=2)
    (first,) = filing.deliveries("ticket.filed")
    outbox.send(filing.sessions, filing.jobs, filing.channel, first.id, first.jobs)
    with filing.sessions.begin() as session:
        second = new_delivery(first.run_id, filing.channel.name, "ticket.filed", datetime.now(UTC), about="again")
        enqueue(session, filing.jobs, second)
        again = second.id
    outbox.send(filing.sessions, filing.jobs, filing.channel, again, 1)
    assert filing.deliveries("ticket.filed")[1].detail.startswith("Another delivery")
    with filing.sessions.begin() as session:
        session.get_one(DeliveryRow, first.id).state = "dead"
    filing.work()
    assert len(filing.system.tickets) == 1
    assert [one.state for one in filing.deliveries("ticket.filed")] == ["dead", "delivered"]


def test_files_go_along_with_the_words_and_only_once(filing: Office, chat: Chat) -> None:
    asks(filing, "VPN drops, see there\n[attached: a.png https://chat.example/f1]")
    assert filing.system.held == [File("a.png", "image/png", b"")]
    says(filing, "No file here.", key="m1")
    filing.system.loses_next_reply = True
    says(filing, "And again\n[attached: a.png]", key="m2")
    assert filing.system.held[1:] == [File("a.png", "image/png", b"m2")] and chat.asked == ["", "m2", "m2"]
    assert [text.count("[attached:") for text in notes(filing.system)] == [0, 0, 0, 1]
    answers(filing, "Do it so.\n[attached: guide.pdf]")
    answers(filing, "For us only.\n[attached: secret.pdf]", public=False)
    (said,) = [one for one in chat.heard if one.text]
    assert said.text.startswith("Do it so.") and [one.name for one in chat.got] == ["guide.pdf"]


def test_words_go_without_files_that_cannot_be_had(filing: Office, chat: Chat) -> None:
    asks(filing)
    chat.failures = [DeliveryFailed("Slack is away.", faulty=True), DeliveryFailed("Slack is away.", faulty=True)]
    says(filing, "And again\n[attached: a.png]", key="m1")
    assert not filing.system.held and "[attached: a.png]" in notes(filing.system)[-1]
    chat.failures = [DeliveryFailed("It lies elsewhere.", retryable=False)]
    says(filing, "And once more\n[attached: b.png]", key="m2")
    assert "[attached: b.png]" in notes(filing.system)[-1] and chat.asked == ["m1", "m1", "m2"]
    assert {one.state for one in filing.deliveries("thread.relayed")} == {"delivered"}


def test_a_lost_reply_makes_no_second_ticket(filing: Office) -> None:
    filing.system.loses_next_reply = True
    asks(filing)
    assert len(filing.system.tickets) == 1 and filing.system.calls.count("create") == 1
    assert filing.deliveries("ticket.filed")[0].state == "delivered"


def test_words_of_the_thread_become_notes_in_their_order_and_once(filing: Office) -> None:
    asks(filing)
    for number in range(3):
        says(filing, f"And again {number}.", key=f"m{number}")
    says(filing, "And again 1.", key="m1")
    _, *told = notes(filing.system)
    assert [text.splitlines()[2] for text in told] == ["And again 0.", "And again 1.", "And again 2."]
    assert all(text.startswith("ana@example.com wrote in chat:") for text in told)


def test_what_was_said_before_it_was_filed_is_told_afterwards(filing: Office) -> None:
    filing.system.failures = [DeliveryFailed("It is away.", faulty=True) for _ in range(3)]
    opened = Opened(PLACE, "", "VPN drops", "ana@example.com")
    filing.take(opened, key="open", channel="chat")
    filing.work(most=4)
    says(filing, "Since Monday.", key="m1")
    filing.work()
    assert any("Since Monday." in text for text in notes(filing.system))


def test_public_words_of_agents_are_heard_in_the_thread_and_private_ones_are_not(filing: Office, chat: Chat) -> None:
    asks(filing)
    answers(filing, "Tired of this user.", public=False)
    answers(filing, "Please restart the gateway.")
    assert [(one.author, one.via, one.text) for one in chat.heard] == [("bea", "desk", "Please restart the gateway.")]
    says(filing, "That helped!", key="m1")
    assert len(chat.heard) == 1, "no echo"
    assert sum("That helped!" in text for text in notes(filing.system)) == 1


def test_an_agent_who_wrote_in_the_system_has_the_word_in_the_thread(filing: Office) -> None:
    asks(filing)
    answers(filing, "I am on it.")
    with filing.sessions() as session:
        assert session.get_one(RemoteTicketRow, ("chat", PLACE)).touched_by == "bea"


def test_solved_and_reopened_there_is_said_in_the_thread_once(filing: Office, chat: Chat) -> None:
    asks(filing)
    (remote_id,) = filing.system.tickets
    for number, status in enumerate([Status.SOLVED, Status.SOLVED, Status.OPEN]):
        filing.system.change(remote_id, status=status)
        filing.take(Look(remote_id), key=f"look{number}")
        filing.work()
    assert [one.status for one in chat.heard] == [Status.SOLVED, Status.OPEN]
    assert len(notes(filing.system)) == 1
    with filing.sessions() as session:
        assert session.get_one(RemoteTicketRow, ("chat", PLACE)).status == "open"


def test_solved_in_the_thread_is_noted_there(filing: Office, chat: Chat) -> None:
    asks(filing)
    filing.take(Closed(PLACE, "ana@example.com"), key="solved", channel="chat")
    filing.work()
    assert notes(filing.system)[-1].startswith("In chat this is solved now.")
    assert chat.heard == []


def test_a_correction_in_the_chat_is_made_in_the_system_and_an_agents_own_there_is_left(filing: Office) -> None:
    asks(filing)
    (remote_id,) = filing.system.tickets
    (ticket,) = filing.tickets()

    def correct(value: str) -> None:
        with filing.sessions.begin() as session:
            store.add_correction(session, ticket.id, Correction("queue", value, "eva"))
            pass_on(session, filing.jobs, ticket.id, by="chat")

    correct("hardware")
    filing.work()
    assert filing.system.tickets[remote_id].fields == {"queue": "hardware"}
    filing.system.change(remote_id, fields={"queue": "printing"}, touched_by="bea")
    correct("accounts")
    filing.work()
    assert filing.system.tickets[remote_id].fields == {"queue": "printing"}, "bea's word came later than we looked"
    filing.take(Look(remote_id), key="moved")
    filing.work()
    with filing.sessions() as session:
        values = [(row.value, row.author) for row in session.scalars(select(CorrectionRow).order_by(CorrectionRow.id))]
    assert values == [("hardware", "eva"), ("accounts", "eva"), ("printing", "bea")]


@pytest.mark.parametrize("at", ["post", "read"])
def test_a_system_that_fails_in_between_is_told_all_and_nothing_twice(filing: Office, at: str) -> None:
    asks(filing)
    if at == "post":
        filing.system.loses_next_reply = True
    else:
        filing.system.failures = [DeliveryFailed("It is away.", faulty=True)]
    says(filing, "Once.", key="m1")
    says(filing, "Twice.", key="m2")
    filing.work()
    told = [text.splitlines()[2] for text in notes(filing.system)[1:]]
    assert told == ["Once.", "Twice."]


def test_a_chat_that_fails_in_between_hears_it_later(filing: Office, chat: Chat) -> None:
    asks(filing)
    chat.failures = [DeliveryFailed("It is away.")]
    answers(filing, "First.")
    answers(filing, "Second.")
    assert [one.text for one in chat.heard] == ["First.", "Second."]


def test_a_delivery_leaves_the_telling_to_one_that_is_at_it(filing: Office) -> None:
    asks(filing)
    with filing.sessions.begin() as session:
        (ticket,) = filing.tickets()
        until = "2999-01-01T00:00:00+00:00"
        remember(session, "desk", f"relaying:{ticket.id}", {"by": "another", "until": until})
    says(filing, "Is anybody there?", key="m1")
    told = filing.deliveries("thread.relayed")[-1]
    assert (told.state, told.detail) == ("delivered", "Another delivery is at it.")
    with filing.sessions.begin() as session:
        remember(session, "desk", f"relaying:{ticket.id}", {"by": "another", "until": "2020-01-01T00:00:00+00:00"})
    says(filing, "Hello?", key="m2")
    assert [text.splitlines()[2] for text in notes(filing.system)[1:]] == ["Is anybody there?", "Hello?"]


@pytest.mark.parametrize(("mode", "queue"), [("suggest", "general"), ("dry-run", "general")])
def test_other_modes_file_it_and_set_nothing(filing: Office, mode: str, queue: str) -> None:
    filing.with_policy(mode=mode)
    asks(filing)
    (ticket,) = filing.system.tickets.values()
    assert ticket.fields == {"queue": queue} and len(notes(filing.system)) == 1


def test_policy_off_files_nothing(filing: Office) -> None:
    filing.with_policy(mode="off")
    asks(filing)
    assert filing.system.tickets == {}
    assert "policy is off" in filing.deliveries("ticket.filed")[0].detail


def test_a_further_pass_files_nothing_again(filing: Office) -> None:
    asks(filing)
    (ticket,) = filing.tickets()
    with filing.sessions.begin() as session:
        filing.jobs.enqueue_triage(session, ticket.id, store.begin_attempt(session, ticket.id))
    filing.work()
    assert len(filing.system.tickets) == 1 and len(notes(filing.system)) == 1


@pytest.mark.parametrize(
    ("filed_in", "says_why"),
    [("nowhere", "there is no channel nowhere"), ("hook", "of the kind webhook, in which no tickets can be made")],
)
def test_a_channel_that_cannot_be_filed_in_is_named(filed_in: str, says_why: str) -> None:
    opened = {"hook": Channel("hook", "webhook"), "chat": replace(Chat().channel(), filed_in=filed_in)}
    assert says_why in _not_filed(opened, {})["chat"]
    assert _not_filed({"chat": opened["chat"]}, {filed_in: "no token"}) == {}
