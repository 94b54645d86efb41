"""Where a ticket's words go and come from: its thread, another one, or the requester's own conversation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from tests.integration.channels.conftest import Office
from tests.integration.channels.test_slack_upkeep import desk, slack, work  # noqa: F401
from tests.peers.slack.server import SlackServer
from tests.unit.channels.slack.test_limits import check
from tests.unit.channels.slack.test_limits import outgoing as made
from triage.channels.common.files import MOST_BYTES, File
from triage.channels.common.system import Channel
from triage.channels.common.values import DeliveryFailed, Event, Gone, News, Opened, Outgoing, Received
from triage.channels.slack import messages
from triage.channels.slack.actions import on_share, on_take
from triage.channels.slack.asking import ask
from triage.channels.slack.delivery import relay, send
from triage.channels.slack.desk import SlackDesk
from triage.channels.slack.files import files_of
from triage.channels.slack.messages import complete, read_thread
from triage.channels.slack.modal import on_new
from triage.channels.slack.table import WatchTable
from triage.channels.slack.upkeep import tick
from triage.db.tables import ReceivedRow, RemoteMessageRow, RemoteTicketRow, TicketRow
from triage.deliver import GUEST, Outlets
from triage.tickets.model import IncomingTicket

QUESTION = "The VPN drops every few minutes"
EVIL = "<https://evil.example|your bank> <!channel>"


@pytest.fixture
def speaking(desk: SlackDesk) -> SlackDesk:  # noqa: F811
    """The desk of a channel whose policy lets the bot speak."""
    policy = desk.table.policy.model_copy(update={"mode": "apply"})
    return replace(desk, table=desk.table.model_copy(update={"policy": policy}))


def mention(desk: SlackDesk, text: str = QUESTION, ts: str = "1.1") -> None:  # noqa: F811
    messages.on_mention(desk, {"channel": "C1", "user": "U1", "text": text, "ts": ts})


def edit(desk: SlackDesk, text: str, *, ts: str = "1.1", thread: str | None = None, **more: object) -> None:  # noqa: F811
    message = {"user": "U1", "text": text, "ts": ts, "thread_ts": thread, "edited": {"user": "U1", "ts": "2.0"}}
    messages.on_changed(desk, {"subtype": "message_changed", "channel": "C1", "message": message} | more)


def work_all(office: Office, desk: SlackDesk) -> None:  # noqa: F811
    """Work until nothing is left, as a worker does that can read Slack."""
    work(office, Channel("slack", "slack", read=partial(read_thread, desk), complete=partial(complete, desk)))


def tickets(office: Office) -> list[TicketRow]:
    with office.sessions() as session:
        return list(session.scalars(select(TicketRow).order_by(TicketRow.id)))


def noted(office: Office) -> list[str]:
    with office.sessions() as session:
        return list(session.scalars(select(RemoteMessageRow.text).order_by(RemoteMessageRow.ordinal)))


def outgoing(ticket_id: str, remote_id: str = "C1:1.1", **more: Any) -> Outgoing:
    of_ana = {"requester": "u1@fennvale.example", "features": {"slack_user": "U1"}, "body": QUESTION, "text": QUESTION}
    return made(ticket_id=ticket_id, remote_id=remote_id, **(of_ana | more))


def ticket_of(office: Office, desk: SlackDesk, remote_id: str = "C1:1.1") -> str:  # noqa: F811
    features = {"slack_user": "U1", "slack_channel": remote_id.partition(":")[0]}
    opened = Opened(remote_id, "", QUESTION, "slack:U1", features=features)
    desk.take(Received(f"message:{remote_id}", "message", (opened,)))
    work_all(office, desk)
    ticket_id = desk.ticket_at(remote_id)
    assert ticket_id is not None
    return ticket_id


def steps(done: dict[str, str]) -> Any:
    return lambda step, reference="": done.update({step: reference})


def said_in(slack: SlackServer, channel: str) -> list[dict[str, Any]]:  # noqa: F811
    return [one for one in slack.called("chat.postMessage") if one["channel"] == channel]


def test_an_edit_that_is_faster_than_its_ticket_is_kept(office: Office, desk: SlackDesk) -> None:  # noqa: F811
    mention(desk)
    edit(desk, f"{QUESTION}, on my Mac")
    office.jobs.queued.reverse()  # the worst order
    work_all(office, desk)
    assert [one.body for one in tickets(office)] == [QUESTION]
    assert noted(office) == [f"(edited) {QUESTION}, on my Mac"]


def test_a_greeting_that_becomes_a_question_by_an_edit_is_a_ticket(office: Office, desk: SlackDesk) -> None:  # noqa: F811
    mention(desk, "<@U0BOT> hi")
    edit(desk, f"<@U0BOT> hi, {QUESTION}")
    edit(desk, f"<@U0BOT> hi, {QUESTION}")
    work_all(office, desk)
    assert [(one.body, one.requester) for one in tickets(office)] == [(f"hi, {QUESTION}", "u1@fennvale.example")]


@pytest.mark.parametrize("text", ["Lunch?", "thanks!"])
def test_an_edit_of_what_is_no_ticket_is_none(office: Office, desk: SlackDesk, text: str) -> None:  # noqa: F811
    mention(desk, "<@U0BOT> thanks")
    edit(desk, "<@U0BOT> thanks!!")
    edit(desk, text, ts="7.7")
    work_all(office, desk)
    assert not tickets(office)


def test_a_reply_that_is_faster_than_its_ticket_is_noted(office: Office, desk: SlackDesk) -> None:  # noqa: F811
    dm = {"channel": "D1", "channel_type": "im", "user": "U1"}
    messages.on_message(desk, {**dm, "text": QUESTION, "ts": "1.1"}, "U0BOT")
    messages.on_message(desk, {**dm, "text": "Since Monday", "ts": "1.2", "thread_ts": "1.1"}, "U0BOT")
    office.jobs.queued.reverse()
    work_all(office, desk)
    assert [one.body for one in tickets(office)] == [QUESTION] and noted(office) == ["Since Monday"]


def test_a_question_in_the_thread_of_a_greeting_is_a_ticket(office: Office, desk: SlackDesk) -> None:  # noqa: F811
    dm = {"channel": "D1", "channel_type": "im", "user": "U1"}
    messages.on_message(desk, {**dm, "text": "hello", "ts": "1.1"}, "U0BOT")
    messages.on_message(desk, {**dm, "text": QUESTION, "ts": "1.2", "thread_ts": "1.1"}, "U0BOT")
    work_all(office, desk)
    assert [(one.body, one.requester) for one in tickets(office)] == [(QUESTION, "u1@fennvale.example")]


def test_a_first_message_deleted_with_replies_below_is_noted_as_gone(office: Office, desk: SlackDesk) -> None:  # noqa: F811
    ticket_of(office, desk)
    stone = {"subtype": "tombstone", "user": "USLACKBOT", "text": "This message was deleted.", "ts": "1.1"}
    before = {"user": "U1", "text": QUESTION, "ts": "1.1"}
    messages.on_changed(
        desk, {"subtype": "message_changed", "channel": "C1", "message": stone, "previous_message": before}
    )
    work_all(office, desk)
    assert noted(office) == ["(deleted a message)"]


@pytest.mark.parametrize("method", ["conversations.replies", "chat.postMessage C1"])
@pytest.mark.parametrize("error", ["thread_not_found", "message_not_found"])
def test_of_a_deleted_message_the_agents_have_the_card_and_its_thread_is_left_alone(
    office: Office,
    speaking: SlackDesk,
    slack: SlackServer,  # noqa: F811
    error: str,
    method: str,
) -> None:
    slack.errors[method] = error
    done: dict[str, str] = {}
    says = send(speaking, outgoing(ticket_of(office, speaking)), steps(done))
    assert "was deleted" in says and "The agents have its card." in says and done["thread"] == ""
    assert [one["channel"] for one in slack.messages] == ["C0AGENTS"]


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("conversations.replies", "channel_not_found"),
        ("conversations.replies", "not_in_channel"),
        ("chat.postMessage", "is_archived"),
    ],
)
def test_where_the_channel_cannot_be_spoken_in_the_requester_is_told_in_a_conversation(
    office: Office,
    speaking: SlackDesk,
    slack: SlackServer,  # noqa: F811
    method: str,
    error: str,
) -> None:
    slack.errors[f"{method} C1"] = error
    ticket_id = ticket_of(office, speaking)
    done: dict[str, str] = {}
    says = send(speaking, outgoing(ticket_id), steps(done))
    begin, answer = said_in(slack, "D1")
    assert QUESTION in begin["text"] and answer["thread_ts"] == slack.messages[0]["ts"]
    assert (
        "filed" in answer["text"] and "The agents have its card." in says and done["thread"] == slack.messages[1]["ts"]
    )

    # From now on it lives there: what agents say elsewhere, who takes it, and being asked about it.
    news = News("rt", "triage:0123456789ab", "Bea", "Try again now.")
    relay(speaking, outgoing(ticket_id, event=Event.RELAYED), news, [])
    click = {"user": {"id": "U2"}, "actions": [{"value": ticket_id}], "channel": {"id": "C0AGENTS"}}
    speaking.people._desk = ("U2",)  # type: ignore[misc]
    on_take(speaking, click)
    later = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1)
    tick(speaking, later)
    threads = {one.get("thread_ts") for one in said_in(slack, "D1")[1:]}
    texts = " ".join(one["text"] for one in said_in(slack, "D1"))
    assert threads == {answer["thread_ts"]} and "wrote in rt" in texts and "<@U2>" in texts and "solved?" in texts

    # And what the requester writes there is a word on the ticket.
    word = {"channel": "D1", "channel_type": "im", "user": "U1", "text": "Still the same", "ts": "9.9"}
    messages.on_message(speaking, word | {"thread_ts": answer["thread_ts"]}, "U0BOT")
    work_all(office, speaking)
    assert len(tickets(office)) == 1 and "Still the same" in noted(office)


def test_where_nobody_can_be_told_it_is_a_failure_in_words(
    office: Office,
    speaking: SlackDesk,
    slack: SlackServer,  # noqa: F811
) -> None:
    ticket_id = ticket_of(office, speaking)
    slack.errors |= {"conversations.replies C1": "channel_not_found", "conversations.open": "user_disabled"}
    done: dict[str, str] = {}
    says = send(speaking, outgoing(ticket_id), steps(done))
    assert "could not be told: Slack says user_disabled: the person's account was closed." in says
    card = said_in(slack, "C0AGENTS")[0]
    assert "account was closed" in str(card["blocks"]) and done == {"card": done["card"], "thread": ""}
    slack.errors["chat.postMessage C0AGENTS"] = "is_archived"
    with pytest.raises(Gone, match="account was closed"):
        send(speaking, outgoing(ticket_id), steps({}))


def test_a_subject_from_the_form_is_not_alive_in_the_conversation(
    office: Office,
    speaking: SlackDesk,
    slack: SlackServer,  # noqa: F811
) -> None:
    send(speaking, outgoing(ticket_of(office, speaking), "form:V1", subject=EVIL), steps({}))
    begin = said_in(slack, "D1")[0]
    for shown in (begin["text"], begin["blocks"][0]["text"]["text"]):
        assert "<https" not in shown and "<!channel" not in shown and "your bank" in shown


def test_a_word_in_the_thread_of_a_form_ticket_is_noted_there(
    office: Office,
    speaking: SlackDesk,
    slack: SlackServer,  # noqa: F811
) -> None:
    entered = {name: {"entered": {"value": text}} for name, text in (("subject", "VPN"), ("details", QUESTION))}
    on_new(speaking, {"user": {"id": "U1"}}, {"id": "V1", "state": {"values": entered}})
    work_all(office, speaking)
    (ticket,) = tickets(office)
    for _ in range(2):  # a repeat finds the thread that is there
        send(speaking, outgoing(ticket.id, "form:V1", subject="VPN", is_repeat=True), steps({}))
    assert len([one for one in said_in(slack, "D1") if one.get("thread_ts") is None]) == 1
    thread = slack.messages[0]["ts"]
    for ts, name in (("9.1", "word"), ("9.2", "second")):
        word = {"channel": "D1", "channel_type": "im", "user": "U1", "text": f"A {name}", "ts": ts}
        messages.on_message(speaking, word | {"thread_ts": thread}, "U0BOT")
    edit(speaking, "A better word", ts="9.1", thread=thread, channel="D1", channel_type="im")
    work_all(office, speaking)
    assert len(tickets(office)) == 1 and noted(office) == ["A word", "A second", "(edited) A better word"]


def test_a_ticket_made_of_a_message_that_the_app_cannot_read_has_its_words(
    office: Office,
    desk: SlackDesk,  # noqa: F811
    slack: SlackServer,  # noqa: F811
) -> None:
    slack.errors["conversations.replies"] = "channel_not_found"
    message = {"type": "message", "user": "U1", "text": QUESTION, "ts": "5.5"}
    for _ in range(2):
        messages.on_shortcut(desk, "G0SECRET", message, "U2")
    work_all(office, desk)
    assert [(one.body, one.requester) for one in tickets(office)] == [(QUESTION, "u1@fennvale.example")]


def test_a_line_of_a_burst_belongs_to_its_first(office: Office, desk: SlackDesk, slack: SlackServer) -> None:  # noqa: F811
    watch = {"watch": {"C1": WatchTable()}, "settle_s": 0.0}
    desk = replace(desk, table=desk.table.model_copy(update=watch))
    for ts, text in (("1.1", QUESTION), ("2.2", "It says error 809")):
        messages.on_message(desk, {"channel": "C1", "user": "U1", "text": text, "ts": ts}, "U0BOT")
    edit(desk, "It says error 812", ts="2.2")
    work_all(office, desk)
    assert len(tickets(office)) == 1 and noted(office) == ["(edited) It says error 812"]


def test_what_is_shared_twice_is_shown_once(office: Office, speaking: SlackDesk, slack: SlackServer) -> None:  # noqa: F811
    ticket_id = ticket_of(office, speaking)
    click = {"user": {"id": "U1"}, "actions": [{"value": ticket_id}], "channel": {"id": "C1"}}
    slack.tired["chat.postMessage"] = 1
    for _ in range(4):  # the first fails, so it may be tried again
        on_share(speaking, click)
    shown = [one for one in slack.messages if one["channel"] == "C1"]
    assert len(shown) == 1 and shown[0]["thread_ts"] == "1.1"
    assert "Please try again" in slack.called("chat.postEphemeral")[0]["text"]


def test_a_guest_is_told_only_what_is_for_everybody(office: Office, desk: SlackDesk, slack: SlackServer) -> None:  # noqa: F811
    slack.guests.add("U9")
    features = messages.complete(desk, Opened("C1:3.3", "", QUESTION, features={"slack_user": "U9"})).features
    assert features[GUEST] == "yes"
    outlets = Outlets(audiences={"channel:slack": ("public", "internal")})
    ticket = IncomingTicket("", QUESTION, "", source="channel:slack", features=features)
    assert outlets.audiences_of(ticket, ()) == ("public",)
    assert outlets.audiences_of(replace(ticket, features={"slack_user": "U1"}), ()) == ("public", "internal")


def test_a_person_in_fifty_channels_at_once_has_a_ticket_for_each(office: Office, desk: SlackDesk) -> None:  # noqa: F811
    for number in range(50):
        event = {"channel": f"C{number}", "user": "U1", "text": f"{QUESTION} in room {number}", "ts": "1.1"}
        messages.on_mention(desk, event)
        messages.on_mention(desk, event)
    work_all(office, desk)
    with office.sessions() as session:
        places = set(session.scalars(select(RemoteTicketRow.remote_id)))
        states = set(session.scalars(select(ReceivedRow.state)))
    assert len(tickets(office)) == 50 and places == {f"C{number}:1.1" for number in range(50)} and states == {"done"}


@pytest.mark.parametrize(
    "text",
    ["VPN drops. " * 910, "```\n" + "at line 7\n" * 1_000 + "```", ":fire:" * 2_000 + " VPN drops", "ß漢🔥" * 3_400],
    ids=["long", "code", "emoji", "wide"],
)
def test_ten_thousand_characters_are_a_ticket_whose_card_and_thread_fit(
    office: Office,
    speaking: SlackDesk,
    slack: SlackServer,  # noqa: F811
    text: str,
) -> None:
    mention(speaking, text)
    work_all(office, speaking)
    (ticket,) = tickets(office)
    assert len(ticket.body) >= 9_900
    send(speaking, outgoing(ticket.id, body=ticket.body, text=ticket.body), steps({}))
    for one in slack.called("chat.postMessage"):
        check(one["blocks"])
        assert all(str(block.get("text", {}).get("text")).count("```") % 2 == 0 for block in one["blocks"])


def test_an_answer_by_command_is_no_more_for_a_guest(office: Office, desk: SlackDesk, slack: SlackServer) -> None:  # noqa: F811
    slack.guests.add("U9")
    inside = desk.table.policy.model_copy(update={"audiences": ("internal",)})
    desk = replace(desk, table=desk.table.model_copy(update={"policy": inside}))
    assert not ask(desk, QUESTION, "U9").answered


def test_files_are_fetched_from_slack_alone(office: Office, desk: SlackDesk, slack: SlackServer) -> None:  # noqa: F811
    slack.held = {"a.png": b"\x89PNG", "login": b"<!DOCTYPE html><title>Sign in</title>", "huge": bytes(MOST_BYTES + 1)}
    desk = replace(desk, table=desk.table.model_copy(update={"api_url": slack.api}))
    here = slack.api.removesuffix("/api")
    listed = [
        {"name": "evil.png", "mimetype": "image/png", "url_private": "https://evil.example/slack.com/a.png"},
        {"name": "near.png", "mimetype": "image/png", "url_private": "https://notslack.com/a.png"},
        {"name": "login.png", "mimetype": "image/png", "url_private": f"{here}/files/login"},
        {"name": "huge.png", "mimetype": "image/png", "url_private": f"{here}/files/huge"},
        {"name": "gone.png", "mimetype": "image/png", "url_private": f"{here}/files/gone"},
        {"name": "a.png", "mimetype": "image/png", "url_private_download": f"{here}/files/a.png"},
    ]
    slack.written = [{"ts": "1.2", "thread_ts": "1.1", "user": "U1", "text": "Look", "files": listed}]
    ticket_of(office, desk)
    assert list(files_of(desk, "C1:1.1", "1.2")) == [File("a.png", "image/png", b"\x89PNG")]
    assert not [*files_of(desk, "C1:1.1", "1.2/2.0"), *files_of(desk, "C1:1.1", "9.9")]
    assert [one["token"] for one in slack.called("file")] == ["Bearer xoxb-1"] * 4


def test_agents_files_are_put_into_the_thread_once(
    office: Office,
    speaking: SlackDesk,
    slack: SlackServer,  # noqa: F811
) -> None:
    ticket_id = ticket_of(office, speaking)
    news = News("rt", "triage:0123456789ab", "Bea", "Do it so.\n[attached: ä.txt]")
    sent = outgoing(ticket_id, event=Event.RELAYED)
    relay(speaking, sent, news, [File("ä.txt", "text/plain", b"Step 1")])
    relay(speaking, replace(sent, is_repeat=True), news, [File("ä.txt", "text/plain", b"Step 1")])
    words, upload = slack.messages
    assert words["thread_ts"] == upload["thread_ts"] == "1.1" and upload["files"] == [{"id": "F1", "name": "ä.txt"}]
    assert slack.held == {"F1": b"Step 1"}
    # Another file of that name, of a later message, is another file.
    relay(speaking, replace(sent, is_repeat=True), replace(news, marker="triage:9"), [File("ä.txt", "", b"Step 9")])
    assert slack.held == {"F1": b"Step 9"}
    slack.errors["files.getUploadURLExternal"] = "missing_scope"
    relay(speaking, sent, replace(news, marker="triage:1"), [File("b.txt", "text/plain", b"Step 2")])
    slack.errors["files.getUploadURLExternal"] = "internal_error"
    with pytest.raises(DeliveryFailed, match="internal_error"):
        relay(speaking, sent, replace(news, marker="triage:2"), [File("b.txt", "text/plain", b"Step 2")])
