"""The pictures of the guide can be drawn of what the code sends now."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_every_picture_of_the_guide_is_made_of_todays_blocks(tmp_path: Path) -> None:
    pages = runpy.run_path(str(ROOT / "scripts" / "slack_pictures"))["pages"](tmp_path)
    guide = (ROOT / "docs" / "howto" / "channels" / "slack.md").read_text()
    assert all(f"](slack/{name}.png)" in guide for name in pages)
    assert {file.stem for file in (ROOT / "docs" / "howto" / "channels" / "slack").iterdir()} == set(pages)
    assert "Take it" in pages["card"] and "[phone]" in pages["card"] and "901820" not in pages["card"]
