"""Do servers that others wrote to break clients of language models find fault with ours?

`llmock` comes with the `dev` extra; `@copilotkit/aimock` is fetched once by npm into the user's cache.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from kb import Answer, Citation
from tests.unit.reword.texts import STEPS
from triage.reword import Endpoint, Reworder
from triage.tickets.model import Rewording

AIMOCK = "1.43.0"
GOOD = "Open FennGate. [1]\nChoose Leeds as the site. [1]\nConfirm in the Authenticator app. [1]"
ANSWER = Answer((Citation("a", "FennGate", None, (), 0, len(STEPS), STEPS, "d"),), 0.9, "snapshot")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: list[str], health: str) -> Iterator[None]:
    """The program as a process of its own, once it answers at the address."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None and time.monotonic() < deadline, f"{command[0]} did not start"
            try:
                httpx.get(health, timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def llmock() -> Iterator[str]:
    """The base URL of a running llmock."""
    program = shutil.which("llmock", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("llmock is not installed; make setup installs it")
    port = free_port()
    with started([program, "serve", "--port", str(port)], f"http://127.0.0.1:{port}/health"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def aimock_program() -> Path:
    """The aimock of npm, in the user's cache."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, and aimock comes by npm")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triage-tests" / f"aimock-{AIMOCK}"
    program = cache / "node_modules" / ".bin" / "llmock"  # its command for fixtures is called that
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-fund", "--no-audit", "--prefix", str(cache), f"@copilotkit/aimock@{AIMOCK}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr
    return program


@pytest.fixture(scope="module")
def aimock(aimock_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running aimock; the model's name says what it does."""
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    replies: list[dict[str, object]] = [
        {"match": {"model": "good"}, "response": {"content": GOOD}},
        {"match": {"model": "cut"}, "response": {"content": GOOD}, "truncateAfterChunks": 3},
        {"match": {"model": "busy"}, "response": {"error": {"message": "slow down"}, "status": 429}},
        {"match": {"model": "down"}, "response": {"error": {"message": "oh"}, "status": 503}},
        {"match": {"model": "slow"}, "response": {"content": GOOD}, "latency": 500},
        {"match": {"model": "broken"}, "response": {"content": GOOD}, "chaos": {"malformedRate": 1}},
        {"match": {"model": "gone"}, "response": {"content": GOOD}, "chaos": {"disconnectRate": 1}},
        {"match": {"model": "liar"}, "response": {"content": GOOD.replace("Leeds", "London")}},
    ]
    fixtures.write_text(json.dumps({"fixtures": replies}), encoding="utf-8")
    port = free_port()
    with started([str(aimock_program), "-p", str(port), "-f", str(fixtures)], f"http://127.0.0.1:{port}/health"):
        yield f"http://127.0.0.1:{port}"


def reworded(base: str, model: str, timeout_s: float = 2.0) -> Rewording:
    return Reworder(Endpoint(f"{base}/v1", model, "sk-any", timeout_s)).reword(ANSWER, "en")


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"type": "reply", "text": GOOD}, ""),
        ({"type": "fail", "status": 429, "retry_after": 1}, "refuses further requests"),
        ({"type": "fail", "status": 503}, "failed (503)"),
        ({"type": "fail", "status": 401}, "TRIAGE_LLM_API_KEY"),
        ({"type": "stream_fault", "kind": "truncate", "after_chunks": 2}, "broke off"),
        ({"type": "stream_fault", "kind": "disconnect", "after_chunks": 2}, "broke off"),
        ({"type": "stream_fault", "kind": "malformed", "after_chunks": 2}, "not JSON"),
        ({"type": "stream_fault", "kind": "stall", "after_chunks": 2, "stall_seconds": 5}, "within 1 seconds"),
        ({"type": "delay", "seconds": 5}, "within 1 seconds"),
        ({"type": "slow_first_token", "seconds": 5}, "within 1 seconds"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_llmock_finds_no_fault(llmock: str, behaviour: dict[str, object], words: str) -> None:
    httpx.post(f"{llmock}/_llmock/reset").raise_for_status()
    httpx.post(f"{llmock}/_llmock/scenario", json={"behaviors": [behaviour]}).raise_for_status()
    found = reworded(llmock, "gpt-any", timeout_s=1)
    assert bool(found.sentences) is not bool(words)
    assert words in found.note
    assert len(httpx.get(f"{llmock}/_llmock/requests").json()["requests"]) <= 1
    verdict = httpx.get(f"{llmock}/_llmock/verdict").json()
    # It takes a client that does not retry a cut stream for one that uses it; that ours does not is asserted above.
    mistaken = "truncated_stream_accepted"
    assert [one for one in verdict["findings"] if one["severity"] == "error" and one["code"] != mistaken] == []


def test_aimock_is_understood(aimock: str) -> None:
    assert [one.text for one in reworded(aimock, "good").sentences] == [
        "Open FennGate.",
        "Choose Leeds as the site.",
        "Confirm in the Authenticator app.",
    ]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("cut", "broke off"),
        ("busy", "429"),
        ("down", "503"),
        ("slow", "within 1 seconds"),
        ("broken", "not JSON"),
        ("gone", "broke off"),
        ("liar", "a name that its passage does not have"),
        ("nobody", "404"),
    ],
)
def test_what_goes_wrong_with_aimock_leaves_the_verbatim_answer(aimock: str, model: str, words: str) -> None:
    found = reworded(aimock, model, timeout_s=1)
    assert found.sentences == ()
    assert words in found.note
