"""A retriever that was changed says what one built anew says."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb import Article, lexical
from kb.evaluation import embed_articles
from kb.retrieval import Retriever, Seen
from tests.unit.kb.doubles import WordEncoder

WORDS = st.sampled_from(
    ("printer", "badge", "tunnel", "KES-2041", "KB5031455", "ADD-INS", "add-ins", "headset", "mend", "the", "Drucker")
)
TEXTS = st.lists(WORDS, min_size=1, max_size=8).map(" ".join)
BODIES = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3).map(
    lambda parts: "\n\n".join(f"## {heading}\n\n{text}" for heading, text in parts)
)
IDS = st.sampled_from([f"a{number}" for number in range(8)])
PRODUCTS = st.sampled_from(["Heron", None])
LANGUAGES = st.sampled_from(["en", "de", None, "xx"])
ARTICLES = st.lists(
    st.builds(Article, IDS, TEXTS, BODIES, language=LANGUAGES, product=PRODUCTS), unique_by=lambda one: one.id
)
ENCODER = WordEncoder()


@pytest.fixture(autouse=True, scope="module")
def _changeable() -> Iterator[None]:
    """Indexes of words that can be changed, however small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexical, "REBUILT_UP_TO", 0)
        yield


def built(articles: list[Article]) -> Retriever:
    return embed_articles(sorted(articles, key=lambda one: one.id), ENCODER).retriever()


def heron(retriever: Retriever) -> np.ndarray | None:
    return retriever.fitting(product="heron", language=None)


def by_article(retriever: Retriever, seen: Seen) -> dict[str, dict[str, float]]:
    """What each view says of each article; but not how near it is to the nearest of all, since of
    equally near ones either may be meant."""
    ids = [retriever.articles[row].id for row in seen.rows]
    views = {name: view for name, view in seen.views.items() if name != "company"}
    views |= {"cosine": seen.article_cosine, "best": seen.passage_cosine}
    texts = [retriever.passages[number].start for number in seen.passages]
    return {
        one: {"start": start, **{name: float(view[at]) for name, view in views.items()}}
        for at, (one, start) in enumerate(zip(ids, texts, strict=True))
    }


@settings(max_examples=60, deadline=None)
@given(ARTICLES.filter(bool), ARTICLES, st.sets(IDS), st.lists(TEXTS, min_size=1, max_size=3))
def test_changed_retriever_sees_what_one_built_anew_sees(
    base: list[Article], added: list[Article], removed: set[str], queries: list[str]
) -> None:
    now = {one.id: one for one in base if one.id not in removed} | {one.id: one for one in added}
    gone = {one.id for one in base if one.id in removed or now[one.id] is not one}
    changed, anew = built(base).changed(gone, built(added)), built(list(now.values()))
    assert set(changed.ids) == set(anew.ids) == set(now)
    for query in queries:
        vector = ENCODER.encode([query])[0]
        one, other = (by_article(each, each.look(query, vector)) for each in (changed, anew))
        # A product of matrices rounds by where a row stands.
        assert one == {article_id: pytest.approx(said, abs=1e-6) for article_id, said in other.items()}
        one, other = (by_article(each, each.look(query, vector, among=heron(each))) for each in (changed, anew))
        assert one == {article_id: pytest.approx(said, abs=1e-6) for article_id, said in other.items()}
        assert {now[article_id].product for article_id in one} <= {"Heron", None}
        for word in query.lower().split():
            assert changed.rarity(word) == anew.rarity(word)
            assert (changed.is_rare(word), changed.knows(word)) == (anew.is_rare(word), anew.knows(word))
        for row, article in enumerate(anew.articles):
            at = changed._row_of[article.id]
            assert changed.passages_of(at) == list(anew.passages_of(row))
            assert np.allclose(changed.passage_cosines(at, vector), anew.passage_cosines(row, vector), atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(ARTICLES.filter(bool), ARTICLES.filter(bool), TEXTS)
def test_added_articles_get_the_bm25_of_an_index_built_anew(
    base: list[Article], more: list[Article], query: str
) -> None:
    added = [Article(f"b{one.id}", one.title, one.text, language=one.language) for one in more]
    changed, anew = built(base).changed((), built(added)), built(base + added)

    def scores(retriever: Retriever) -> dict[str, float]:
        found = retriever._lexical.search(query, 100)
        return {retriever.articles[row].id: pytest.approx(score, rel=1e-5) for row, score in found}

    assert scores(changed) == {one: score.expected for one, score in scores(anew).items()}


def test_changed_retriever_leaves_the_one_it_came_from_as_it_was() -> None:
    vpn, jam = Article("vpn", "VPN", "The tunnel drops."), Article("jam", "Jam", "Pull the paper out.")
    base = built([vpn])
    changed = base.changed({"vpn"}, built([jam]))
    again = base.changed((), built([jam]))
    vector = ENCODER.encode(["tunnel paper"])[0]

    def found(retriever: Retriever) -> set[str]:
        return {retriever.articles[row].id for row in retriever.rank("tunnel paper", vector).rows}

    assert (found(base), found(changed), found(again)) == ({"vpn"}, {"jam"}, {"vpn", "jam"})
    assert [row for row, _ in base._lexical.search("tunnel paper", 5)] == [0]
