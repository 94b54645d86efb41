from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kb import NEVER, Article, Gate, GateChecked, JudgedQuery, KnowledgeBase
from kb.gating import shipped_gate
from tests.unit.kb.doubles import WordEncoder
from triage.errors import BadInput
from triage.learning.answers import auroc, bar_for, calibrate, lowest_threshold
from triage.policy import AnswerPolicy


def checked(right: int, wrong: int) -> GateChecked:
    """The right ones are surer than the wrong ones."""
    said = np.concatenate([np.linspace(0.99, 0.8, right), np.linspace(0.5, 0.1, wrong)])
    return GateChecked(said, np.arange(right + wrong) < right)


def own_gate(given: GateChecked) -> Gate:
    return replace(shipped_gate(), name="own", checked=given, among=replace(shipped_gate(), checked=given))


def test_gate_of_the_desk_answers_from_its_certified_threshold_on() -> None:
    bar = bar_for(own_gate(checked(100, 60)), AnswerPolicy())
    assert 0.5 <= bar.give <= 0.8
    assert bar.offer == bar.give
    assert "at least 95% are, with 95% confidence" in bar.basis


def test_gate_of_the_desk_that_cannot_be_certified_answers_nothing_and_says_what_is_missing() -> None:
    bar = bar_for(own_gate(checked(40, 0)), AnswerPolicy(suggest_at=0.3))
    assert (bar.give, bar.offer, bar.suggest) == (NEVER, NEVER, 0.3)
    assert "19 more without an error certify 95%" in bar.basis


def test_laxer_policy_is_certified_on_fewer_questions() -> None:
    assert bar_for(own_gate(checked(40, 0)), AnswerPolicy(target=0.9)).give < 1


def test_gate_that_ships_keeps_its_own_threshold_and_says_that_it_was_not_checked_here() -> None:
    bar = bar_for(shipped_gate(), AnswerPolicy(suggest_at=0.4))
    assert (bar.give, bar.suggest) == (shipped_gate().threshold, 0.4)
    assert "not been checked on this desk's own" in bar.basis


def test_auroc_is_that_of_scikit_learn_also_with_ties() -> None:
    random = np.random.default_rng(3)
    said, right = random.integers(0, 9, 200) / 9, random.random(200) < 0.4
    assert auroc(said, right) == pytest.approx(roc_auc_score(right, said))
    assert auroc(said, np.ones(200, dtype=np.bool_)) is None


def test_lowest_threshold_takes_in_as_many_as_the_bound_allows() -> None:
    given = checked(60, 60)
    threshold = lowest_threshold(given, 0.05, 0.5)
    answered = given.probability >= threshold
    assert 0 < (answered & ~given.right).sum() / answered.sum() <= 0.05
    assert lowest_threshold(checked(0, 60), 0.05, 0.5) == NEVER


def test_calibrating_needs_queries_about_articles_that_are_there(tmp_path: Path) -> None:
    encoder = WordEncoder()
    knowledge = KnowledgeBase.open(tmp_path, encoder)
    knowledge.put(Article("printer", "Printer", "Pull the paper out."))
    judged = [JudgedQuery(str(n), "printer", {"printer" if n < 49 else "gone": 1}) for n in range(80)]
    with pytest.raises(BadInput, match="49 of the 80 judged queries"):
        calibrate(knowledge, judged, encoder)


def test_calibrated_gate_knows_what_the_articles_answer(tmp_path: Path) -> None:
    encoder = WordEncoder()
    knowledge = KnowledgeBase.open(tmp_path, encoder)
    topics = [f"thing{n}" for n in range(80)]
    for topic in topics:
        knowledge.put(Article(topic, f"About {topic}", f"Mend {topic} by turning it round."))
    judged = [JudgedQuery(topic, f"how do I mend {topic}", {topic: 1}) for topic in topics]
    gate = calibrate(knowledge, judged, encoder)
    found = auroc(gate.checked.probability, gate.checked.right)
    assert found
    assert found > 0.9
