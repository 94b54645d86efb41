"""Does `triage llm check` say what is wrong with an endpoint, and nothing that is secret?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.llm_server import LlmServer

pytestmark = pytest.mark.acceptance

GOOD = "Open the connection settings of FennGate. [1]\nChoose Leeds as the site. [1]\nDo not restart the computer. [1]"


def check(home: Path, url: str | None, *options: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "TRIAGE_HOME": str(home),
        "TRIAGE_LLM_MODEL": "small",
        "TRIAGE_LLM_API_KEY": "sk-secret",
    }
    if url:
        environment["TRIAGE_LLM_URL"] = url
    command = [sys.executable, "-m", "triage", "llm", "check", *options]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_each_state_of_an_endpoint_is_said_in_words(tmp_path: Path) -> None:
    with LlmServer().running() as server:
        server.text = GOOD
        well = check(tmp_path, server.url(), "--json")
        assert (well.returncode, json.loads(well.stdout)["works"]) == (0, True)
        for behaviour, words in {"401": "TRIAGE_LLM_API_KEY", "html": "text/html", "cut": "broke off"}.items():
            ill = check(tmp_path, server.url(behaviour))
            assert ill.returncode == 1
            assert words in ill.stdout
            assert "sk-secret" not in ill.stdout + ill.stderr
    gone = check(tmp_path, server.url())
    assert "cannot be reached" in gone.stdout
    off = check(tmp_path, None)
    assert (off.returncode, off.stdout) == (1, "")
    assert "No language model is set" in off.stderr
