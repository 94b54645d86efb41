"""Threads that want their first vectors at the same moment, right after the start, all get them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, threading
from pathlib import Path
from kb import load_encoder

at_once = threading.Barrier(8)
made = []

def encode():
    at_once.wait()
    made.append(load_encoder(Path(sys.argv[1])).encode(["VPN drops"]).shape)

threads = [threading.Thread(target=encode) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(made) == 8, made
"""


def test_eight_threads_that_begin_at_once_do_not_wait_for_each_other(encoder_folder: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(encoder_folder)]
    done = subprocess.run(command, timeout=120, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
