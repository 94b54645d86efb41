"""Fit the weights of the ranking and write ``kb/fusion.json``.

    python -m bench.fit_fusion --data DIR [--cache DIR] [--write]

Judged queries of two sets, each with and without titles, count the same. Printed for each: the measures with weights
that were fitted out of fold on all sets, with weights of the other knowledge base alone, and with those that are
written. ``--cache`` keeps the vectors between runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.retrieval import SETS
from kb.articles import FloatArray, Progress
from kb.embedding import Encoder, load_encoder
from kb.evaluation import index_articles
from kb.sources.judged import read_articles, read_queries
from kb.tuning import FOLDS, Example, examples, fit, folds, judged

Sets = dict[str, list[Example]]


class CachingEncoder:
    """An encoder that keeps what it has encoded in a folder."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._encoder, self._folder = encoder, folder
        self.dimension, self.fingerprint = encoder.dimension, encoder.fingerprint

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> FloatArray:
        """(n, d), read from the folder where these very texts were encoded before."""
        key = hashlib.sha256(json.dumps([self.fingerprint, list(texts)]).encode()).hexdigest()[:24]
        path = self._folder / f"{key}.npy"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            np.save(path, self._encoder.encode(texts, progress=progress))
        vectors: FloatArray = np.load(path, allow_pickle=False)
        return vectors


def main() -> None:
    """Fit, judge and print; ``--write`` stores the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    encoder: Encoder = load_encoder(given.encoder)
    if given.cache:
        encoder = CachingEncoder(encoder, given.cache)
    sets = seen(given.data / "retrieval", encoder)
    unseen = out_of_fold(sets)
    fusion = fit(list(sets.values()))
    report: dict[str, dict[str, dict[str, float]]] = {}
    for name, found in sets.items():
        others = [sets[other] for other in sets if other.split()[0] != name.split()[0]]
        report[name] = {
            "out_of_fold": unseen[name],
            "fitted_on_the_other": rounded(judged(found, [fit(others)] * len(found))),
            "written": rounded(judged(found, [fusion] * len(found))),
        }
        for way, measures in report[name].items():
            print(f"{name:26} {way:20} recall@1 {measures['recall@1']:.4f}  nDCG@10 {measures['ndcg@10']:.4f}")
    print(json.dumps(fusion.named()))
    if given.write:
        stored = {"fitted_by": "python -m bench.fit_fusion", "judged_queries": report, "weights": fusion.named()}
        Path("kb/fusion.json").write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")


def seen(folder: Path, encoder: Encoder) -> Sets:
    """The examples of every set, with and without titles."""
    found = {}
    for name, (articles, queries, qrels) in SETS.items():
        asked = read_queries(folder / queries, folder / qrels if qrels else None)
        vectors = encoder.encode([query.text for query in asked])
        for titles in (True, False):
            retriever = index_articles(read_articles(folder / articles, titles=titles), encoder)
            found[f"{name}{'' if titles else ' without titles'}"] = examples(retriever, asked, vectors)
    return found


def out_of_fold(sets: Sets) -> dict[str, dict[str, float]]:
    """The measures of each set with weights fitted on the other folds of all sets."""
    at = {name: folds(found) for name, found in sets.items()}
    fitted = [
        fit([[one for one, fold in zip(sets[name], at[name], strict=True) if fold != out] for name in sets])
        for out in range(FOLDS)
    ]
    return {name: rounded(judged(found, [fitted[fold] for fold in at[name]])) for name, found in sets.items()}


def rounded(measures: dict[str, float]) -> dict[str, float]:
    """Four decimals."""
    return {name: round(value, 4) for name, value in measures.items()}


if __name__ == "__main__":
    main()
