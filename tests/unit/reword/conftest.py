from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.llm_server import LlmServer


@pytest.fixture
def server() -> Iterator[LlmServer]:
    """A real server on loopback that behaves as the first part of the path says."""
    with LlmServer().running() as running:
        yield running
