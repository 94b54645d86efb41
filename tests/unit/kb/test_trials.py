import numpy as np
import pytest

from kb import Article, JudgedQuery, ask_all, ask_both_ways, embed_articles, fit_on, outcomes
from kb.evaluation import Embedded
from tests.unit.kb.doubles import WordEncoder

TOPICS = ["mailbox", "printer", "badge", "tunnel", "headset", "licence", "monitor", "password", "scanner", "phone"]


@pytest.fixture(scope="module")
def base() -> Embedded:
    articles = [Article(topic, f"About the {topic}", f"Mend the {topic} by turning it round.") for topic in TOPICS]
    return embed_articles(articles, WordEncoder())


@pytest.fixture(scope="module")
def queries() -> list[JudgedQuery]:
    return [JudgedQuery(topic, f"my {topic} is broken", {topic: 1}) for topic in TOPICS]


def test_share_of_the_queries_loses_its_articles_for_good(base: Embedded, queries: list[JudgedQuery]) -> None:
    trials = ask_all(base, queries, WordEncoder(), hold_out=0.5)
    assert sum(not trial.is_answerable for trial in trials) == 5
    held = {TOPICS[trial.query] for trial in trials if not trial.is_answerable}
    assert not held & {trial.citation.article_id for trial in trials}
    assert all(trial.right == trial.is_answerable for trial in trials)


def test_queries_with_common_articles_do_not_all_become_unanswerable(base: Embedded) -> None:
    asked = [JudgedQuery(str(n), f"my {TOPICS[n % 10]} is broken", dict.fromkeys(TOPICS[:9], 1)) for n in range(20)]
    asked += [JudgedQuery(f"p{n}", "my phone is broken", {"phone": 1}) for n in range(20)]
    trials = ask_all(base, asked, WordEncoder(), hold_out=0.5)
    assert 0 < sum(trial.is_answerable for trial in trials) < 40


def test_every_query_is_asked_with_and_without_its_articles(base: Embedded, queries: list[JudgedQuery]) -> None:
    trials = ask_both_ways(base, queries, WordEncoder())
    assert sorted(trial.query for trial in trials) == sorted([*range(10), *range(10)])
    assert sum(trial.is_answerable for trial in trials) == 10


def test_query_without_a_right_article_is_asked_once_and_never_right(base: Embedded) -> None:
    [trial] = ask_both_ways(base, [JudgedQuery("x", "my printer is broken", {})], WordEncoder())
    assert (trial.right, trial.among, trial.is_answerable) == (False, False, False)


def test_gate_is_checked_on_questions_it_was_not_fitted_on(base: Embedded, queries: list[JudgedQuery]) -> None:
    trials = ask_both_ways(base, queries, WordEncoder())
    gate = fit_on(trials)
    right, _ = outcomes(trials)
    assert np.array_equal(gate.checked.right, right)
    in_sample = gate.probabilities([trial.features for trial in trials])
    assert not np.allclose(gate.checked.probability, in_sample)
    assert gate.among


def test_knowledge_base_of_which_nothing_is_left_gives_no_trials() -> None:
    alone = embed_articles([Article("printer", "Printer", "Pull the paper out.")], WordEncoder())
    trials = ask_both_ways(alone, [JudgedQuery("q", "printer", {"printer": 1})], WordEncoder())
    assert [trial.is_answerable for trial in trials] == [True]
