from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kb import NEVER, Abstention, AbstentionReason, Answer, Article, Bar, KnowledgeBase, SourceUnreadable
from tests.unit.kb.doubles import WordEncoder

LONG_QUESTION = "the printer jams and jams " * 200_000  # 5 MB
STRANGE = [
    '":()[]^~*+-\\/!&|{}',
    'title_en:"x" AND -(',
    "\x00\x01",
    "\ud800",
    "*",
    '"',
    "a" * 10_000,
    "٣ שלום",
    LONG_QUESTION,
]


def test_sync_reports_what_changed_and_embeds_only_that(
    knowledge: KnowledgeBase, words: WordEncoder, source: Path
) -> None:
    first = knowledge.sync(source)
    assert (first.added, first.updated, first.removed, first.unchanged, first.embedded_passages) == (2, 0, 0, 0, 2)
    words.encoded.clear()
    (source / "vpn.md").write_text("# VPN drops\n\nCall us.\n")
    (source / "wifi.md").write_text("# Wi-Fi\n\nForget the network.\n")
    (source / "printer.md").unlink()
    second = knowledge.sync(source)
    assert (second.added, second.updated, second.removed, second.unchanged, second.embedded_passages) == (1, 1, 1, 0, 2)
    assert len(words.encoded) == 2  # an article of one passage is embedded once
    assert knowledge.sync(source).snapshot == second.snapshot


def test_changed_metadata_or_a_moved_file_embeds_nothing(
    knowledge: KnowledgeBase, words: WordEncoder, source: Path
) -> None:
    knowledge.sync(source)
    words.encoded.clear()
    (source / "moved.md").write_text((source / "vpn.md").read_text())
    (source / "vpn.md").unlink()
    knowledge.sync(source)
    article = knowledge.article("printer")
    assert article
    knowledge.put(replace(article, updated=date(2026, 1, 1)))
    assert words.encoded == []


def test_sync_leaves_articles_from_elsewhere(knowledge: KnowledgeBase, source: Path) -> None:
    knowledge.put(Article("mine", "Mine", "Some words."))
    knowledge.sync(source)
    knowledge.sync(source, rebuild=True)
    assert [article.id for article in knowledge.articles()] == ["mine", "printer", "vpn"]


def test_put_says_whether_the_article_is_new_and_delete_whether_it_was_there(knowledge: KnowledgeBase) -> None:
    assert knowledge.put(Article("a", "A", "Some words."))
    assert not knowledge.put(Article("a", "A", "Other words."))
    assert knowledge.delete("a")
    assert not knowledge.delete("a")
    assert knowledge.search("words") == []


@pytest.mark.parametrize(
    "article",
    [Article("", "T", "x"), Article("a", "T", " "), Article("a", "T", "\ud800"), Article("a", "T", "x" * 2_000_001)],
)
def test_article_that_cannot_be_kept_is_refused_and_changes_nothing(knowledge: KnowledgeBase, article: Article) -> None:
    with pytest.raises(SourceUnreadable):
        knowledge.put(article)
    assert knowledge.articles() == ()


def test_article_of_headings_alone_disturbs_no_search(knowledge: KnowledgeBase) -> None:
    knowledge.put(Article("bare", "Bare", "## Only a heading"))
    knowledge.put(Article("vpn", "VPN", "The tunnel drops."))
    assert knowledge.search("tunnel drops")[0].article_id == "vpn"


@pytest.mark.parametrize("question", STRANGE, ids=range(len(STRANGE)))
def test_any_text_is_a_question(knowledge: KnowledgeBase, source: Path, question: str) -> None:
    knowledge.sync(source)
    assert len({hit.article_id for hit in knowledge.search(question)}) <= len(knowledge.articles())
    assert isinstance(knowledge.answer(question), Answer | Abstention)


@pytest.mark.parametrize("question", ["", " \n", "🙂🙃", "?!"])
def test_question_without_words_is_said_to_be_empty(knowledge: KnowledgeBase, source: Path, question: str) -> None:
    knowledge.sync(source)
    reply = knowledge.answer(question)
    assert isinstance(reply, Abstention)
    assert reply.reason is AbstentionReason.EMPTY_QUESTION


def test_empty_knowledge_base_says_how_to_fill_it(knowledge: KnowledgeBase) -> None:
    reply = knowledge.answer("How do I print?")
    assert isinstance(reply, Abstention)
    assert reply.reason is AbstentionReason.EMPTY_KNOWLEDGE_BASE
    assert "triage kb sync" in reply.explanation
    assert knowledge.search("print") == []


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(alphabet="ab 🙂#\n.1-`|é", min_size=1, max_size=300).filter(str.strip), min_size=1, max_size=3
    ),
    question=st.text(alphabet="ab é", max_size=20),
)
def test_every_citation_is_verbatim(tmp_path_factory: pytest.TempPathFactory, texts: list[str], question: str) -> None:
    knowledge = KnowledgeBase.open(tmp_path_factory.mktemp("kb"), WordEncoder())
    for number, text in enumerate(texts):
        knowledge.put(Article(str(number), "T", text))
    for hit in knowledge.search(question):
        article = knowledge.article(hit.article_id)
        assert article
        assert article.text[hit.citation.start : hit.citation.end] == hit.citation.text
        assert hit.citation.article_digest == article.digest


def test_search_keeps_to_the_audiences(knowledge: KnowledgeBase) -> None:
    knowledge.put(Article("open", "Printer", "printer paper tray"))
    knowledge.put(Article("closed", "Printer", "printer paper tray password", audience="internal"))
    assert {hit.article_id for hit in knowledge.search("printer password")} == {"open", "closed"}
    assert [hit.article_id for hit in knowledge.search("printer password", audiences=["public"])] == ["open"]
    assert knowledge.search("printer", audiences=[]) == []


def test_articles_in_the_questions_language_come_first_and_the_others_stay(knowledge: KnowledgeBase) -> None:
    knowledge.put(Article("en", "VPN", "vpn client", language="en"))
    knowledge.put(Article("de", "VPN", "vpn client", language="de"))
    for language in ("en", "de"):
        assert knowledge.search("vpn client", language=language)[0].article_id == language
    assert len(knowledge.search("vpn client", language="fr")) == 2


def found_by(knowledge: KnowledgeBase, query: str, **filters: Any) -> set[str]:
    return {hit.article_id for hit in knowledge.search(query, **filters)}


def test_articles_on_another_product_are_left_out_and_those_on_none_stay(knowledge: KnowledgeBase) -> None:
    for article_id, product in {"kestrel": "Kestrel", "heron": "Heron", "any": None}.items():
        knowledge.put(Article(article_id, "Sync KES-2041", "sync KES-2041 stops", product=product))
    assert found_by(knowledge, "sync KES-2041") == {"kestrel", "heron", "any"}
    assert found_by(knowledge, "sync KES-2041", product=" kestrel") == {"kestrel", "any"}
    assert found_by(knowledge, "sync KES-2041", product="Quokka") == {"any"}
    assert found_by(knowledge, "sync KES-2041", product="Heron", limit=1) <= {"heron", "any"}


def test_articles_in_another_language_are_left_out_on_demand(knowledge: KnowledgeBase) -> None:
    for language in ("en", "de", None):
        knowledge.put(Article(language or "any", "VPN", "vpn client", language=language))
    assert found_by(knowledge, "vpn client", language="de", only_language=True) == {"de", "any"}


def test_answer_comes_from_articles_on_the_product(knowledge: KnowledgeBase) -> None:
    for product in ("Kestrel", "Heron"):
        knowledge.put(Article(product.lower(), "Sync stops", f"Sync stops on {product}. Restart it.", product=product))
    surely = Bar(0.0, NEVER, 0.0, "in this test")
    for product in ("Kestrel", "Heron"):
        said = knowledge.answer("sync stops on Heron", product=product, bar=surely)
        assert isinstance(said, Answer)
        assert said.citations[0].article_id == product.lower()
    nothing = knowledge.answer("sync stops", product="Quokka", bar=surely)
    assert isinstance(nothing, Abstention)
    assert (nothing.reason, nothing.nearest) == (AbstentionReason.NOTHING_FOUND, ())


def test_the_few_articles_on_a_product_are_found_behind_hundreds_on_another(tmp_path: Path, words: WordEncoder) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    for number in range(300):
        (folder / f"heron{number}.md").write_text(f"---\nproduct: Heron\n---\n# Sync stops\n\nsync stops {number}\n")
    (folder / "kestrel.md").write_text("---\nproduct: Kestrel\n---\n# Sync\n\nsync hardly ever stops with us\n")
    knowledge = KnowledgeBase.open(tmp_path / "kb", words)
    knowledge.sync(folder)
    assert [hit.article_id for hit in knowledge.search("sync stops", product="Kestrel")] == ["kestrel"]


@pytest.mark.parametrize("code", ["0x80070005", "KB5031455", "KES-2041", "FV-Staff", "AADSTS50105"])
def test_codes_and_names_find_the_article_that_has_them(knowledge: KnowledgeBase, code: str) -> None:
    for number, other in enumerate(["0x80070057", "KB5031356", "KES-2042", "FV-Guest", "AADSTS50058"]):
        knowledge.put(Article(f"other{number}", f"Error {other}", f"What {other} means and how to mend it."))
    knowledge.put(Article("right", "Known errors", f"A long list. Among them is {code}, which goes by itself."))
    assert knowledge.search(f"I get {code.lower()}, what now?")[0].article_id == "right"


def test_word_that_one_article_shouts_is_no_name(knowledge: KnowledgeBase) -> None:
    knowledge.put(Article("legal", "Notice", "THIRD-PARTY products are made by others."))
    knowledge.put(Article("other", "Notes", "A third-party product."))
    knowledge.put(Article("right", "Printer", "The printer of a customer jams with paper."))
    assert knowledge.search("the third-party printer jams with paper")[0].article_id == "right"
