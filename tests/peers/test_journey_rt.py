"""A mail to Request Tracker is routed, commented and answered; an agent moves it, and that is learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.peers.homes import POLICY, new_home
from tests.peers.rt import SECRET, RequestTracker, request_tracker
from tests.processes import environment, free_port, is_ready, run, running, until

MAIL = """From: Dora Diaz <dora@fennvale.example>
To: rt@desk.test
Subject: FennGate from home
Message-ID: <{number}@fennvale.example>
Content-Type: text/plain; charset="utf-8"

How do I connect to the VPN with FennGate from home?
"""

CHANNEL = """
[channels.rt]
kind = "rt"
url = "{url}"
user = "triage"
password = "env:RT_PASSWORD"
hook_secrets = ["env:RT_SECRET"]
poll = {{ every_s = {poll_s} }}
policy = {{ mode = "apply" }}
[channels.rt.fields.queue]
to = "Queue"
values = {{ network = "Network", hardware = "Hardware" }}
"""
# Any: what REST answers is plain JSON.
Json = dict[str, Any]


@dataclass
class Desk:
    """triage as a process and the RT that it works in; ``serve`` may be ended and begun again."""

    rt: RequestTracker
    url: str
    env: dict[str, str]
    log: Path

    def tickets(self) -> list[Json]:
        return list(httpx.get(f"{self.url}/v1/tickets", timeout=20).json()["tickets"])

    def ticket(self, remote_id: str) -> Json:
        def found() -> list[Json]:
            return [one for one in self.tickets() if one["delivery_id"] == remote_id and delivered(one)]

        until(lambda: bool(found()), what=f"the delivery of RT's ticket {remote_id}", timeout_s=60)
        return found()[0]

    def mail(self, number: int) -> str:
        self.rt.mail(MAIL.format(number=number))
        newest = self.rt.bot.get("/tickets", params={"query": "id > 0", "orderby": "id", "order": "DESC"}).json()
        return str(newest["items"][0]["id"])

    def remote(self, number: str) -> Json:
        found = self.rt.bot.get(f"/ticket/{number}", params={"fields": "Queue", "fields[Queue]": "Name"})
        answer: Json = found.json()
        return answer

    def said(self, number: str, kind: str) -> int:
        items = self.rt.bot.get(f"/ticket/{number}/history", params={"fields": "Type,Creator"}).json()["items"]
        return sum(one["Type"] == kind and one["Creator"]["id"] == "triage" for one in items)


def delivered(ticket: Json) -> bool:
    return bool(ticket["runs"]) and all(one["state"] == "delivered" for one in ticket["runs"][-1]["deliveries"])


@pytest.fixture
def desk(sample_home: Path, encoder_folder: Path, tmp_path: Path) -> Iterator[Desk]:
    home = new_home(sample_home, tmp_path, POLICY)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with request_tracker(tmp_path / "rt", f"{url}/v1/webhooks/rt") as rt:
        (home / "channels.toml").write_text(CHANNEL.format(url=rt.url, poll_s=2))
        env = environment(home, encoder_folder, port=str(port), poll_interval_s="0.05", duplicate_days="0")
        yield Desk(rt, url, env | {"RT_PASSWORD": "bot-password", "RT_SECRET": SECRET}, tmp_path / "serve.log")


def test_from_a_mail_to_a_correction(desk: Desk) -> None:
    with running(desk.env, "serve", log=desk.log):
        until(lambda: is_ready(desk.url), what="the server")
        assert "none can be seen" in run(desk.env, "channels", "check", "rt").stdout
        number = desk.mail(1)
        ticket = desk.ticket(number)
        assert desk.remote(number)["Queue"]["Name"] == "Network"
        checked = run(desk.env, "channels", "check", "rt")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        answer = ticket["runs"][0]["answer"]
        assert answer["answered"], answer
        assert (desk.said(number, "Comment"), desk.said(number, "Correspond")) == (1, 1)
        mails = "".join(path.read_text(errors="replace") for path in (desk.rt.folder).rglob("*mbox*") if path.is_file())
        assert not mails or "dora@fennvale.example" in mails
        assert ticket["requester"] == "dora@fennvale.example" and ticket["corrections"] == []

        desk.rt.agent.put(f"/ticket/{number}", json={"Queue": "Hardware"}).raise_for_status()
        until(lambda: bool(desk.ticket(number)["corrections"]), what="the correction")
        (correction,) = desk.ticket(number)["corrections"]
        assert (correction["field"], correction["value"], correction["author"]) == ("queue", "hardware", "bea")
        assert correction["previous"] == "network"
        assert len(desk.tickets()) == 1 and desk.said(number, "Comment") == 1, "our own changes come back as nothing"


def test_what_the_hook_could_not_tell_is_found_by_asking(desk: Desk) -> None:
    with running(desk.env, "serve", log=desk.log):
        until(lambda: is_ready(desk.url), what="the server")
        first = desk.mail(1)
        desk.ticket(first)
    missed = desk.mail(2)
    with running(desk.env, "serve", log=desk.log):
        until(lambda: is_ready(desk.url), what="the server again")
        desk.ticket(missed)
        assert desk.remote(missed)["Queue"]["Name"] == "Network"
        assert [desk.said(number, "Comment") for number in (first, missed)] == [1, 1]
        assert len(desk.tickets()) == 2


def test_a_desks_own_past_is_read_and_learned_from(desk: Desk) -> None:
    for number in range(24):
        about = ("VPN drops", "Network") if number % 2 else ("The printer has a paper jam", "Hardware")
        given = {"Queue": about[1], "Subject": f"{about[0]} again, {number}", "Content": f"{about[0]} since {number}."}
        made = desk.rt.agent.post("/ticket", json={**given, "Requestor": "carol@fennvale.example"}).json()["id"]
        desk.rt.agent.post(f"/ticket/{made}/correspond", json={"Content": "Restart it.", "ContentType": "text/plain"})
        desk.rt.agent.put(f"/ticket/{made}", json={"Status": "resolved"}).raise_for_status()
    done = run(desk.env, "import", "rt", "--since", "2026-01-01", "--train", "--kb", timeout_s=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 tickets read, 24 to learn from, 24 with a resolution" in done.stdout
    assert "solved tickets are in the knowledge base" in done.stderr
