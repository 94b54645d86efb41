"""How well do the checks tell apart what an article says from what it does not, on all articles of the sample desk?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kb import Encoder, KnowledgeBase
from tests.conftest import DESK
from triage.reword.checks import Passage, fault_of
from triage.reword.words import NEGATION

pytestmark = pytest.mark.quality

Change = Callable[[str], str]


@pytest.fixture(scope="module")
def passages(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> list[Passage]:
    """Every stretch between two headings of every article."""
    knowledge = KnowledgeBase.open(tmp_path_factory.mktemp("kb"), encoder)
    knowledge.sync(DESK / "kb")
    parts = (part for article in knowledge.articles() for part in re.split(r"(?m)^#+ .*$", article.text))
    return [Passage(part.strip()) for part in parts if part.strip()]


def pairs(passages: list[Passage]) -> Iterator[tuple[str, Passage]]:
    """Each sentence with its passage; of a row of a table, no sentence can be made."""
    for passage in passages:
        for sentence in passage.sentences:
            if "|" not in sentence and len(sentence.split()) > 3:
                yield sentence, passage


def test_what_stands_in_an_article_passes(passages: list[Passage]) -> None:
    faults = [(s, fault) for s, p in pairs(passages) if (fault := fault_of(s, p, same_language=True))]
    total = sum(1 for _ in pairs(passages))
    assert total > 300
    assert len(faults) / total < 0.01, faults


def test_sentences_written_by_hand_are_told_apart(encoder: Encoder, tmp_path: Path) -> None:
    knowledge = KnowledgeBase.open(tmp_path / "kb", encoder)
    knowledge.sync(DESK / "kb")
    passages = {article.id: Passage(article.text) for article in knowledge.articles()}
    lines = (Path(__file__).parent / "rewordings.tsv").read_text(encoding="utf-8").splitlines()
    passed: dict[str, list[bool]] = {"honest": [], "lie": []}
    for article, kind, sentence in (line.split("\t") for line in lines):
        passed[kind].append(fault_of(sentence, passages[article], same_language=True) is None)
    assert not any(passed["lie"])
    assert sum(passed["honest"]) >= 0.9 * len(passed["honest"])


CHANGES: dict[str, Change] = {
    "another number": lambda s: re.sub(r"\d+", lambda found: str(int(found[0]) + 7919), s, count=1),
    "another unit": lambda s: re.sub(r"(\d+) (minutes?|hours?|days?|weeks?)\b", r"\1 years", s, count=1),
    "another name": lambda s: re.sub(r"(?<=[a-z] )[A-Z][a-z]{3,}\b", "Zendesk", s, count=1),
    "no negation": lambda s: NEGATION.sub("", s, count=1),
    "a negation more": lambda s: s.replace(" the ", " not the ", 1),
    "another link": lambda s: re.sub(r"https?://[^/\s)]+", "https://evil.example", s, count=1),
    "another option": lambda s: re.sub(r"`([^`]+)`", r"`\1 --force`", s, count=1),
    "a link more": lambda s: f"{s} See https://evil.example/login",
    "an address more": lambda s: f"{s} Write to help@evil.example",
    "markup": lambda s: f"{s} <img src=x>",
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_stopped(passages: list[Passage], change: str) -> None:
    changed = [(CHANGES[change](s), p) for s, p in pairs(passages) if CHANGES[change](s) != s]
    passed = [s for s, p in changed if fault_of(s, p, same_language=True) is None]
    assert changed, "the articles give nothing to change"
    assert passed == []
