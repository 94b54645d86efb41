"""Mail through a real Dovecot and a real SMTP server: in as it comes, cut off, renumbered; and out to people only."""

from __future__ import annotations

import json
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from kb import KnowledgeBase
from tests.doubles import NoJobs
from tests.mailserver import Postbox, accepts, post_office
from tests.peers.dovecot import PASSWORD, Dovecot, dovecot
from tests.processes import free_port, until
from tests.receiver import receiving
from tests.unit.kb.doubles import WordEncoder
from triage.channels import inbox
from triage.channels.common.system import Channel, Services
from triage.channels.common.values import DeliveryFailed, Received
from triage.channels.registry import build
from triage.db.tables import ReceivedRow, RemoteMessageRow, TicketRow
from triage.desk import Desk

ADDRESS = "help@desk.example"


def mail(number: int, *, headers: str = "", text: str = "The VPN drops.") -> bytes:
    head = f"From: ana@customer.example\nTo: {ADDRESS}\nMessage-ID: <m{number}@customer.example>\n"
    return f"{head}Subject: VPN {number}\nDate: Mon, 23 Nov 2026 10:00:00 +0000\n{headers}\n{text}\n".encode()


@dataclass
class Post:
    """A channel on the mailbox, with the desk's database; ``listening`` holds the connection as a worker does."""

    peer: Dovecot
    postbox: Postbox
    sessions: sessionmaker[Session]
    desk: Desk
    imap: dict[str, object] = field(default_factory=dict)
    table: dict[str, object] = field(default_factory=dict)
    jobs: NoJobs = field(default_factory=NoJobs)
    taken: list[Received] = field(default_factory=list)
    before_take: Callable[[], None] = lambda: None

    def open(self) -> Channel:
        imap = {"host": "127.0.0.1", "port": self.peer.port, "security": "none", "user": ADDRESS, "every_s": 20}
        smtp = {"host": "127.0.0.1", "port": self.postbox.port, "security": "none"}
        values = {"kind": "mail", "address": ADDRESS, "agents": ["*@desk.example"], "smtp": smtp, **self.table}
        values["imap"] = imap | {"password": "env:IMAP"} | self.imap
        services = Services(self.sessions, self.jobs, self.desk, self.take)
        return build("mail", values, {"IMAP": PASSWORD}, services)

    def take(self, channel: str, received: Received, *, delay_s: float = 0) -> bool:
        self.before_take()
        self.taken.append(received)
        return inbox.take(self.sessions, self.jobs, channel, received, delay_s=delay_s)

    @contextmanager
    def listening(self) -> Iterator[None]:
        stop, failures = threading.Event(), []
        channel = self.open()
        assert channel.listen

        def listen() -> None:
            while not stop.is_set():
                try:
                    channel.listen(stop)  # type: ignore[misc]
                except DeliveryFailed as error:
                    failures.append(error)
                    stop.wait(0.1)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            until(lambda: self.begun() or bool(failures), what="the listener", timeout_s=20)
            yield
        finally:
            stop.set()
            thread.join(30)
        assert not thread.is_alive(), "a listener must end when it is told to"

    def begun(self) -> bool:
        from triage.channels.common.memory import recall_all

        with self.sessions() as session:
            return bool(recall_all(session, "mail", "folder:"))

    def work(self) -> None:
        channel = self.open()
        while received := [job for job in self.jobs.queued if job[0] == "received"]:
            for job in received:
                self.jobs.queued.remove(job)
                inbox.work_on(self.sessions, self.jobs, channel, job[1], job[2])

    def count(self, table: type[ReceivedRow] | type[TicketRow] | type[RemoteMessageRow]) -> int:
        with self.sessions() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def has(self, number: int) -> Callable[[], bool]:
        return lambda: self.count(ReceivedRow) >= number

    def subjects(self) -> list[str]:
        self.work()
        with self.sessions() as session:
            return sorted(session.scalars(select(TicketRow.subject)))


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    # Not in pytest's own folder: every pytest that starts closes that to other users, as whom its processes run.
    with tempfile.TemporaryDirectory(prefix="triage-mail-") as folder, dovecot(Path(folder) / "dovecot") as peer:
        yield peer


@pytest.fixture
def post(server: Dovecot, sessions: sessionmaker[Session], tmp_path: Path) -> Iterator[Post]:
    with server.mailbox() as box:
        box.delete(box.uids())
    encoder = WordEncoder()
    desk = Desk(encoder, KnowledgeBase.open(tmp_path / "kb", encoder), models=tmp_path, policy_file=tmp_path / "p")
    with post_office() as postbox:
        yield Post(server, postbox, sessions, desk)


def test_new_mail_is_taken_as_it_comes_and_what_lay_there_is_not(post: Post) -> None:
    post.peer.deliver(mail(0))
    with post.listening():
        time.sleep(0.5)
        began = time.monotonic()
        post.peer.deliver(mail(1))
        until(post.has(1), what="the mail")
        assert time.monotonic() - began < 5, "told by the server (IDLE), not found by looking"
        post.peer.deliver(mail(2, headers="In-Reply-To: <m1@customer.example>\n", text="Still."))
        until(post.has(2), what="the reply", timeout_s=18)
    assert [job[3] for job in post.jobs.queued] == [0, 15], "a reply waits for the ticket of its thread"
    assert post.subjects() == ["VPN 1"] and post.count(RemoteMessageRow) == 1
    with post.peer.mailbox() as box:
        assert len(box.uids("KEYWORD $Triage")) == 2 and len(box.uids("UNSEEN")) == 3, "nothing is marked as read"


def test_without_idle_the_folder_is_looked_at(post: Post) -> None:
    post.imap = {"idle": False, "every_s": 0.2}
    with post.listening():
        post.peer.deliver(mail(1))
        until(post.has(1), what="the mail")
    assert post.subjects() == ["VPN 1"]


def test_what_came_while_nobody_listened_is_taken_once(post: Post) -> None:
    with post.listening():
        post.peer.deliver(mail(1))
        until(post.has(1), what="the first mail", timeout_s=18)
    post.peer.deliver(mail(2))
    post.peer.deliver(mail(3))
    with post.listening():
        until(post.has(3), what="the others", timeout_s=18)
    assert len(post.taken) == 3 and post.subjects() == ["VPN 1", "VPN 2", "VPN 3"]


def test_a_connection_cut_in_the_middle_loses_and_doubles_nothing(post: Post) -> None:
    numbers = range(12)

    def cut_now_and_then() -> None:
        if len(post.taken) % 3 == 1:
            post.peer.cut()

    post.before_take = cut_now_and_then
    with post.listening():
        for number in numbers:
            post.peer.deliver(mail(number))
            if number % 4 == 0:
                post.peer.cut()
        until(post.has(len(numbers)), what="all mails", timeout_s=60)
    assert post.subjects() == sorted(f"VPN {number}" for number in numbers)
    assert post.count(ReceivedRow) == len(numbers)


def test_a_failure_between_taking_and_the_checkpoint_takes_nothing_twice(post: Post) -> None:
    with post.listening():
        pass
    post.peer.deliver(mail(1))
    interrupted = iter([True])

    def fail_after(channel: str, received: Received, *, delay_s: float = 0) -> bool:
        is_new = Post.take(post, channel, received, delay_s=delay_s)
        if next(interrupted, False):
            raise DeliveryFailed("The worker was killed here.")
        return is_new

    post.take = fail_after  # type: ignore[method-assign]
    with post.listening():
        until(lambda: len(post.taken) == 2, what="the second try", timeout_s=18)
    assert post.count(ReceivedRow) == 1 and post.subjects() == ["VPN 1"]


@pytest.mark.parametrize("flag", ["$Triage", None])
def test_a_renumbered_folder_is_gone_through_again_without_doubles(post: Post, flag: str | None) -> None:
    post.imap = {"flag": flag}
    post.peer.deliver(mail(0), at=datetime.now(UTC) - timedelta(hours=1))
    with post.listening():
        post.peer.deliver(mail(1))
        until(post.has(1), what="the first mail", timeout_s=18)
    post.peer.deliver(mail(2))
    post.peer.renumber()
    with post.listening():
        until(post.has(2), what="the mail that came meanwhile", timeout_s=18)
        post.peer.deliver(mail(3))
        until(post.has(3), what="the next", timeout_s=18)
    assert post.subjects() == ["VPN 1", "VPN 2", "VPN 3"], "what lay there before we began stays untouched"


def test_begin_with_what_is_unread(post: Post) -> None:
    post.imap = {"begin": "unread"}
    with post.peer.mailbox() as box:
        box.append(mail(1), "INBOX", flag_set=["\\Seen"])
        box.append(mail(2), "INBOX")
    with post.listening():
        until(post.has(1), what="the unread mail", timeout_s=18)
    assert post.subjects() == ["VPN 2"]


def test_taken_mails_go_to_another_folder_and_a_missing_one_stops_nothing(post: Post) -> None:
    with post.peer.mailbox() as box:
        if not box.folder.exists("Taken"):
            box.folder.create("Taken")
    post.imap = {"move_to": "Taken"}
    with post.listening():
        post.peer.deliver(mail(1))
        until(post.has(1), what="the mail")
    with post.peer.mailbox(folder="Taken") as box:
        assert len(box.uids()) == 1
        box.delete(box.uids())
    post.imap = {"move_to": "Nowhere"}
    with post.listening():
        post.peer.deliver(mail(2))
        post.peer.deliver(mail(3))
        until(post.has(3), what="both mails")
    assert post.subjects() == ["VPN 1", "VPN 2", "VPN 3"]
    assert any("Nowhere does not exist" in one.says for one in post.open().check())  # type: ignore[misc]


def test_a_mail_longer_than_the_limit_is_taken_with_its_beginning(post: Post) -> None:
    post.table = {"most_mb": 0.1}
    with post.listening():
        post.peer.deliver(mail(1, text="It says:\n" + "a line of a log\n" * 200_000))
        until(post.has(1), what="the mail", timeout_s=20)
    post.work()
    with post.sessions() as session:
        body = session.scalars(select(TicketRow.body)).one()
    assert body.startswith("It says:") and body.endswith("is cut here.)") and len(body) < 110_000


def test_a_mail_that_the_server_cannot_read_does_not_stop_the_others(post: Post) -> None:
    with post.listening():
        pass
    post.peer.deliver(mail(1))
    post.peer.cut()
    for path in (post.peer.folder / "mail" / ADDRESS).glob("[cn][ue][rw]/*"):
        path.chmod(0)
    post.peer.deliver(mail(2))
    with post.listening():
        until(post.has(2), what="the mail behind it", timeout_s=30)
    assert post.subjects() == ["VPN 2"]
    assert [one.event for one in post.taken] == ["unreadable", "new"]
    for path in (post.peer.folder / "mail" / ADDRESS).glob("[cn][ue][rw]/*"):
        path.chmod(0o600)


def test_the_check_says_what_works_and_what_is_missing(post: Post) -> None:
    findings = list(post.open().check())  # type: ignore[misc]
    assert all(one.ok for one in findings), findings
    assert {"IMAP", "folder", "new mail", "SMTP", "sender"} == {one.what for one in findings}
    post.imap = {"folder": "Support"}
    assert any(not one.ok and "does not open the folder" in one.says for one in post.open().check())  # type: ignore[misc]
    post.imap = {"port": free_port()}
    assert any(not one.ok and "cannot be reached" in one.says for one in post.open().check())  # type: ignore[misc]
    post.imap, post.postbox.answers = {}, ["554 5.7.1 Relay denied"]
    assert any(not one.ok and "554 5.7.1 Relay denied" in one.says for one in post.open().check())  # type: ignore[misc]


def test_a_wrong_password_is_said_in_words(post: Post) -> None:
    services = Services(post.sessions, post.jobs, post.desk, post.take)
    imap = {"host": "127.0.0.1", "port": post.peer.port, "security": "none", "user": ADDRESS, "password": "env:IMAP"}
    channel = build("mail", {"kind": "mail", "address": ADDRESS, "imap": imap}, {"IMAP": "wrong"}, services)
    assert [one.says for one in channel.check()][-1].endswith("refused the login: check user and password.")  # type: ignore[misc]
    with pytest.raises(DeliveryFailed, match="refused the login"):
        channel.listen(threading.Event())  # type: ignore[misc]


def test_a_mail_to_itself_goes_round(post: Post) -> None:
    post.table = {"round_trip": True}
    stop = threading.Event()

    def carry() -> None:
        while not stop.wait(0.2):
            while post.postbox.envelopes:
                post.peer.deliver(bytes(post.postbox.envelopes.pop().content or b""))  # type: ignore[arg-type]

    carrier = threading.Thread(target=carry)
    carrier.start()
    try:
        with post.listening():
            (trip,) = [one for one in post.open().check() if one.what == "round trip"]  # type: ignore[misc]
            assert trip.ok and "came after" in trip.says
            until(post.has(1), what="our own mail", timeout_s=18)
    finally:
        stop.set()
        carrier.join(10)
    assert post.subjects() == [], "our own mail is no ticket"


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_tls_both_ways_and_a_certificate_that_nobody_vouches_for(security: str, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    login = {"authenticator": accepts(b"help", b"smtp-password")}
    options = {"ssl_context": context, "auth_require_tls": False} if security == "tls" else {"tls_context": context}
    with (
        tempfile.TemporaryDirectory(prefix="triage-mail-") as folder,
        dovecot(Path(folder) / "dovecot", tls=(certificate, key)) as peer,
        post_office(**login, **options) as postbox,
    ):
        both = {"host": "127.0.0.1", "security": security}
        imap_port = peer.tls_port if security == "tls" else peer.port
        imap = {**both, "port": imap_port, "user": ADDRESS, "password": "env:I"}
        smtp = {**both, "port": postbox.port, "user": "help", "password": "env:S"}
        trust = {"ca_file": str(certificate)}
        environment = {"I": PASSWORD, "S": "smtp-password"}
        table = {"kind": "mail", "address": ADDRESS}
        channel = build("mail", {**table, "imap": imap | trust, "smtp": smtp | trust}, environment)
        findings = list(channel.check())  # type: ignore[misc]
        assert all(one.ok for one in findings), findings
        for wrong in ({"imap": imap, "smtp": smtp | trust}, {"imap": imap | trust, "smtp": smtp}):
            findings = list(build("mail", {**table, **wrong}, environment).check())  # type: ignore[misc]
            assert any("certificate that is not trusted" in one.says for one in findings if not one.ok), findings


def test_an_access_token_opens_the_mailbox_and_an_expired_one_is_said_in_words(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    active = json.dumps({"active": True, "username": ADDRESS}).encode()
    expired = json.dumps({"active": False}).encode()
    with (
        receiving() as provider,
        tempfile.TemporaryDirectory(prefix="triage-mail-") as folder,
        dovecot(Path(folder) / "dovecot", introspection=f"{provider.url}/introspect") as peer,
    ):
        kind = {"Content-Type": "application/json"}
        provider.answers = [(200, kind, active), (200, kind, expired)]
        secret.write_text("t0ken")
        imap = {"host": "127.0.0.1", "port": peer.port, "security": "none", "user": ADDRESS, "token": f"file:{secret}"}
        channel = build("mail", {"kind": "mail", "address": ADDRESS, "imap": imap}, {})
        assert all(one.ok for one in channel.check())  # type: ignore[misc]
        secret.write_text("old")
        (finding,) = channel.check()  # type: ignore[misc]
        assert not finding.ok and "refused the login: check user and token" in finding.says
    assert b"t0ken" in provider.requests[0].body and b"old" in provider.requests[1].body
