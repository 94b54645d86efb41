"""A real Request Tracker 5 with a throw-away database, on a free port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.processes import free_port, until

HERE = Path(__file__).parent
SCRIPS = HERE.parent.parent.parent / "examples" / "rt" / "triage_initialdata.pl"
SERVER = "/usr/share/request-tracker5/libexec/rt-server"
SECRET = "between RT and triage"

CONFIGURATION = """
Set($rtname, 'desk.test'); Set($Organization, 'desk.test');
Set($WebDomain, '127.0.0.1'); Set($WebPort, {port}); Set($WebPath, '');
Set($DatabaseType, 'SQLite'); Set($DatabaseName, '{folder}/rt5.sqlite');
Set($CorrespondAddress, 'rt@desk.test'); Set($CommentAddress, 'comment@desk.test');
Set($MailCommand, 'mbox'); Set($LogToSTDERR, 'warning'); Set($LogToSyslog, undef);
Set($WebSessionClass, 'Apache::Session::File'); Set($RestrictReferrer, 0);
1;
"""


@dataclass(frozen=True)
class RequestTracker:
    """Where it listens; ``agent`` and ``bot`` call its REST2."""

    url: str
    folder: Path
    environment: dict[str, str]

    def client(self, user: str, password: str) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/REST/2.0", auth=(user, password), timeout=30)

    @property
    def agent(self) -> httpx.Client:
        return self.client("bea", "bea-password")

    @property
    def bot(self) -> httpx.Client:
        return self.client("triage", "bot-password")

    def mail(self, text: str, *, queue: str = "General") -> None:
        """Hand a mail to RT as its mail server does, through rt-mailgate."""
        gate = shutil.which("rt-mailgate-5") or "rt-mailgate"
        command = [gate, "--queue", queue, "--action", "correspond", "--url", self.url]
        subprocess.run(command, input=text.encode(), check=True, timeout=60, env=self.environment, capture_output=True)


@contextmanager
def request_tracker(folder: Path, hook_url: str) -> Iterator[RequestTracker]:
    """Start it, with scrips that tell ``hook_url``; stopped when the block is left."""
    port = free_port()
    for name in ("site.d", "mail", "mason", "session"):
        (folder / name).mkdir(parents=True)
    (folder / "RT_SiteConfig.pm").write_text(
        CONFIGURATION.replace("{port}", str(port)).replace("{folder}", str(folder))
    )
    environment = os.environ | {
        "RT_SITE_CONFIG": str(folder / "RT_SiteConfig.pm"),
        "RT_SITE_CONFIG_DIR": str(folder / "site.d"),
        "TRIAGE_HOOK_URL": hook_url,
        "TRIAGE_HOOK_SECRET": SECRET,
    }
    setup = ["rt-setup-database-5", "--dba", "", "--dba-password", ""]
    for action in (
        ["--action", "init"],
        ["--action", "insert", "--datafile", str(HERE / "desk_initialdata.pl")],
        ["--action", "insert", "--datafile", str(SCRIPS)],
    ):
        command = [*setup, *action]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    with (folder / "server.log").open("wb") as log:
        command = [SERVER, "--host", "127.0.0.1", "--port", str(port), "--max-workers", "3"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(url), what="Request Tracker")
        yield RequestTracker(url, folder, environment)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/REST/2.0/rt", auth=("root", "password"), timeout=20).is_success
    except httpx.TransportError:
        return False
