from __future__ import annotations

from pathlib import Path

import pytest

from triage.channels.common.values import Opened, Received, Said
from triage.channels.mail.arriving import Reader
from triage.channels.mail.guards import nature_of
from triage.channels.mail.memory import PassingMemory
from triage.channels.mail.reading import read_mail
from triage.channels.mail.table import MailTable
from triage.channels.mail.threads import Threads, own_message_id, token_of

FIXTURES = Path(__file__).parents[3] / "fixtures" / "mail"
TABLE = {
    "kind": "mail",
    "address": "help@desk.example",
    "agents": ["*@desk.example"],
    "imap": {"host": "mail.desk.example", "user": "help", "password": "env:IMAP"},
}


class Desk:
    def __init__(self, **table: object) -> None:
        self.memory = PassingMemory()
        self.reader = Reader(MailTable.model_validate({**TABLE, **table}), self.memory)
        self.threads = Threads(self.memory, "desk.example")

    def take(self, name: str, **replaced: str) -> Received:
        raw = (FIXTURES / f"{name}.eml").read_bytes().decode("latin-1")
        for old, new in replaced.items():
            raw = raw.replace(old, new)
        return self.take_raw(raw.encode("latin-1"))

    def take_raw(self, raw: bytes) -> Received:
        return self.reader.receive(read_mail(raw))


def opened(received: Received) -> Opened:
    (one,) = received.happenings
    assert isinstance(one, Opened)
    return one


def said(received: Received) -> Said:
    (one,) = received.happenings
    assert isinstance(one, Said)
    return one


def test_a_mail_opens_a_ticket_named_by_its_message_id() -> None:
    ticket = opened(Desk().take("plain"))
    assert ticket.remote_id == "<m1@customer.example>"
    assert (ticket.subject, ticket.requester) == ("VPN drops", "ana@customer.example")
    assert ticket.features == {"mail_to": "help@desk.example", "mail_from_domain": "customer.example"}


def test_a_reply_is_a_message_without_what_it_quotes() -> None:
    desk = Desk()
    desk.take("plain")
    reply = said(desk.take("reply"))
    assert reply.remote_id == "<m1@customer.example>"
    assert (reply.message.text, reply.message.by_agent) == ("Still broken.", False)
    assert reply.otherwise and reply.otherwise.remote_id not in (reply.remote_id, ""), "should that ticket never come"
    assert desk.threads.of_ticket(reply.otherwise.remote_id)


def test_an_agents_reply_says_that_a_person_works_on_it() -> None:
    desk = Desk()
    desk.take("plain")
    assert said(desk.take("agent-reply")).message.by_agent is True


def test_a_reply_to_a_reply_is_in_the_thread_too() -> None:
    desk = Desk()
    desk.take("plain")
    desk.take("agent-reply")
    raw = b"From: ana@customer.example\r\nMessage-ID: <m9@x>\r\nIn-Reply-To: <a1@desk.example>\r\n\r\nThanks."
    assert said(desk.take_raw(raw)).remote_id == "<m1@customer.example>"


@pytest.mark.parametrize(
    "header", ["In-Reply-To: {id}", "References: <x@y> {id} <z@y>", "Subject: AW: drops [#{token}]"]
)
def test_an_answer_to_our_own_mail_finds_its_thread(header: str) -> None:
    desk = Desk()
    desk.take("plain")
    token = token_of("<m1@customer.example>")
    line = header.format(id=own_message_id("d1", token, "reply", "desk.example"), token=token.upper())
    raw = f"From: ana@customer.example\r\nMessage-ID: <n@x>\r\n{line}\r\n\r\nThanks.".encode()
    assert said(desk.take_raw(raw)).remote_id == "<m1@customer.example>"


def test_the_reply_to_a_mail_that_nobody_here_knows_is_a_ticket() -> None:
    assert opened(Desk().take("reply")).remote_id == "<m2@customer.example>"


def test_the_same_mail_gives_the_same_key_and_ticket_again() -> None:
    desk = Desk()
    assert desk.take("plain") == desk.take("plain")
    desk.take("reply")
    assert desk.take("reply") == desk.take("reply")


def test_a_copy_through_a_mailing_list_is_no_ticket_of_its_own() -> None:
    desk = Desk()
    first = desk.take("plain")
    copy = desk.take("plain", **{"Subject: VPN": "Subject: [help] VPN"})
    assert said(copy).remote_id == "<m1@customer.example>" and copy.key != first.key


def test_somebody_elses_mail_under_a_known_message_id_is_not_lost() -> None:
    desk = Desk()
    desk.take("plain")
    other = opened(desk.take("plain", **{"ana@": "eve@", "every hour": "when it rains"}))
    assert other.remote_id != "<m1@customer.example>"


def test_mails_without_message_id_are_told_apart() -> None:
    desk = Desk()
    raw = b"From: cron@customer.example\r\nSubject: Disk full\r\nReceived: from a; %s\r\n\r\nFull."
    first, second = desk.take_raw(raw % b"Monday"), desk.take_raw(raw % b"Tuesday")
    assert opened(first).remote_id != opened(second).remote_id
    assert desk.take_raw(raw % b"Monday") == first


def test_a_bounce_is_told_to_its_thread_only() -> None:
    desk = Desk()
    assert desk.take("bounce").happenings == ()
    desk.take("plain")
    assert "does not exist" in said(desk.take("bounce")).message.text


def test_an_absence_note_is_neither_a_ticket_nor_a_message() -> None:
    desk = Desk()
    desk.take("plain")
    received = desk.take("out-of-office")
    assert received.happenings == () and "automatic reply" in received.note


def test_an_alarm_is_a_ticket_that_gets_no_reply_unless_alarms_are_ignored() -> None:
    desk = Desk()
    received = desk.take("alarm")
    thread = desk.threads.of_ticket(opened(received).remote_id)
    assert thread and "Auto-Submitted" in thread.silent and "no reply" in received.note
    ignored = Desk(automatic="ignore").take("alarm")
    assert ignored.happenings == () and "Auto-Submitted" in ignored.note


def test_the_desks_own_mailing_list_is_no_reason_to_keep_silent() -> None:
    for lists, silent in ((("help.desk.example",), False), ((), True)):
        desk = Desk(lists=lists)
        thread = desk.threads.of_ticket(opened(desk.take("list")).remote_id)
        assert thread and bool(thread.silent) is silent


def test_a_form_on_the_web_names_its_user_in_reply_to() -> None:
    desk = Desk()
    ticket = opened(desk.take("form"))
    thread = desk.threads.of_ticket(ticket.remote_id)
    assert ticket.requester == "dora@customer.example"
    assert thread and (thread.answer_to, thread.silent) == ("dora@customer.example", "")


def test_a_desk_that_stores_masked_texts_keeps_no_subject() -> None:
    memory = PassingMemory()
    Reader(MailTable.model_validate(TABLE), memory, keeps_subjects=False).receive(
        read_mail((FIXTURES / "plain.eml").read_bytes())
    )
    thread = Threads(memory, "desk.example").of_ticket("<m1@customer.example>")
    assert thread and thread.subject == "" and "VPN" not in repr(thread)


def test_our_own_mail_is_ignored() -> None:
    message_id = own_message_id("d1", token_of("x"), "reply", "desk.example")
    raw = f"From: help@desk.example\r\nMessage-ID: {message_id}\r\n\r\nHello".encode()
    assert Desk().take_raw(raw).event == "ours"


def test_a_mail_without_words_still_says_something() -> None:
    assert opened(Desk().take("empty")).body == "(This mail has no text.)"
    raw = b"From: a@b.example\r\nContent-Type: application/pdf; name=scan.pdf\r\n\r\n%PDF"
    assert opened(Desk().take_raw(raw)).body == "(No text, only: scan.pdf (1 kB))"


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-generated (cron)",
        "Auto-Submitted: AUTO-REPLIED; owner=x",
        "Precedence: bulk",
        "Precedence: auto_reply",
        "X-Auto-Response-Suppress: DR, AutoReply",
        "List-Id: <news.example>",
        "Return-Path: <>",
        "X-Autoreply: yes",
        "X-Failed-Recipients: a@b.example",
        "Reply-To: help@desk.example",
        "X-Spam-Flag: YES",
    ],
)
def test_machines_get_no_reply(header: str) -> None:
    mail = read_mail(f"From: ana@customer.example\r\n{header}\r\n\r\nx".encode())
    assert nature_of(mail, {"help@desk.example"}, (), in_thread=False)[1]


@pytest.mark.parametrize(
    "header", ["Auto-Submitted: no", "Precedence: first-class", "X-Priority: 1", "Return-Path: <a@b>"]
)
def test_people_may_get_one(header: str) -> None:
    mail = read_mail(f"From: ana@customer.example\r\n{header}\r\n\r\nx".encode())
    assert nature_of(mail, {"help@desk.example"}, (), in_thread=False) == ("person", "")


@pytest.mark.parametrize(
    "address",
    [
        "noreply@shop.example",
        "do-not-reply@shop.example",
        "MAILER-DAEMON@mx.example",
        "owner-list@x.example",
        "help@desk.example",
        "nobody",
        "a b@c.example",
        "a@b@c",
        "",
    ],
)
def test_addresses_that_nobody_reads_get_no_reply(address: str) -> None:
    mail = read_mail(f"From: {address}\r\n\r\nx".encode())
    assert nature_of(mail, {"help@desk.example"}, (), in_thread=False)[1]
