"""Is anything personal in the log? Each program runs on its own, for logging is set up once per process."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from triage.telemetry import mask_event

PROGRAM = """
import logging
import structlog
from triage.telemetry import set_up_logging

set_up_logging("info", as_json={as_json})
{body}
"""

Logged = Callable[[str], str]


@pytest.fixture(params=[False, True], ids=["text", "json"])
def logged(request: pytest.FixtureRequest) -> Logged:
    """Runs a program with logging set up and returns what it wrote to stderr."""

    def run(body: str) -> str:
        program = PROGRAM.format(as_json=request.param, body=body)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return done.stderr

    return run


def test_logged_values_are_masked(logged: Logged) -> None:
    line = logged(
        "addresses = {'list': ['bob@example.com'], 'deep': {'eve@example.com': ('eve@example.com',)}}\n"
        "structlog.get_logger().info('mail of ana@example.com', **addresses)"
    )
    assert "mail of [email]" in line
    assert "example.com" not in line


def test_logged_exceptions_are_masked(logged: Logged) -> None:
    line = logged(
        "try:\n    raise ValueError('no phone +49 171 1234567')\n"
        "except ValueError:\n    structlog.get_logger().exception('failed')"
    )
    assert "no phone [phone]" in line
    assert "Traceback" in line
    assert "1234567" not in line


def test_logged_objects_are_masked(logged: Logged) -> None:
    line = logged("structlog.get_logger().info('failed', error=ValueError('from 10.16.4.5'))")
    assert "from [ip]" in line
    assert "10.16.4.5" not in line


def test_records_of_libraries_are_masked_with_their_exceptions(logged: Logged) -> None:
    lines = logged(
        "logging.getLogger('library').warning('login of %s', 'ana@example.com')\n"
        "try:\n    raise ValueError('password=hunter2')\n"
        "except ValueError:\n    logging.getLogger('library').exception('oh')"
    )
    assert "login of [email]" in lines
    assert "password=[password]" in lines
    assert "ana@example.com" not in lines
    assert "hunter2" not in lines


def test_what_is_not_personal_is_logged_as_it_is() -> None:
    event = {"event": "ticket triaged", "ticket": "0199f2c4-1234-7abc-8def-0123456789ab", "run": 1, "seconds": 0.0123}
    assert mask_event(None, "info", dict(event)) == event
