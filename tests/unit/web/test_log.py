"""What does the log hold of a fault? Not what was in the request: keys, and what people wrote."""

import subprocess
import sys

import pytest

PROGRAM = """
import structlog
from triage.telemetry import set_up_logging
from triage.web.errors import unexpected

set_up_logging("info", as_json={as_json})

def handle(secret):
    headers = dict(authorization=secret)
    raise RuntimeError("planted fault")

try:
    handle("trg_" + "x" * 43)
except RuntimeError as error:
    unexpected("request-1", "/v1/tickets", error)
"""


@pytest.mark.parametrize("as_json", [False, True])
def test_log_of_a_fault_says_where_it_was_without_what_was_sent(as_json: bool) -> None:
    program = PROGRAM.format(as_json=as_json)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "request-1" in done.stderr
    assert "planted fault" in done.stderr
    assert "trg_" + "x" * 43 not in done.stderr
