"""Fit the gate of the knowledge base's answers and write ``kb/gate.json``.

    python bench/fit_gate.py --data DIR [--write]

Every judged query is asked twice: with its articles present, and with them taken away, where any answer is wrong.
The model learns whether the first article is right. The threshold is the lowest at which no set has more than 5 %
wrong among the answered, judged out of fold.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from kb.embedding import Encoder, load_encoder
from kb.evaluation import index_articles
from kb.gating import features
from kb.retrieval import Ranked, Retriever
from kb.sources.judged import JudgedQuery, read_articles, read_queries

REGULARISATION = 0.3
TARGET_WRONG = 0.05


def without(ranked: Ranked, retriever: Retriever, query: JudgedQuery) -> Ranked:
    """The candidates, stretched anew, as if the right articles were not there."""
    keep = np.array([retriever.articles[row].id not in query.relevant for row in ranked.rows])
    views = {name: getattr(ranked, name)[keep] for name in Ranked.__slots__}
    fused = views["fused"]
    if len(fused):
        views["fused"] = (fused - fused.min()) / max(float(np.ptp(fused)), 1e-9)
    return Ranked(**views)


def examples(
    retriever: Retriever, queries: list[JudgedQuery], encoder: Encoder
) -> tuple[list[dict[str, float]], list[bool]]:
    """(features, whether the first article is right), answerable and unanswerable in turn."""
    rows, right = [], []
    for query, vector in zip(queries, encoder.encode([q.text for q in queries]), strict=True):
        ranked = retriever.rank(query.text, vector)
        for candidates in (ranked, without(ranked, retriever, query)):
            rows.append(features(retriever, query.text, candidates))
            right.append(retriever.articles[candidates.rows[0]].id in query.relevant)
    return rows, right


def threshold_for(probability: np.ndarray, right: np.ndarray) -> float:
    """The lowest threshold above which at most the target share is wrong, and stays so for all higher ones."""
    order = np.argsort(-probability)
    wrong = np.cumsum(~right[order]) / np.arange(1, len(right) + 1)
    allowed = np.flatnonzero(wrong <= TARGET_WRONG)
    return float(probability[order][allowed[-1]]) if len(allowed) else 1.0


def main() -> None:
    """Fit, judge and print; ``--write`` stores the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    encoder = load_encoder(given.encoder)
    folder = given.data / "retrieval"
    sets = {}
    for name, articles, queries, qrels in (
        ("officedocs", "officedocs_articles.jsonl.gz", "officedocs_queries_dev.jsonl", None),
        ("stackfaq", "stackfaq/corpus.jsonl", "stackfaq/queries_dev.jsonl", "stackfaq/qrels_dev.tsv"),
    ):
        judged = read_queries(folder / queries, folder / qrels if qrels else None)
        retriever = index_articles(read_articles(folder / articles), encoder)
        sets[name] = examples(retriever, judged, encoder)
        print(name, "done", flush=True)
    names = list(sets["stackfaq"][0][0])
    data = {
        k: (np.array([[row[n] for n in names] for row in rows]), np.array(right)) for k, (rows, right) in sets.items()
    }
    every = np.concatenate([x for x, _ in data.values()]), np.concatenate([y for _, y in data.values()])
    report = {name: transfer(data, name) for name in data}
    x, y = every
    groups = np.arange(len(y)) // 2  # the two askings of a query stay together
    p = cross_val_predict(pipeline(), x, y, groups=groups, cv=GroupKFold(5), method="predict_proba")[:, 1]
    sizes = np.cumsum([len(right) for _, right in data.values()])[:-1]
    parts = list(zip(data, np.split(p, sizes), np.split(y, sizes), strict=True))
    threshold = max(threshold_for(part, right) for _, part, right in parts)
    for name, part, right in parts:
        said = part >= threshold
        report[name]["answered_of_answerable"] = round(float(said[::2].mean()), 4)
        report[name]["wrong_of_answered"] = round(float((~right[said]).mean()), 4)
        print(name, report[name])
    fitted = pipeline().fit(x, y)
    mean, scale, model = fitted[0].mean_, fitted[0].scale_, fitted[1]
    print("threshold", round(threshold, 4), dict(zip(names, model.coef_[0].round(2).tolist(), strict=True)))
    if given.write:
        stored = {
            "fitted_by": "python bench/fit_gate.py",
            "judged_queries": report,
            "features": names,
            "mean": mean.round(5).tolist(),
            "scale": scale.round(5).tolist(),
            "weights": model.coef_[0].round(5).tolist(),
            "bias": round(float(model.intercept_[0]), 5),
            "threshold": round(threshold, 4),
        }
        Path("kb/gate.json").write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")


def pipeline() -> Pipeline:
    """The model: features brought to one scale, then a logistic regression."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=REGULARISATION, max_iter=1000))


def transfer(data: dict[str, tuple[np.ndarray, np.ndarray]], name: str) -> dict[str, float]:
    """How well a gate that was fitted on the other sets tells right from wrong on this one."""
    others = [data[other] for other in data if other != name]
    fitted = pipeline().fit(np.concatenate([x for x, _ in others]), np.concatenate([y for _, y in others]))
    x, y = data[name]
    return {"auroc_when_fitted_on_the_others": round(float(roc_auc_score(y, fitted.predict_proba(x)[:, 1])), 4)}


if __name__ == "__main__":
    main()
