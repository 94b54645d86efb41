"""Whoever may not see an article gets what a knowledge base without it would say."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kb import Abstention, AbstentionReason, Answer, Article, Bar, KnowledgeBase, store
from kb.revision import revised
from tests.unit.kb.doubles import WordEncoder

WORDS = st.sampled_from(("printer", "badge", "tunnel", "KES-2041", "headset", "mend", "turn", "press", "the", "red"))
TEXTS = st.lists(WORDS, min_size=1, max_size=8).map(" ".join)
AUDIENCES = ("public", "internal", "finance")
ARTICLES = st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from(AUDIENCES)), min_size=1, max_size=8)
ALLOWED = st.sets(st.sampled_from(AUDIENCES), min_size=1).map(lambda some: tuple(sorted(some)))


def opened(articles: list[Article]) -> KnowledgeBase:
    encoder = WordEncoder()
    snapshot, _ = revised(store.empty(encoder.dimension), articles, encoder, None)
    return KnowledgeBase(Path("nowhere"), encoder, snapshot)


@settings(max_examples=60, deadline=None)
@given(ARTICLES, st.lists(TEXTS, min_size=1, max_size=4), ALLOWED, st.sampled_from([0.0, 0.5, 2.0]))
def test_articles_for_others_change_no_answer_score_or_order(
    given_articles: list[tuple[str, str, str]], queries: list[str], allowed: tuple[str, ...], give: float
) -> None:
    articles = [Article(f"a{n}", title, text, audience=to) for n, (title, text, to) in enumerate(given_articles)]
    mine = [article for article in articles if article.audience in allowed]
    bar = Bar(give=give, offer=0.6, suggest=0.3, basis="")
    whole, part = opened(articles), opened(mine)
    for query in queries:
        assert whole.search(query, audiences=allowed) == part.search(query)
        one, other = (base.answer(query, audiences=allowed, bar=bar) for base in (whole, part))
        assert said(one) == said(other)


def said(reply: Answer | Abstention) -> Answer | Abstention:
    """The reply without its reason in words: that there is something for others may be said, and nothing else."""
    if isinstance(reply, Answer):
        return reply
    return replace(reply, reason=AbstentionReason.NOT_SURE, explanation="")
