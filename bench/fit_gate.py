"""Fit the gate of the knowledge base's answers and write ``kb/gate.json``.

    python -m bench.fit_gate --data DIR [--write]

Every judged query is asked twice: with its articles present, and with them taken away, where any answer is wrong. The
model learns whether the first article is right. The threshold is the lowest at which at most 5 % of the answers to the
queries of all sets are wrong, judged out of fold.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from kb import Gate, GateChecked, Trial, ask_both_ways, embed_articles, fit_on, load_encoder, outcomes
from kb import read_judged_articles as read_articles
from kb import read_judged_queries as read_queries
from kb.gating import PORTABLE, as_json
from triage.learning.answers import auroc

TARGET_WRONG = 0.05
SETS = (
    ("officedocs", "officedocs_articles.jsonl.gz", "officedocs_queries_dev.jsonl", None),
    ("stackfaq", "stackfaq/corpus.jsonl", "stackfaq/queries_dev.jsonl", "stackfaq/qrels_dev.tsv"),
)


def threshold_for(checked: GateChecked) -> float:
    """The lowest threshold above which at most the target share is wrong."""
    order = np.argsort(-checked.probability)
    wrong = np.cumsum(~checked.right[order]) / np.arange(1, len(order) + 1)
    allowed = np.flatnonzero(wrong <= TARGET_WRONG)
    return float(checked.probability[order][allowed[-1]]) if len(allowed) else 1.0


def part(checked: GateChecked, rows: slice) -> GateChecked:
    """Some of the questions."""
    return GateChecked(checked.probability[rows], checked.right[rows])


def main() -> None:
    """Fit, judge and print; ``--write`` stores the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    encoder = load_encoder(given.encoder)
    folder = given.data / "retrieval"
    sets: dict[str, list[Trial]] = {}
    for name, articles, queries, qrels in SETS:
        judged = read_queries(folder / queries, folder / qrels if qrels else None)
        sets[name] = ask_both_ways(embed_articles(read_articles(folder / articles), encoder), judged, encoder)
    # The askings of a query stay together, those of different sets apart.
    every: list[Trial] = []
    for trials in sets.values():
        first = max((trial.query for trial in every), default=-1) + 1
        every += [replace(trial, query=trial.query + first) for trial in trials]
    gate = fit_on(every, names=PORTABLE)
    report = {name: figures(gate, sets, every, name) for name in sets}
    print(json.dumps(report, indent=1))
    print({name: round(float(weight), 2) for name, weight in zip(gate.names, gate.weights, strict=True)})
    if given.write:
        write(gate, report)


def slices(sets: dict[str, list[Trial]]) -> dict[str, slice]:
    """Which of all trials are those of each set."""
    ends = np.cumsum([len(trials) for trials in sets.values()]).tolist()
    return {name: slice(end - len(trials), end) for (name, trials), end in zip(sets.items(), ends, strict=True)}


def figures(gate: Gate, sets: dict[str, list[Trial]], every: list[Trial], name: str) -> dict[str, float | None]:
    """How the gate does on one set at its threshold, and how one fitted on the other sets alone would do there."""
    checked = part(gate.checked, slices(sets)[name])
    threshold = threshold_for(gate.checked)
    answered = checked.probability >= threshold
    answerable = np.array([trial.is_answerable for trial in sets[name]])
    others = fit_on([trial for other, trials in sets.items() if other != name for trial in trials], names=PORTABLE)
    right, _ = outcomes(sets[name])
    elsewhere = auroc(others.probabilities([trial.features for trial in sets[name]]), right)
    return {
        "auroc_when_fitted_on_the_others": elsewhere and round(elsewhere, 4),
        "threshold": round(threshold, 4),
        "answered_of_answerable": round(float((answered & answerable).sum() / answerable.sum()), 4),
        "wrong_of_answered": round(float((answered & ~checked.right).sum() / max(1, answered.sum())), 4),
    }


def write(gate: Gate, report: dict[str, dict[str, float | None]]) -> None:
    """Store the gate without the questions: on another desk they certify nothing."""
    assert gate.among
    nothing = GateChecked(np.empty(0), np.empty(0, dtype=np.bool_))

    def bare(one: Gate) -> Gate:
        return replace(one, threshold=threshold_for(one.checked), checked=nothing, among=None)

    stored = json.loads(as_json(replace(bare(gate), among=bare(gate.among))))
    content = {"fitted_by": "python -m bench.fit_gate", "judged_queries": report, **stored}
    Path("kb/gate.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
