import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

ARTICLES = {
    "kestrel.md": "---\nproduct: Kestrel\n---\n# Kestrel stops\n\n## Steps\n\nRestart the sync of Kestrel.\n",
    "heron.md": "---\nproduct: Heron\n---\n# Heron stops\n\n## Steps\n\nRestart the sync of Heron.\n",
}


@pytest.fixture
def articles(tmp_path: Path, encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two articles, synced."""
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRIAGE_ENCODER_PATH", str(encoder_folder))
    folder = tmp_path / "articles"
    folder.mkdir()
    for name, text in ARTICLES.items():
        (folder / name).write_text(text)
    assert run("sync", str(folder)).returncode == 0
    return folder


def run(*options: str) -> subprocess.CompletedProcess[str]:
    # A process of its own: a command sets up logging for as long as its process lives.
    command = [sys.executable, "-m", "triage", "kb", *options]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)


def said(*options: str) -> dict[str, Any]:
    return dict(json.loads(run(*options, "--json").stdout))


def test_lint_names_what_is_wrong_and_fails_on_it(articles: Path) -> None:
    clean = run("lint", "--fail-on", "warning")
    assert (clean.returncode, clean.stdout) == (0, "")
    assert "2 articles: nothing found." in clean.stderr
    (articles / "heron.md").write_text(
        f"{ARTICLES['heron.md']}\nSee [the owl](owl.md).\n".replace("---\n#", "review_by: 2020-01-01\n---\n#")
    )
    run("sync", str(articles))
    found = run("lint")
    assert found.returncode == 1
    assert "articles: heron: broken_link" in found.stdout and "articles: heron: stale" in found.stdout
    findings = {one["check"]: one for one in said("lint")["findings"]}
    assert {check: one["severity"] for check, one in findings.items()} == {"broken_link": "error", "stale": "warning"}
    assert findings["broken_link"]["article_id"] == "heron"


def test_lint_fails_on_a_warning_only_where_it_is_told_to(articles: Path) -> None:
    (articles / "heron.md").write_text(ARTICLES["heron.md"].replace("---\n#", "review_by: 2020-01-01\n---\n#"))
    run("sync", str(articles))
    assert run("lint").returncode == 0
    assert run("lint", "--fail-on", "warning").returncode == 1


def test_search_keeps_to_the_product(articles: Path) -> None:
    hits = said("search", "restart the sync", "--product", "heron")["hits"]
    assert [hit["article_id"] for hit in hits] == ["heron"]
    assert len(said("search", "restart the sync")["hits"]) == 2
