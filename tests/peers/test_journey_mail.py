"""A mail is routed and answered by mail; its sender, a machine and an agent write back; the worker is killed once."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.mailserver import Postbox, post_office
from tests.peers.dovecot import PASSWORD, Dovecot, dovecot
from tests.peers.homes import new_home
from tests.processes import environment, free_port, is_ready, run, running, until

ADDRESS = "help@desk.example"
CHANNEL = """
[channels.post]
kind = "mail"
address = "help@desk.example"
name = "The help desk"
agents = ["*@desk.example"]
notes_to = "agents@desk.example"
policy = {{ mode = "apply" }}
[channels.post.imap]
host = "127.0.0.1"
port = {imap}
security = "none"
user = "help@desk.example"
password = "env:IMAP_PASSWORD"
[channels.post.smtp]
host = "127.0.0.1"
port = {smtp}
security = "none"
"""
QUESTION = "How do I connect to the VPN with FennGate from home?"
# Any: what REST answers is plain JSON.
Json = dict[str, Any]


def mail(number: int, subject: str, text: str, *, headers: str = "", sender: str = "dora@fennvale.example") -> bytes:
    head = f"From: {sender}\nTo: {ADDRESS}\nMessage-ID: <j{number}@fennvale.example>\nSubject: {subject}\n"
    return f"{head}Date: Mon, 23 Nov 2026 10:00:0{number} +0000\n{headers}\n{text}\n".encode()


@dataclass
class Desk:
    """triage as processes, the mailbox that it reads, and what it has sent."""

    peer: Dovecot
    postbox: Postbox
    url: str
    env: dict[str, str]
    log: Path

    def tickets(self) -> list[Json]:
        return list(httpx.get(f"{self.url}/v1/tickets", timeout=20).json()["tickets"])

    def ticket(self, number: int) -> Json:
        return next(one for one in self.tickets() if one["delivery_id"] == f"<j{number}@fennvale.example>")

    def is_done(self, *numbers: int) -> Callable[[], bool]:
        wanted = {f"<j{number}@fennvale.example>" for number in numbers}
        return lambda: wanted <= {one["delivery_id"] for one in self.tickets() if delivered(one)}

    def sent_to(self, address: str) -> list[Any]:
        return [one for one in self.postbox.mails if one["To"] == address]


def delivered(ticket: Json) -> bool:
    deliveries = ticket["runs"][-1]["deliveries"] if ticket["runs"] else []
    return bool(deliveries) and all(one["state"] == "delivered" for one in deliveries)


@pytest.fixture
def desk(sample_home: Path, encoder_folder: Path, tmp_path: Path) -> Iterator[Desk]:
    home = new_home(sample_home, tmp_path)
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="triage-mail-") as folder,
        dovecot(Path(folder) / "dovecot") as peer,
        post_office() as postbox,
    ):
        (home / "channels.toml").write_text(CHANNEL.format(imap=peer.port, smtp=postbox.port))
        env = environment(home, encoder_folder, port=str(port), poll_interval_s="0.05", duplicate_days="0")
        env |= {"IMAP_PASSWORD": PASSWORD}
        yield Desk(peer, postbox, f"http://127.0.0.1:{port}", env, tmp_path / "log")


def test_from_a_mail_to_an_answer_and_on(desk: Desk) -> None:
    with running(desk.env, "serve", log=desk.log):
        until(lambda: is_ready(desk.url), what="the server")
        checked = run(desk.env, "channels", "check", "post")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        until(desk.peer.connected, what="the listener")
        desk.peer.deliver(mail(1, "FennGate from home", QUESTION))
        until(desk.is_done(1), what="the answer")
        (answer,) = desk.sent_to("dora@fennvale.example")
        assert answer["In-Reply-To"] == "<j1@fennvale.example>" and answer["Auto-Submitted"] == "auto-replied"
        assert answer["Subject"].startswith("Re: FennGate from home [#")
        quoted = answer.get_body(("plain",)).get_content()
        assert desk.ticket(1)["runs"][0]["answer"]["citations"][0]["text"].split("\n")[0] in quoted
        assert len(desk.sent_to("agents@desk.example")) == 1

        alarm = mail(
            2, "FennGate", QUESTION, headers="Auto-Submitted: auto-generated\n", sender="cron@fennvale.example"
        )
        desk.peer.deliver(alarm)
        until(desk.is_done(2), what="the alarm")
        assert desk.sent_to("cron@fennvale.example") == [], "a machine gets no answer"
        away = f"Auto-Submitted: auto-replied\nIn-Reply-To: {answer['Message-ID']}\n"
        desk.peer.deliver(mail(3, "Away", "I am away.", headers=away))
        desk.peer.deliver(mail(4, answer["Subject"], "It helped.", headers=f"In-Reply-To: {answer['Message-ID']}\n"))
        thread = "In-Reply-To: <j1@fennvale.example>\n"
        desk.peer.deliver(mail(5, "Re: FennGate", "Good.", headers=thread, sender="bea@desk.example"))
        desk.peer.deliver(mail(6, "FennGate at work", QUESTION, sender="carl@fennvale.example"))
        until(desk.is_done(6), what="the last mail")
        assert {one["delivery_id"][1:3] for one in desk.tickets()} == {"j1", "j2", "j6"}
        assert len(desk.sent_to("dora@fennvale.example")) == 1


def test_a_killed_worker_leaves_no_mail_lying_and_answers_none_twice(desk: Desk) -> None:
    with running(desk.env, "serve", "--no-worker", log=desk.log):
        until(lambda: is_ready(desk.url), what="the server")
        with running(desk.env, "worker", log=desk.log) as worker:
            until(desk.peer.connected, what="the listener")
            desk.peer.deliver(mail(1, "FennGate from home", QUESTION))
            until(lambda: bool(desk.tickets()), what="the first mail")
            worker.send_signal(signal.SIGKILL)
            worker.wait(10)
        for number in (2, 3):
            desk.peer.deliver(mail(number, f"FennGate {number}", QUESTION, sender=f"p{number}@fennvale.example"))
        with running(desk.env, "worker", log=desk.log):
            until(desk.is_done(1, 2, 3), what="all answers", timeout_s=120)
    ids = [one["Message-ID"] for one in desk.postbox.mails if one["To"] != "agents@desk.example"]
    assert len(ids) == len(set(ids)) == 3
