"""What do the tests on other systems share? Those systems, installed by ``tests/peers/install`` and started here."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PEERS = ROOT / ".peers"

pytest_plugins: list[str] = []


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def peers() -> Path:
    """Where the systems were installed."""
    if not PEERS.is_dir():
        pytest.fail("The other systems are not installed. Run: make test-peers")
    return PEERS
