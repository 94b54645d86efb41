"""How do tests start the real program and wait for it?"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

TRIAGE = str(Path(sys.executable).with_name("triage"))


def environment(home: Path, encoder_folder: Path, **settings: str) -> dict[str, str]:
    """An environment in which `triage` uses that home, and nothing of the developer's own settings.

    Aborted, a process writes where each of its threads is: see ``running``.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    given = {f"TRIAGE_{name.upper()}": value for name, value in settings.items()}
    return {
        **clean,
        "PYTHONFAULTHANDLER": "1",
        "TRIAGE_HOME": str(home),
        "TRIAGE_ENCODER_PATH": str(encoder_folder),
        **given,
    }


def run(
    env: dict[str, str], *arguments: str, given: str | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `triage` to its end, in a folder without a .env file."""
    return subprocess.run(
        [TRIAGE, *arguments],
        env=env,
        cwd=env["TRIAGE_HOME"],
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def running(env: dict[str, str], *arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`triage` in a process of its own; ended, if it still lives, when the block is left.

    Where the block fails, what the process was at and the end of its log are shown.
    """
    with log.open("ab") as output:
        command = [TRIAGE, *arguments]
        process = subprocess.Popen(command, env=env, cwd=env["TRIAGE_HOME"], stdout=output, stderr=output)
    try:
        yield process
    except BaseException:
        process.send_signal(signal.SIGABRT)
        process.wait(20)
        said = log.read_text("utf-8", "replace")[-8000:]
        sys.stderr.write(f"--- triage {' '.join(arguments)}: {log}\n{said}\n")
        raise
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(happened: Callable[[], bool], *, timeout_s: float = 120, what: str = "it") -> None:
    """Wait until something has happened; fail where it does not."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s} s"
        time.sleep(0.05)


def is_ready(url: str) -> bool:
    """Whether a server answers that it can do its work."""
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
