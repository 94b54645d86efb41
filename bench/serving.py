"""How quick and how large is the serving process?

    python bench/serving.py [--home .triage] [--requests 200]

Starts the real server on a free port with the home that `make run` has made, and measures in one run: seconds until
it is ready, resident memory, and the preview of a ticket (`POST /v1/triage`) and an answer (`POST /v1/answers`) beside
the bare encoding of the same text.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
from _timing import quantiles, timed

from kb import load_encoder
from triage.understand.cleaning import clean


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".triage"))
    parser.add_argument("--inbox", type=Path, default=Path("examples/desk/inbox.jsonl"))
    parser.add_argument("--requests", type=int, default=200)
    given = parser.parse_args()
    port = free_port()
    env = {
        **os.environ,
        "TRIAGE_HOME": str(given.home.absolute()),
        "TRIAGE_PORT": str(port),
        "TRIAGE_LOG_LEVEL": "error",
    }
    url = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    server = subprocess.Popen([str(Path(sys.executable).with_name("triage")), "serve"], env=env)
    try:
        with httpx.Client(base_url=url) as client:
            while True:
                try:
                    if client.get("/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    if server.poll() is not None:
                        sys.exit("The server has ended; what it said stands above.")
                    time.sleep(0.02)
            ready = time.perf_counter() - began
            memory = psutil.Process(server.pid).memory_info().rss
            tickets = [json.loads(line) for line in given.inbox.open(encoding="utf-8")]
            bodies = [{key: ticket[key] for key in ("subject", "body", "requester")} for ticket in tickets]
            turn = iter(range(10**9))
            encoder = load_encoder(given.home / "encoder")
            texts = [clean(body["subject"], body["body"]) for body in bodies]

            inside: list[float] = []

            def preview() -> None:
                response = client.post("/v1/triage", json=bodies[next(turn) % len(bodies)]).raise_for_status()
                inside.append(response.json()["seconds"] * 1000)

            def ask() -> None:
                question = {"question": texts[next(turn) % len(texts)]}
                client.post("/v1/answers", json=question).raise_for_status()

            def encode() -> None:
                encoder.encode([texts[next(turn) % len(texts)]])

            for call in (preview, ask, encode):
                timed(call, 30)
            inside.clear()
            # In turn, so that all meet the same noise of the machine.
            rounds = [(timed(encode, 1), timed(preview, 1), timed(ask, 1)) for _ in range(given.requests)]
            encodes, previews, asks = (np.concatenate(part) for part in zip(*rounds, strict=True))
            journey = np.array(inside)
            with ThreadPoolExecutor(8) as pool:
                many = np.concatenate(list(pool.map(lambda _: timed(preview, given.requests // 8), range(8))))
            print(
                json.dumps(
                    {
                        "ready_s": round(ready, 2),
                        "rss_mb_when_ready": round(memory / 1e6),
                        "rss_mb_after": round(psutil.Process(server.pid).memory_info().rss / 1e6),
                        "bare_encode": quantiles(encodes),
                        "preview": quantiles(previews),
                        # What the server itself spent on the journey; the rest of a preview is HTTP on both sides.
                        "journey": quantiles(journey),
                        "ratio_of_p50": round(float(np.median(previews) / np.median(encodes)), 2),
                        "ask": quantiles(asks),
                        "ask_ratio_of_p50": round(float(np.median(asks) / np.median(encodes)), 2),
                        "preview_8_at_once": quantiles(many),
                    },
                    indent=2,
                )
            )
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    main()
