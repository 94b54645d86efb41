from datetime import date
from pathlib import Path

import pytest

from kb import Article, Finding, KnowledgeBase, Severity, lint_articles
from kb.lint import Check

TODAY = date(2026, 6, 1)


def check(knowledge: KnowledgeBase, *articles: Article) -> list[Finding]:
    for article in articles:
        knowledge.put(article)
    return lint_articles(knowledge, today=TODAY)


def found(findings: list[Finding], check: Check) -> list[tuple[str, str]]:
    return [(finding.article_id, finding.sentence) for finding in findings if finding.check == check]


def test_links_and_anchors_are_followed_from_file_to_file(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    folder = tmp_path / "articles"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text(
        "# Start here\n\n[good](sub/b.md) [place](sub/b.md#the-keys) [named](sub/b.md#old-name) [own](#start-here) "
        "[page](sub/c.html#x) [picture](img/a.png) [outside](../other.md) [web](https://example.com/x.md)"
        "\n\n[gone](sub/gone.md) [no place](sub/b.md#locks)\n"
    )
    (folder / "sub" / "b.md").write_text('# Access\n\nText. <a name="old-name"></a>\n\n## The keys\n\n[up](../a)\n')
    (folder / "sub" / "c.html").write_text('<h1>Page</h1><p id="x">Words <a href="nowhere.html">here</a></p>')
    knowledge.sync(folder)
    findings = lint_articles(knowledge, today=TODAY)
    assert found(findings, Check.BROKEN_LINK) == [
        ("a", "The link sub/gone.md leads to no article."),
        ("sub/c", "The link nowhere.html leads to no article."),
    ]
    assert found(findings, Check.BROKEN_ANCHOR) == [
        ("a", "The link sub/b.md#locks names a place that the article has not.")
    ]


def test_article_past_its_review_date_is_stale(knowledge: KnowledgeBase) -> None:
    old = Article("old", "Old", "Some words.", review_by=date(2026, 5, 31))
    due = Article("due", "Due", "Other words.", review_by=TODAY)
    assert [finding.article_id for finding in check(knowledge, old, due) if finding.check == Check.STALE] == ["old"]


def test_passage_that_stands_in_two_articles_is_a_duplicate(knowledge: KnowledgeBase) -> None:
    text = "Take the card out of the reader, wait for ten seconds and put it back until the lamp is green again."
    findings = check(
        knowledge, Article("a", "Reader", text), Article("b", "Lamp", text.upper()), Article("c", "C", "See.")
    )
    [duplicate] = [finding for finding in findings if finding.check == Check.DUPLICATE]
    assert (duplicate.article_id, duplicate.others) == ("a", ("b",))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The passwords of our staff expire after 90 days.", "The passwords of our staff expire after 60 days."),
        ("You may share this account with colleagues.", "You may not share this account with colleagues."),
        ("Das Kennwort läuft nach 90 Tagen ab.", "Das Kennwort läuft nach 30 Tagen ab."),
    ],
)
def test_near_passages_that_differ_in_a_number_or_a_negation_contradict(
    knowledge: KnowledgeBase, one: str, other: str
) -> None:
    [(article_id, sentence)] = found(
        check(knowledge, Article("a", "Rules", one), Article("b", "Rules", other)), Check.CONTRADICTION
    )
    assert article_id == "a"
    assert one in sentence
    assert other in sentence


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            Article("a", "Rules", "Passwords expire after 90 days."),
            Article("b", "Rules", "Passwords expire after 90 days."),
        ),
        (
            Article("a", "Version 3", "Port 3 is opened by version 3."),
            Article("b", "Version 4", "Port 4 is opened by version 4."),
        ),
        (
            Article("a", "Rules", "Passwords expire after 90 days.", product="Kestrel"),
            Article("b", "Rules", "Passwords expire after 60 days.", product="Heron"),
        ),
        (
            Article("a", "Rules", "Passwords expire after 90 days."),
            Article("b", "Rules", "Passwords expire after 60 days.", kind="solved"),
        ),
    ],
    ids=["agree", "versions", "products", "a past ticket"],
)
def test_what_may_differ_is_no_contradiction(knowledge: KnowledgeBase, one: Article, other: Article) -> None:
    assert found(check(knowledge, one, other), Check.CONTRADICTION) == []


def test_article_that_its_own_title_does_not_find_is_unreachable(knowledge: KnowledgeBase) -> None:
    good = Article("good", "Printer jams", "Printer jams: printer, paper.")
    lost = Article("lost", "Printer jams", "Elephants graze on wide plains all day and sleep at night beside rivers.")
    macro = Article("macro/1", "Printer jams", "Hello", kind="macro")
    assert [article_id for article_id, _ in found(check(knowledge, good, lost, macro), Check.UNREACHABLE)] == ["lost"]


def test_only_a_broken_link_is_an_error(knowledge: KnowledgeBase) -> None:
    stale = Article("a", "A", "Words.", review_by=date(2020, 1, 1), links=("b.md",))
    assert {finding.check: finding.severity for finding in check(knowledge, stale)} == {
        Check.BROKEN_LINK: Severity.ERROR,
        Check.STALE: Severity.WARNING,
    }


def test_checking_counts_up_to_its_end(knowledge: KnowledgeBase) -> None:
    knowledge.put(Article("a", "A", "Words."))
    told: list[tuple[int, int]] = []
    lint_articles(knowledge, today=TODAY, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (2, 2)


def test_empty_knowledge_base_has_nothing_wrong(knowledge: KnowledgeBase) -> None:
    assert lint_articles(knowledge, today=TODAY) == []
