"""A real django-helpdesk with a throw-away database, on a free port."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.processes import free_port, until

HERE = Path(__file__).parent
BOT, ALICE = 1, 2
GENERAL, NETWORK, HARDWARE = 1, 2, 3
# Any: what REST answers is plain JSON.
Json = dict[str, Any]


@dataclass(frozen=True)
class HelpdeskSite:
    """Where it listens; ``alice`` calls its API, ``submit`` is its public form."""

    url: str
    folder: Path
    http: httpx.Client

    def alice(self, method: str, path: str, **given: Any) -> httpx.Response:
        """What an agent does through the API."""
        return self.call("alice", method, path, **given).raise_for_status()

    def call(self, user: str, method: str, path: str, **given: Any) -> httpx.Response:
        """``given`` are the arguments of httpx."""
        return self.http.request(method, f"{self.url}/api{path}", auth=(user, f"{user}-password"), **given)

    def submit(self, title: str, body: str) -> httpx.Response:
        """What a requester does: fill in the public form; the answer may be an error though the ticket was stored."""
        with httpx.Client(base_url=self.url, timeout=30) as web:
            form = web.get("/tickets/submit/").raise_for_status().text
            token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', form)
            assert token, form
            fields = {"queue": str(GENERAL), "title": title, "body": body, "priority": "3"}
            fields |= {"csrfmiddlewaretoken": token.group(1), "submitter_email": "dora@fennvale.example"}
            return web.post("/tickets/submit/", data=fields, headers={"Referer": f"{self.url}/tickets/submit/"})

    def ticket(self, number: str) -> Json:
        answer: Json = self.alice("GET", f"/tickets/{number}/").json()
        return answer

    def newest(self) -> str:
        count = self.alice("GET", "/tickets/", params={"page_size": "1"}).json()["count"]
        last = self.alice("GET", "/tickets/", params={"page_size": "1", "page": str(count)}).json()
        return str(last["results"][0]["id"])


@contextmanager
def helpdesk(folder: Path, hook_url: str) -> Iterator[HelpdeskSite]:
    """Start it, with webhooks to ``hook_url``; stopped when the block is left. ``$PEERS/helpdesk`` is its Python."""
    folder.mkdir(parents=True)
    python = str(HERE.parent.parent.parent / ".peers" / "helpdesk" / "bin" / "python")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "site_settings",
        "PYTHONPATH": str(HERE),
        "HELPDESK_FOLDER": str(folder),
        "HELPDESK_NEW_TICKET_WEBHOOK_URLS": hook_url,
        "HELPDESK_FOLLOWUP_WEBHOOK_URLS": hook_url,
    }
    for command in ([python, "-m", "django", "migrate", "-v0"], [python, str(HERE / "seed.py")]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    serve = ["-m", "gunicorn", "-w", "1", "--threads", "4", "-b", f"127.0.0.1:{port}", "site_settings:application"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([python, *serve], env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        with httpx.Client(timeout=30) as http:
            site = HelpdeskSite(url, folder, http)
            until(lambda: _answers(site), what="django-helpdesk")
            yield site
    finally:
        process.terminate()
        process.wait(20)


def _answers(site: HelpdeskSite) -> bool:
    try:
        return site.call("triage", "GET", "/tickets/").is_success
    except httpx.TransportError:
        return False
