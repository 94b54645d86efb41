from pathlib import Path

import pytest

from kb import Article, Bar, Change, KnowledgeBase, compare, kept_snapshots
from tests.unit.kb.doubles import WordEncoder

EVERYTHING = Bar(give=0.0, offer=2.0, suggest=0.0, basis="")
QUESTIONS = ["mend the printer", "mend the badge", "mend the tunnel", "mend the phone"]


@pytest.fixture
def snapshots(tmp_path: Path) -> tuple[KnowledgeBase, KnowledgeBase]:
    """Two snapshots: the badge is gone from the second, the tunnel rewritten, the phone made public."""
    encoder = WordEncoder()
    knowledge = KnowledgeBase.open(tmp_path, encoder)
    for topic in ("printer", "badge", "tunnel"):
        knowledge.put(Article(topic, topic.title(), f"How to mend the {topic}."))
    old = KnowledgeBase.open_snapshot(tmp_path, encoder, knowledge.snapshot)
    knowledge.put(Article("tunnel", "Tunnel", "How to mend the tunnel, in other words."))
    for topic in ("printer", "badge"):
        knowledge.delete(topic)
    assert old
    return old, knowledge


def changes(old: KnowledgeBase, new: KnowledgeBase, questions: list[str]) -> list[Change]:
    vectors = WordEncoder().encode(questions)
    return [one.change for one in compare(old, new, questions, vectors, bar=EVERYTHING)]


def test_same_snapshot_gives_the_same_answers(snapshots: tuple[KnowledgeBase, KnowledgeBase]) -> None:
    old, _ = snapshots
    assert changes(old, old, QUESTIONS) == [Change.SAME] * 4


def test_rewritten_and_missing_articles_change_answers(snapshots: tuple[KnowledgeBase, KnowledgeBase]) -> None:
    old, new = snapshots
    assert changes(old, new, ["mend the tunnel", "mend the printer"]) == [Change.CHANGED, Change.CHANGED]


def test_answers_are_lost_with_the_last_article_and_gained_with_the_first(
    snapshots: tuple[KnowledgeBase, KnowledgeBase],
) -> None:
    old, new = snapshots
    new.delete("tunnel")
    assert changes(old, new, ["mend the tunnel"]) == [Change.LOST]
    assert changes(new, old, ["mend the tunnel"]) == [Change.GAINED]


def test_kept_snapshots_are_listed_newest_first(snapshots: tuple[KnowledgeBase, KnowledgeBase], tmp_path: Path) -> None:
    old, new = snapshots
    kept = kept_snapshots(tmp_path)
    assert [one.name for one in kept if one.in_force] == [new.snapshot]
    assert old.snapshot in {one.name for one in kept}
    (tmp_path / "snapshots" / old.snapshot / "manifest.json").write_text("{")
    assert old.snapshot not in {one.name for one in kept_snapshots(tmp_path)}
    assert kept_snapshots(tmp_path / "nowhere") == []
