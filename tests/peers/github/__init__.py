"""An emulator of GitHub that no one here wrote (npm: emulate), with one repository, on a free port."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.processes import free_port, until

INSTALLED = Path(__file__).parent.parent.parent.parent / ".peers" / "github"
REPOSITORY = "desk/support"
SECRET = "between GitHub and triage"
SEED = """
tokens:
  gho_triage: { login: triage-bot, scopes: [repo, user] }
  gho_alice: { login: alice, scopes: [repo, user] }
  gho_owner: { login: desk, scopes: [repo, user, "admin:repo_hook"] }
github:
  users:
    - { login: desk, name: Desk, email: desk@desk.test }
    - { login: triage-bot, name: Triage, email: bot@desk.test }
    - { login: alice, name: Alice, email: alice@desk.test }
  repos:
    - { owner: desk, name: support, auto_init: true }
"""


@dataclass(frozen=True)
class Emulator:
    """Where it listens; ``call`` speaks to its API as somebody."""

    url: str
    http: httpx.Client

    def call(self, who: str, method: str, path: str, **given: Any) -> Any:
        """``given`` are the arguments of httpx; the JSON that is answered."""
        headers = {"Authorization": f"Bearer gho_{who}"}
        answer = self.http.request(method, f"{self.url}{path}", headers=headers, **given)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def issues(self, who: str, method: str, rest: str = "", **given: Any) -> Any:
        """Below the repository's issues."""
        return self.call(who, method, f"/repos/{REPOSITORY}/issues{rest}", **given)

    def open(self, title: str = "VPN drops – über", *, who: str = "alice", body: str = "It drops ☃.") -> str:
        return str(self.issues(who, "POST", json={"title": title, "body": body})["number"])


@contextmanager
def emulator(folder: Path, hook_url: str) -> Iterator[Emulator]:
    """Start it, with a webhook to ``hook_url``; stopped when the block is left."""
    folder.mkdir(parents=True)
    (folder / "seed.yaml").write_text(SEED)
    port = free_port()
    program = [str(INSTALLED / "node"), str(INSTALLED / "node_modules" / "emulate" / "dist" / "index.js"), "start"]
    command = [*program, "--service", "github", "--port", str(port), "--seed", str(folder / "seed.yaml")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        with httpx.Client(timeout=30) as http:
            started = Emulator(f"http://127.0.0.1:{port}", http)
            until(lambda: _answers(started), what="the emulator")
            for name in ("area/network", "area/hardware", "P1", "good first issue"):
                started.call("owner", "POST", f"/repos/{REPOSITORY}/labels", json={"name": name, "color": "ff0000"})
            hook = {"url": hook_url, "content_type": "json", "secret": SECRET}
            events = ["issues", "issue_comment"]
            given = {"name": "web", "config": hook, "events": events, "active": True}
            started.call("owner", "POST", f"/repos/{REPOSITORY}/hooks", json=given)
            yield started
    finally:
        process.terminate()
        process.wait(20)


def _answers(started: Emulator) -> bool:
    try:
        return started.http.get(f"{started.url}/rate_limit").status_code < 500
    except httpx.TransportError:
        return False
