"""Do the documents say what the code does?"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from triage.policy import FieldPolicy, read_policy

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_generated_references_are_true() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/reference", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named and named <= targets


def test_every_triage_command_that_the_readme_names_exists() -> None:
    cli = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^## triage (.+)$", cli, re.MULTILINE))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in re.findall(r"^(?:\$ )?triage ([a-z].*)$", text, re.MULTILINE):
        words = line.split()
        assert words[0] in known or " ".join(words[:2]) in known, line


def test_policy_page_names_every_key_of_a_field() -> None:
    page = (ROOT / "docs/reference/policy.md").read_text(encoding="utf-8")
    for name in FieldPolicy.__dataclass_fields__:
        assert f"`{name}`" in page


def test_sample_desk_has_what_it_promises() -> None:
    from tests.conftest import DESK, FEATURES, LABELS, TEXT
    from triage.learning.dataset import read_tickets

    tickets = read_tickets(DESK / "tickets.csv", text=TEXT, labels=LABELS, features=FEATURES)
    assert len(tickets) >= 500
    assert len(set(tickets.labels["queue"])) >= 10
    assert len(list((DESK / "kb").glob("*.md"))) >= 60
    assert len((DESK / "inbox.jsonl").read_text(encoding="utf-8").splitlines()) == 30
    assert read_policy(DESK / "policy.toml").rules
