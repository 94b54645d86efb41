from pathlib import Path

import pytest

from kb import KnowledgeBase
from tests.unit.kb.doubles import WordEncoder


@pytest.fixture
def words() -> WordEncoder:
    return WordEncoder()


@pytest.fixture
def knowledge(tmp_path: Path, words: WordEncoder) -> KnowledgeBase:
    """An empty knowledge base."""
    return KnowledgeBase.open(tmp_path / "kb", words)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with two articles."""
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "vpn.md").write_text("# VPN drops\n\n## What to do\n\n1. Restart the client.\n2. Sign in again.\n")
    (folder / "printer.md").write_text("# Printer jams\n\nOpen the tray and pull the paper out.\n")
    return folder
