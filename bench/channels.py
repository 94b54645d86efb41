"""How fast are webhooks answered, and how long is it from a system's hook, or a Slack message, to what is written back?

`python -m bench.channels` serves the sample desk with a home of its own and sends it 200 signed webhooks a second for
ten seconds; with `--slack` 50 people write to it at once through a Slack server of this project's tests; with `--rt`
tickets are opened in a real Request Tracker, which `tests/peers/install rt` installs. Each prints its own table.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from tests.processes import environment, free_port, is_ready, running, until
from triage.db.upgrade import upgrade_database

ROOT = Path(__file__).parent.parent
SECRET = "bench"
WEBHOOKS = """
[channels.desk]
kind = "mapped"
map = { subject = "subject", body = "text", remote_id = "id" }
key = { path = "id" }
[channels.desk.verify]
scheme = "hmac"
header = "X-Signature"
timestamp_header = "X-Timestamp"
signs = "{timestamp}.{body}"
secrets = ["env:SECRET"]
"""
SLACK = """
[channels.slack]
kind = "slack"
bot_token = "env:SECRET"
signing_secret = "env:SECRET"
api_url = "{api}"
policy = {{ mode = "apply" }}
sending = {{ at_once = 8 }}
"""
RT = """
[channels.rt]
kind = "rt"
url = "{url}"
user = "triage"
password = "env:RT_PASSWORD"
hook_secrets = ["env:RT_SECRET"]
policy = {{ mode = "apply" }}
fields = {{ queue = {{ to = "Queue", values = {{ network = "Network" }} }} }}
"""
POLICY = '[[rules]]\nname = "vpn"\nkeywords = ["vpn"]\nset = { queue = "network" }\n'


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=ROOT / ".triage", help="a home with a trained model and articles")
    parser.add_argument("--rate", type=int, default=200, help="webhooks a second")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--no-worker", action="store_true", help="let nobody look at the tickets meanwhile")
    parser.add_argument("--slack", action="store_true")
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--rt", action="store_true")
    given = parser.parse_args()
    if given.slack:
        slack(given.home, given.people, with_worker=not given.no_worker)
    elif given.rt:
        request_tracker(given.home)
    else:
        webhooks(given.home, given.rate, given.seconds, with_worker=not given.no_worker)


@contextmanager
def serving(home: Path, port: int, channels: str, *arguments: str, **secrets: str) -> Iterator[tuple[str, Path]]:
    """A server on a copy of the home without its tickets."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "home"
        shutil.copytree(home, folder, ignore=shutil.ignore_patterns("triage.db*", "encoder", "imports"))
        (folder / "channels.toml").write_text(channels)
        (folder / "policy.toml").write_text(POLICY)
        upgrade_database(f"sqlite:///{folder / 'triage.db'}")
        settings = {"port": str(port), "poll_interval_s": "0.05", "duplicate_days": "0"}
        env = environment(folder, home / "encoder", **settings) | secrets
        url = f"http://127.0.0.1:{port}"
        with running(env, "serve", *arguments, log=Path(scratch) / "log"):
            until(lambda: is_ready(url), what="the server")
            yield url, Path(scratch) / "log"


def webhooks(home: Path, rate: int, seconds: int, *, with_worker: bool) -> None:
    """Send at a steady rate, whether or not the answers keep up."""
    arguments = () if with_worker else ("--no-worker",)
    with serving(home, free_port(), WEBHOOKS, *arguments, SECRET=SECRET) as (url, _):
        took: list[float] = []
        lock = threading.Lock()
        with httpx.Client(base_url=url, limits=httpx.Limits(max_connections=64), timeout=30) as client:
            began = time.perf_counter()

            def send(number: int) -> None:
                due = began + number / rate
                time.sleep(max(0.0, due - time.perf_counter()))
                body = json.dumps(
                    {"id": str(number), "subject": f"VPN drops {number}", "text": "Since today."}
                ).encode()
                stamp = f"{time.time():.0f}"
                signature = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
                headers = {"X-Timestamp": stamp, "X-Signature": signature, "Content-Type": "application/json"}
                sent = time.perf_counter()
                answer = client.post("/v1/webhooks/desk", content=body, headers=headers)
                assert answer.status_code == 202, answer.text
                with lock:
                    took.append(time.perf_counter() - sent)

            with ThreadPoolExecutor(48) as pool:
                list(pool.map(send, range(rate * seconds)))
            lasted = time.perf_counter() - began
        beside = "beside the worker" if with_worker else "without a worker"
        print(f"{len(took):,} signed webhooks in {lasted:.1f} s, {beside}: {_times(took)}")


def slack(home: Path, people: int, *, with_worker: bool) -> None:
    """Everybody writes at once; the time until Slack is answered, and until the reply stands in the thread."""
    from tests.peers.slack.server import event, send, slack_server

    port = free_port()
    arguments = () if with_worker else ("--no-worker",)
    with (
        slack_server() as server,
        serving(home, port, SLACK.format(api=server.api), *arguments, SECRET=SECRET) as (url, _),
    ):
        hook = f"{url}/v1/webhooks/slack"
        acknowledged: list[float] = []
        written: dict[str, float] = {}

        def write(number: int) -> None:
            ts = f"1795.{number:04d}"
            kind = {"type": "app_mention", "channel": "C1", "user": f"U{number}", "ts": ts, "event_ts": ts}
            written[ts] = time.time()
            answer = send(hook, SECRET, event({**kind, "text": f"<@U0BOT> VPN drops in room {number}"}, f"Ev{number}"))
            assert answer.status_code == 200, answer.text
            acknowledged.append(time.time() - written[ts])

        write(people)  # the first message opens connections and looks the bot up
        if with_worker:
            until(lambda: len(server.messages) == 1, what="the first reply")
        with ThreadPoolExecutor(people) as pool:
            list(pool.map(write, range(people)))
        beside = "" if with_worker else " while no worker runs"
        print(f"{people} messages at once, Slack answered{beside}: {_times(acknowledged[1:])}")
        if not with_worker:
            return
        until(lambda: len(server.messages) == people + 1, what="all replies", timeout_s=120)
        answered = [float(one["ts"]) - written[one["thread_ts"]] for one in server.messages[1:]]
        print(f"{people} messages at once, reply in the thread: {_times(answered)}")


def request_tracker(home: Path, tickets: int = 20) -> None:
    """Open tickets one after the other; the time until RT has the new queue."""
    if shutil.which("rt-setup-database-5") is None:
        print("Request Tracker is not installed. Run: tests/peers/install rt")
        return
    from tests.peers.rt import SECRET as RT_SECRET
    from tests.peers.rt import request_tracker as real

    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        real(Path(folder) / "rt", f"http://127.0.0.1:{port}/v1/webhooks/rt") as rt,
    ):
        secrets = {"RT_PASSWORD": "bot-password", "RT_SECRET": RT_SECRET}
        with serving(home, port, RT.format(url=rt.url), **secrets):
            took = []
            for number in range(tickets):
                given = {"Queue": "General", "Subject": f"VPN drops {number}", "Content": "Since today."}
                made = rt.agent.post("/ticket", json={**given, "Requestor": "carol@example.test"}).json()["id"]
                opened = time.perf_counter()

                def moved(made: str = made) -> bool:
                    found = rt.bot.get(f"/ticket/{made}", params={"fields": "Queue", "fields[Queue]": "Name"}).json()
                    return bool(found["Queue"]["Name"] == "Network")

                until(moved, what="the new queue")
                took.append(time.perf_counter() - opened)
        print(f"{tickets} tickets of RT, from their making to the new queue there: {_times(took)}")


def _times(seconds: list[float]) -> str:
    p50, p99 = np.percentile(seconds, [50, 99]) * 1_000
    return f"p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, at most {max(seconds) * 1_000:,.0f} ms"


if __name__ == "__main__":
    main()
