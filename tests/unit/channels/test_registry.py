"""One wrong channel keeps no other from working."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from triage.channels.registry import KINDS, build, open_channels
from triage.errors import Misconfigured, NotFound

ROOT = Path(__file__).parent.parent.parent.parent
GOOD = """
[channels.portal]
kind = "mapped"
verify = { scheme = "path", secrets = ["env:S"] }
map = { subject = "title" }
"""


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_table_and_its_guide(kind: str) -> None:
    module, _, name = KINDS[kind].partition(":")
    table = getattr(import_module(module), name)
    assert table.model_config["extra"] == "forbid" and callable(table.build)
    assert (ROOT / "docs" / "howto" / "channels" / f"{kind}.md").exists() or kind in ("mapped", "webhook")
    with pytest.raises(Misconfigured):
        build("x", {"kind": kind, "no_such_key": 1}, {})


def test_a_missing_file_means_no_channels(tmp_path: Path) -> None:
    assert not open_channels(tmp_path / "channels.toml", {}).open


def test_the_others_go_on(tmp_path: Path) -> None:
    path = tmp_path / "channels.toml"
    path.write_text(GOOD + '[channels.other]\nkind = "mapped"\n[channels."a b"]\nkind = "mapped"\n')
    channels = open_channels(path, {"S": "secret"})
    assert list(channels.open) == ["portal"]
    assert "map: Field required" in channels.broken["other"]
    assert "letters, digits" in channels.broken["a b"]
    with pytest.raises(Misconfigured, match="Channel other is not usable"):
        channels.find("other")
    with pytest.raises(NotFound, match="there are: portal"):
        channels.find("none")


@pytest.mark.parametrize("content", [b"[channels", b"\xff", b"x = 1", b"channels = 3", b"[" * 50_000, b"x" * 1_000_001])
def test_a_file_that_cannot_be_read_is_one_broken_channel(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "channels.toml"
    path.write_bytes(content)
    channels = open_channels(path, {})
    assert not channels.open and list(channels.broken) == ["channels.toml"]


def test_secrets_come_from_files_too_and_are_never_told(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    path = tmp_path / "channels.toml"
    path.write_text(GOOD.replace("env:S", f"file:{secret}"))
    assert open_channels(path, {}).open
    secret.unlink()
    assert "cannot be read" in open_channels(path, {}).broken["portal"]
    path.write_text(GOOD.replace("env:S", "hunter2"))
    assert "hunter2" not in open_channels(path, {}).broken["portal"]
