"""A ticket in django-helpdesk is routed, noted and answered, though our listener is killed in between."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session

from tests.peers.helpdesk import ALICE, BOT, GENERAL, HARDWARE, NETWORK, HelpdeskSite, helpdesk
from tests.peers.homes import POLICY, new_home
from tests.processes import environment, free_port, is_ready, run, running, until
from triage.db.engine import open_engine
from triage.db.tables import RemoteTicketRow

QUESTION = "How do I connect to the VPN with FennGate from home?"
CHANNEL = f"""
[channels.desk]
kind = "helpdesk"
url = "{{url}}"
bot = {BOT}
user = "triage"
password = "env:HD_PASSWORD"
hook_secrets = ["env:HD_SECRET"]
poll = {{{{ every_s = 1 }}}}
policy = {{{{ mode = "apply" }}}}
sending = {{{{ first_wait_s = 0.2, longest_wait_s = 1 }}}}
[channels.desk.fields.queue]
to = "queue"
values = {{{{ network = "{NETWORK}", hardware = "{HARDWARE}" }}}}
"""
# Any: what REST answers is plain JSON.
Json = dict[str, Any]


@dataclass
class Desk:
    """triage as a process and the helpdesk that it works in; ``serve`` may be killed and begun again."""

    site: HelpdeskSite
    url: str
    env: dict[str, str]
    log: Path

    def tickets(self) -> list[Json]:
        return list(httpx.get(f"{self.url}/v1/tickets", timeout=20).json()["tickets"])

    def ticket(self, remote_id: str) -> Json:
        """Once everything about it was delivered."""

        def found() -> list[Json]:
            return [one for one in self.tickets() if one["delivery_id"] == remote_id and delivered(one)]

        until(lambda: bool(found()), what=f"the delivery of helpdesk's ticket {remote_id}")
        return found()[0]

    def said(self, number: str) -> list[str]:
        """What the bot said on it, in order."""
        ours = [one for one in self.site.ticket(number)["followup_set"] if one["user"] == BOT]
        return ["reply" if one["public"] else "note" for one in ours]

    def seen(self, number: str) -> RemoteTicketRow:
        """How we last saw it."""
        engine = open_engine(f"sqlite:///{self.env['TRIAGE_HOME']}/triage.db")
        with Session(engine) as session:
            row = session.get_one(RemoteTicketRow, ("desk", number))
        engine.dispose()
        return row

    def is_up(self) -> None:
        until(lambda: is_ready(self.url), what="the server")


def delivered(ticket: Json) -> bool:
    deliveries = ticket["runs"][-1]["deliveries"] if ticket["runs"] else []
    return bool(deliveries) and all(one["state"] == "delivered" for one in deliveries)


def kill(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGKILL)
    server.wait(10)


@pytest.fixture
def desk(sample_home: Path, encoder_folder: Path, tmp_path: Path, peers: Path) -> Iterator[Desk]:
    home = new_home(sample_home, tmp_path, POLICY)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with helpdesk(tmp_path / "helpdesk", f"{url}/v1/webhooks/desk/hush") as site:
        (home / "channels.toml").write_text(CHANNEL.format(url=site.url))
        fast = {"poll_interval_s": "0.05", "heartbeat_s": "0.3", "duplicate_days": "0"}
        env = environment(home, encoder_folder, port=str(port), **fast)
        yield Desk(site, url, env | {"HD_PASSWORD": "triage-password", "HD_SECRET": "hush"}, tmp_path / "serve.log")


def test_from_a_ticket_to_an_answer_with_our_listener_killed_in_between(desk: Desk) -> None:
    with running(desk.env, "serve", log=desk.log) as server:
        desk.is_up()
        checked = run(desk.env, "channels", "check", "desk")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert desk.site.submit("FennGate from home", QUESTION).status_code == 302
        first = desk.site.newest()
        answer = desk.ticket(first)["runs"][0]["answer"]
        assert answer["answered"], answer
        assert desk.site.ticket(first)["queue"] == NETWORK
        assert desk.said(first) == ["note", "reply"]
        reply = desk.site.ticket(first)["followup_set"][-1]
        assert answer["citations"][0]["title"] in reply["comment"]
        assert desk.site.ticket(first)["title"] == "FennGate from home"
        kill(server)

    assert desk.site.submit("FennGate again", QUESTION).status_code == 500, "helpdesk cannot tell us, and stores it"
    missed = desk.site.newest()
    assert missed != first

    with running(desk.env, "serve", log=desk.log) as server:
        desk.is_up()
        desk.ticket(missed)
        assert desk.site.ticket(missed)["queue"] == NETWORK
        third = submitted(desk, "FennGate once more")
        until(lambda: bool(desk.said(third)), what="the first word on the third ticket")
        kill(server)

    with running(desk.env, "serve", log=desk.log):
        desk.is_up()
        desk.ticket(third)
        desk.site.alice("PATCH", f"/tickets/{first}/", json={"queue": HARDWARE})
        until(lambda: bool(desk.ticket(first)["corrections"]), what="the correction")
        (correction,) = desk.ticket(first)["corrections"]
        assert (correction["field"], correction["value"], correction["previous"]) == ("queue", "hardware", "network")
        assert [desk.said(one) for one in (first, missed, third)] == [["note", "reply"]] * 3, "nothing twice"
        assert sorted(one["delivery_id"] for one in desk.tickets()) == sorted([first, missed, third])
        assert [one["corrections"] for one in desk.tickets() if one["delivery_id"] != first] == [[], []]


def test_an_agents_word_ends_the_bots_part_and_a_solved_ticket_is_seen(desk: Desk) -> None:
    with running(desk.env, "serve", log=desk.log):
        desk.is_up()
        number = submitted(desk, "FennGate from home")
        desk.ticket(number)
        desk.site.alice("POST", "/followups/", json={"ticket": int(number), "comment": "I take it.", "public": True})
        desk.site.alice("POST", "/followups/", json={"ticket": int(number), "comment": "Done.", "new_status": 3})
        until(lambda: desk.seen(number).status == "solved", what="the end")
        assert desk.seen(number).touched_by == f"user {ALICE}"
        assert desk.said(number) == ["note", "reply"]


def test_a_desks_own_past_is_read_and_learned_from(desk: Desk) -> None:
    for number in range(24):
        text, queue = ("VPN drops", NETWORK) if number % 2 else ("The printer has a paper jam", HARDWARE)
        given = {"title": f"{text} again, {number}", "description": f"{text} since {number}.", "priority": 3}
        made = desk.site.call("alice", "POST", "/tickets/", json={**given, "queue": GENERAL})
        assert made.status_code == 500, "nobody listens"
        newest = desk.site.newest()
        desk.site.alice("PATCH", f"/tickets/{newest}/", json={"queue": queue})
        solved = {"ticket": int(newest), "comment": "Restart it.", "public": True, "new_status": 3}
        assert desk.site.call("alice", "POST", "/followups/", json=solved).status_code == 500
    done = run(desk.env, "import", "desk", "--since", "2025-01-01", "--train", "--kb", timeout_s=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 tickets read, 24 to learn from, 24 with a resolution" in done.stdout


def submitted(desk: Desk, title: str) -> str:
    assert desk.site.submit(title, QUESTION).status_code == 302
    return desk.site.newest()
