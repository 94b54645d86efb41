from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kb import Citation
from tests.mailserver import Postbox, accepts, post_office
from tests.processes import free_port
from triage.channels.common.values import DeliveryFailed, Event, GivenAnswer, Outgoing
from triage.channels.mail.composing import Letter, as_html, compose, reply_subject, shortened
from triage.channels.mail.memory import PassingMemory
from triage.channels.mail.replying import Replier
from triage.channels.mail.servers import Smtp
from triage.channels.mail.table import MailTable
from triage.channels.mail.threads import Thread, Threads, token_of
from triage.errors import Misconfigured
from triage.tickets.model import Decision, Outcome

REMOTE = "<m1@customer.example>"
THREAD = Thread(
    REMOTE, "k1", REMOTE, ("<m0@customer.example>",), "Re: VPN drops ☃", "ana@customer.example", "ana@customer.example"
)
CITATION = Citation(
    "vpn", "VPN & you", "https://kb.desk.example/vpn?a=1&b=2", ("Reset",), 0, 9, "Re-install the profile.", "d"
)
ANSWER = GivenAnswer("Re-install the <profile>.", (CITATION,), 0.98, "It passed the gate.", None, "s1")
OUTGOING = Outgoing(
    delivery_id="0193aaaabbbbccccdddd",
    event=Event.RESULT,
    ticket_id="t1",
    source="channel:mail",
    remote_id=REMOTE,
    subject="VPN drops",
    requester="ana@customer.example",
    language="en",
    run=1,
    decisions=(Decision("queue", Outcome.APPLY, "network", 0.97, "A rule."),),
    answer=ANSWER,
    similar=(),
    macros=(),
    duplicate_of=None,
    created_at=datetime.now(UTC),
    received_at=datetime.now(UTC),
)


class Desk:
    """A replier, what it has sent, and which steps it has written down."""

    def __init__(
        self, postbox: Postbox, *, mode: str = "apply", smtp: dict[str, object] | None = None, **table: object
    ) -> None:
        server = {"host": "127.0.0.1", "port": postbox.port, "security": "none", "timeout_s": 3, **(smtp or {})}
        imap = {"host": "127.0.0.1", "user": "help", "password": "env:X"}
        values = {"kind": "mail", "address": "help@desk.example", "name": "Help, desk", "imap": imap, "smtp": server}
        self.table = MailTable.model_validate({**values, "policy": {"mode": mode}, **table})
        assert self.table.smtp
        self.postbox = postbox
        self.memory = PassingMemory()
        self.threads = Threads(self.memory, "desk.example")
        self.threads.begin(THREAD)
        self.environment = {"SMTP": "smtp-password"}
        self.replier = Replier(self.table, Smtp(self.table.smtp, self.environment, self.table.address), self.memory)
        self.done: dict[str, str] = {}

    def send(self, **values: object) -> str:
        outgoing = replace(OUTGOING, done=dict(self.done), **values)  # type: ignore[arg-type]
        return self.replier.send(outgoing, lambda step, reference="": self.done.update({step: reference}))


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with post_office(auth_require_tls=False) as box:
        yield box


def test_a_reply_has_the_headers_of_its_thread(postbox: Postbox) -> None:
    assert Desk(postbox).send() == "A reply was sent."
    (mail,), (envelope,) = postbox.mails, postbox.envelopes
    token = token_of(REMOTE)
    assert envelope.mail_from == "help@desk.example" and envelope.rcpt_tos == ["ana@customer.example"]
    assert mail["Subject"] == f"Re: VPN drops ☃ [#{token}]"
    assert mail["From"] == '"Help, desk" <help@desk.example>' and mail["To"] == "ana@customer.example"
    assert mail["In-Reply-To"] == REMOTE and mail["References"] == f"<m0@customer.example> {REMOTE}"
    assert mail["Auto-Submitted"] == "auto-replied" and mail["X-Auto-Response-Suppress"] == "All"
    assert mail["Message-ID"] == f"<triage.{OUTGOING.delivery_id}.{token}.reply@desk.example>" and mail["Date"]


def test_a_reply_says_the_same_as_text_and_as_html_with_links(postbox: Postbox) -> None:
    Desk(postbox).send()
    mail = postbox.mails[0]
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain and rich
    assert "Re-install the <profile>." in plain.get_content() and OUTGOING.marker in plain.get_content()
    html = rich.get_content()
    assert "Re-install the &lt;profile&gt;." in html
    assert '<a href="https://kb.desk.example/vpn?a=1&amp;b=2">VPN &amp; you › Reset</a>' in html


@pytest.mark.parametrize("mode", ["suggest", "dry-run"])
def test_nothing_goes_to_the_requester_unless_the_desk_applies(postbox: Postbox, mode: str) -> None:
    desk = Desk(postbox, mode=mode, notes_to="agents@desk.example", receipt=True)
    assert desk.send() == "A note went to the desk."
    assert [one.rcpt_tos for one in postbox.envelopes] == [["agents@desk.example"]]
    assert postbox.mails[0]["Auto-Submitted"] == "auto-generated"


def test_without_an_answer_nothing_is_sent_unless_receipts_are_wanted(postbox: Postbox) -> None:
    abstained = replace(ANSWER, reason="too-uncertain")
    assert Desk(postbox).send(answer=abstained) == "There was nothing to send."
    assert postbox.envelopes == []
    assert Desk(postbox, receipt=True).send(answer=abstained, language="de") == "A receipt was sent."
    body = postbox.mails[0].get_body(("plain",))
    assert body and f"[#{token_of(REMOTE)}]" in body.get_content() and "Zuständig: network." in body.get_content()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"human_touched": True}, "works on the ticket"),
        ({"is_open": False}, "the ticket is solved"),
        ({"received_at": datetime.now(UTC) - timedelta(days=3)}, "older than"),
    ],
)
def test_the_bot_keeps_out_of_what_is_not_its_own(postbox: Postbox, values: dict[str, object], says: str) -> None:
    assert says in Desk(postbox, notes_to="agents@desk.example").send(**values)
    assert postbox.envelopes == []


def test_a_machine_gets_nothing_and_the_delivery_says_why(postbox: Postbox) -> None:
    desk = Desk(postbox, receipt=True)
    desk.threads.begin(replace(THREAD, remote_id="<alarm@x>", silent="a machine wrote it (Auto-Submitted)"))
    assert desk.send(remote_id="<alarm@x>") == "No mail was sent: a machine wrote it (Auto-Submitted)."
    assert postbox.envelopes == []


def test_one_address_gets_only_so_many_mails_a_day(postbox: Postbox) -> None:
    desk = Desk(postbox, most_replies_a_day=2)
    said = []
    for number in range(4):
        desk.threads.begin(replace(THREAD, remote_id=f"<m{number}@x>"))
        desk.done.clear()
        said.append(desk.send(remote_id=f"<m{number}@x>", delivery_id=f"d{number}"))
    assert len(postbox.envelopes) == 2 and "within a day" in said[2] and said[2] == said[3]


def test_what_is_refused_for_now_may_be_tried_again_and_has_the_same_message_id(postbox: Postbox) -> None:
    desk = Desk(postbox)
    postbox.answers = ["451 4.7.1 Greylisted, try again"]
    with pytest.raises(DeliveryFailed, match=r"451 4.7.1 Greylisted") as failed:
        desk.send()
    assert failed.value.retryable_later and not failed.value.faulty
    postbox.loses_next_answer = True
    with pytest.raises(DeliveryFailed) as failed:
        desk.send(is_repeat=True)
    assert failed.value.retryable_later and failed.value.faulty and desk.done == {}
    desk.send(is_repeat=True)
    assert len(postbox.mails) == 2 and len({mail["Message-ID"] for mail in postbox.mails}) == 1
    desk.send(is_repeat=True)
    assert len(postbox.mails) == 2, "what is done is not done again"


def test_what_is_refused_for_good_is_told_to_the_desk(postbox: Postbox) -> None:
    desk = Desk(postbox, notes_to="agents@desk.example")
    postbox.answers = ["550 5.1.1 No such user"]
    with pytest.raises(DeliveryFailed, match=r"refused the recipient: 550 5.1.1 No such user") as failed:
        desk.send()
    assert not failed.value.retryable_later
    assert [one.rcpt_tos for one in postbox.envelopes] == [["agents@desk.example"]]
    note = postbox.mails[0].get_body(("plain",))
    assert note and "I replied" not in note.get_content()


def test_a_server_that_is_away_or_wants_another_password_counts_as_unwell() -> None:
    with pytest.raises(DeliveryFailed, match="cannot be reached") as failed:
        Desk(Postbox(free_port())).send()
    assert failed.value.faulty and failed.value.retryable_later
    options = {"authenticator": accepts(b"help", b"another"), "auth_require_tls": False}
    with post_office(**options) as postbox:
        desk = Desk(postbox, smtp={"user": "help", "password": "env:SMTP"})
        with pytest.raises(DeliveryFailed, match="refused the login: 535") as failed:
            desk.send()
    assert failed.value.faulty and failed.value.retryable_later


def test_a_server_without_tls_gets_no_mail_where_tls_is_wanted(postbox: Postbox) -> None:
    with pytest.raises(DeliveryFailed, match="cannot do what the table asks for"):
        Desk(postbox, smtp={"security": "starttls"}).send()
    assert postbox.envelopes == []


def test_an_access_token_opens_the_server_too(postbox: Postbox) -> None:
    for token, works in (("t0ken", True), ("old", False)):
        postbox.token = "t0ken"
        desk = Desk(postbox, smtp={"user": "help@desk.example", "token": "env:SMTP"})
        desk.environment["SMTP"] = token
        if works:
            assert desk.send() == "A reply was sent."
        else:
            with pytest.raises(DeliveryFailed, match="refused the login: 535"):
                desk.send()


def test_a_domain_of_letters_beyond_ascii_is_written_as_the_dns_knows_it(postbox: Postbox) -> None:
    desk = Desk(postbox)
    desk.threads.begin(replace(THREAD, remote_id="<i@x>", answer_to="ana@bücher.example"))
    desk.send(remote_id="<i@x>")
    assert postbox.envelopes[0].rcpt_tos == ["ana@xn--bcher-kva.example"]
    assert postbox.mails[0]["To"] == "ana@xn--bcher-kva.example"


def test_a_password_that_cannot_be_sent_is_said_in_words() -> None:
    with post_office(authenticator=accepts(b"help", b"x"), auth_require_tls=False) as postbox:
        desk = Desk(postbox, smtp={"user": "help", "password": "env:SMTP"})
        desk.environment["SMTP"] = "pässwörd"
        with pytest.raises(DeliveryFailed, match="beyond ASCII"):
            desk.send()


def test_a_second_run_sends_no_second_receipt(postbox: Postbox) -> None:
    desk = Desk(postbox, receipt=True)
    assert desk.send(answer=None) == "A receipt was sent."
    desk.done.clear()
    assert desk.send(answer=None, delivery_id="d2") == "There was nothing to send."


def test_a_thread_that_is_not_known_gets_no_reply(postbox: Postbox) -> None:
    with pytest.raises(DeliveryFailed, match="not known any more") as failed:
        Desk(postbox).send(remote_id="<unknown@x>")
    assert not failed.value.retryable_later


def test_nothing_in_a_subject_or_name_becomes_a_header() -> None:
    subject = reply_subject("Hi\r\nBcc: all@x.example\r\n\r\nBody\x85\u2028", "abc", "Your message")
    letter = Letter("<i@x>", "help@desk.example", "A\nBcc: b@x.example", "ana@customer.example", subject, "x")
    raw = compose(letter)
    head = raw.partition(b"\r\n\r\n")[0]
    assert b"\nBcc" not in head and all(len(line) <= 998 for line in raw.split(b"\r\n"))


def test_long_references_keep_their_ends_and_are_never_encoded() -> None:
    references = [f"<{number:03}.{'x' * 90}@customer.example>" for number in range(60)]
    kept = shortened(references)
    assert kept[0] == references[0] and kept[-1] == references[-1] and len(" ".join(kept)) <= 900
    letter = Letter("<i@x>", "help@desk.example", "", "ana@customer.example", "Re: x", "x", tuple(references))
    assert b"=?" not in compose(letter)


@pytest.mark.parametrize("subject", ["Re: AW: Re[2]: VPN [#aaaaaaaaaaaa]", "VPN", "RE: VPN", "Antw: Fwd: VPN"])
def test_a_subject_has_one_re_and_one_token(subject: str) -> None:
    assert reply_subject(subject, "bbbbbbbbbbbb", "Your message") == "Re: VPN [#bbbbbbbbbbbb]"


def test_only_web_addresses_become_links() -> None:
    html = as_html('see <javascript:alert(1)> and <https://a.example/"onclick=x>\n\n- <b> <https://b.example>')
    assert html.count("<a ") == 1 and "<b>" not in html.replace("<body>", "")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"address": "help@desk.example\nBcc: x@y.example"}, "no mail address"),
        ({"notes_to": "HELP@desk.example"}, "come back as mail"),
        ({"imap": {"host": "x", "user": "help", "password": "hunter2"}}, "not the secret itself"),
        ({"imap": {"host": "x", "user": "help"}}, "password or token is missing"),
        ({"smtp": None, "receipt": True}, "smtp is missing"),
    ],
)
def test_a_wrong_table_is_refused_in_words(table: dict[str, object], says: str) -> None:
    from triage.channels.registry import build

    imap = {"host": "127.0.0.1", "user": "help", "password": "env:X"}
    smtp = {"host": "127.0.0.1"}
    values = {"kind": "mail", "address": "help@desk.example", "imap": imap, "smtp": smtp, **table}
    with pytest.raises(Misconfigured, match=says):
        build("mail", {key: value for key, value in values.items() if value is not None}, {"X": "x"})
