"""From which probability on has an answer been measured to be right often enough?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from kb import (
    NEVER,
    Bar,
    Encoder,
    Gate,
    GateChecked,
    JudgedBase,
    JudgedQuery,
    KnowledgeBase,
    Trial,
    ask_all,
    ask_both_ways,
    fit_on,
    outcomes,
    shipped_gate,
    usual_bar,
)
from triage.errors import BadInput
from triage.policy import AnswerPolicy
from triage.understand.certificate import Certificate, Evidence, Promise, Shortfall, certify, looks_at, lower_bound


def bar_for(gate: Gate, policy: AnswerPolicy) -> Bar:
    """How probable an answer must be under a policy, certified on the questions that the gate was checked on.

    A gate that was not checked on the desk's own questions keeps the bar it ships with.
    """
    if not len(gate.checked.right):
        usual = usual_bar(gate)
        return Bar(usual.give, usual.offer, policy.suggest_at, usual.basis)
    given = certify_answers(gate.checked, policy.target, policy.confidence, gate)
    offer = NEVER
    if gate.among:
        offer = _threshold(certify_answers(gate.among.checked, policy.target, policy.confidence, gate, choices=3))
    return Bar(_threshold(given), offer, policy.suggest_at, about_questions(given))


# With fewer judged queries a gate of one's own would be worse than the one that ships.
FEWEST_QUERIES = 50


def calibrate(knowledge: KnowledgeBase, judged: Sequence[JudgedQuery], encoder: Encoder) -> Gate:
    """Fit the gate of a desk on its own judged queries, each asked with and without its articles; not in force yet.

    Queries for which no article is right are asked once. Raises ``BadInput`` where there are too few, or no query has
    an article of this knowledge base.
    """
    base = knowledge.embedded()
    there = {article.id for article in base.articles}
    known = [query for query in judged if there & query.relevant.keys()]
    if len(known) < FEWEST_QUERIES:
        raise BadInput(
            f"{len(known)} of the {len(judged)} judged queries name an article of this knowledge base; a gate of its "
            f"own needs {FEWEST_QUERIES}. Until then the one that ships is used, which is conservative."
        )
    trials = ask_both_ways(base, [query for query in judged if query in known or not query.relevant], encoder)
    return replace(fit_on(trials, usual=shipped_gate()), date=datetime.now(UTC).isoformat(timespec="seconds"))


def certify_answers(
    checked: GateChecked, target: float, confidence: float, gate: Gate, *, choices: int = 1
) -> Certificate | Shortfall:
    """A certificate that ``target`` of the answers above a threshold are right; or what is missing for one.

    Giving an answer and offering a choice are two promises, each with the stated confidence.
    """
    promise = Promise("answer", None, choices, target, confidence, 1 - confidence)
    found, _ = certify(promise, checked.probability, checked.right, Evidence(model=gate.name, date=gate.date))
    return found


def about_questions(found: Certificate | Shortfall) -> str:
    """The certificate in words; what was checked here are questions."""
    return found.says.replace("checked ticket", "checked question").replace("more tickets", "more questions")


def _threshold(found: Certificate | Shortfall) -> float:
    return found.threshold if isinstance(found, Certificate) else NEVER


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How to judge the gate: the share of queries without their article, the wrong answers allowed, how surely."""

    hold_out: float = 0.5
    alpha: float = 0.05
    confidence: float = 0.7
    seed: int = 0


def held_out_figures(judged: JudgedBase, encoder: Encoder, how: HeldOut) -> dict[str, object]:
    """Take the right articles of some queries away; fit the gate on one half of the queries, report on the other.

    ``coverage`` is the share of the answerable queries that are answered rightly, ``wrong_answer_rate`` the share of
    the answers that are wrong. The threshold is the lowest at which the exact bound on the first half, seen out of
    fold, says with the stated confidence that at most ``alpha`` are wrong; the many looks are not paid for, so it is a
    figure to compare with and no promise.
    """
    trials = ask_all(judged.base, judged.queries, encoder, hold_out=how.hold_out, seed=how.seed)
    fitting, reporting = halves(trials, how.seed + 1)
    gate = fit_on(fitting)
    return {
        "gate": gate_figures(gate, reporting, how),
        "citations": citation_figures(reporting, {article.id: article.text for article in judged.base.articles}),
    }


def halves(trials: Sequence[Trial], seed: int) -> tuple[list[Trial], list[Trial]]:
    """The trials of a random half of the queries, and the others."""
    queries = sorted({trial.query for trial in trials})
    first = set(np.random.default_rng(seed).permutation(queries)[: len(queries) // 2].tolist())
    return [t for t in trials if t.query in first], [t for t in trials if t.query not in first]


def lowest_threshold(checked: GateChecked, alpha: float, confidence: float) -> float:
    """The lowest probability from which on at most ``alpha`` are wrong by the exact bound; ``NEVER`` without any."""
    looks = looks_at(checked.probability, ~checked.right, least=1)
    passed = [look for look in looks if lower_bound(look.n, look.errors, 1 - confidence) >= 1 - alpha]
    return passed[-1].threshold if passed else NEVER


def gate_figures(gate: Gate, trials: Sequence[Trial], how: HeldOut) -> dict[str, object]:
    """How the gate does on trials that it has not seen; rates are None where there is nothing to count."""
    said = gate.probabilities([trial.features for trial in trials])
    right, _ = outcomes(trials)
    answerable = np.array([trial.is_answerable for trial in trials], dtype=np.bool_)
    threshold = lowest_threshold(gate.checked, how.alpha, how.confidence)
    answered = said >= threshold
    return {
        "queries": len(trials),
        "answerable": int(answerable.sum()),
        "auroc": auroc(said, right),
        "alpha": how.alpha,
        "confidence": how.confidence,
        "threshold": threshold if threshold < NEVER else None,
        "answered": int(answered.sum()),
        "coverage": _share(answered & right, answerable),
        "wrong_answer_rate": _share(answered & ~right, answered),
        "wrong_of_all_queries": float((answered & ~right).mean()) if len(trials) else None,
    }


def citation_figures(trials: Sequence[Trial], texts: Mapping[str, str]) -> dict[str, int]:
    """How many of the answers' words stand in their article exactly where the citation says."""
    cited = [trial.citation for trial in trials]
    verbatim = sum(texts.get(one.article_id, "")[one.start : one.end] == one.text for one in cited)
    return {"checked": len(cited), "verbatim": verbatim}


def auroc(said: np.ndarray, right: np.ndarray) -> float | None:
    """The chance that a right one is surer than a wrong one, ties counting half; None without both kinds."""
    if right.all() or not right.any():
        return None
    values, place, count = np.unique(said, return_inverse=True, return_counts=True)
    del values
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positive, negative = int(right.sum()), int((~right).sum())
    return float((rank[right].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _share(part: np.ndarray, whole: np.ndarray) -> float | None:
    return float(part.sum() / whole.sum()) if whole.any() else None
