"""How well and how fast does the knowledge base find the right article?

    python bench/retrieval.py --data DIR [--json]

Judged queries of two sets, with and without titles: the fused search beside its views alone, in one run.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

from kb.embedding import load_encoder
from kb.evaluation import DEPTH, index_articles, score
from kb.retrieval import Ranked
from kb.sources.judged import read_articles, read_queries

SETS = {
    "stackfaq": ("stackfaq/corpus.jsonl", "stackfaq/queries_dev.jsonl", "stackfaq/qrels_dev.tsv"),
    "officedocs": ("officedocs_articles.jsonl.gz", "officedocs_queries_dev.jsonl", None),
}
VIEWS = ("fused", "passage_cosine", "article_cosine", "lexical")


def main() -> None:
    """Measure every set and print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds retrieval/")
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    faiss.omp_set_num_threads(1)
    report = {
        f"{name}{'' if titles else ' without titles'}": measured(given.data / "retrieval", name, titles, given.encoder)
        for name in SETS
        for titles in (True, False)
    }
    print(json.dumps(report, indent=1) if given.json else table(report))


def measured(folder: Path, name: str, titles: bool, encoder_folder: Path) -> dict[str, dict[str, float]]:
    """Metrics by view, and under ``cost`` CPU milliseconds for a query (thereof encoding) and resident megabytes."""
    articles, queries, qrels = SETS[name]
    encoder = load_encoder(encoder_folder, threads=1)
    judged = read_queries(folder / queries, folder / qrels if qrels else None)
    began = time.process_time()
    retriever = index_articles(read_articles(folder / articles, titles=titles), encoder)
    indexed = time.process_time()
    vectors = np.concatenate([encoder.encode([query.text]) for query in judged])
    encoded = time.process_time()
    ranked = [retriever.rank(query.text, vector) for query, vector in zip(judged, vectors, strict=True)]
    searched = time.process_time()
    relevant = [query.relevant for query in judged]
    report = {
        view: score(relevant, [[retriever.articles[row].id for row in first(one, view)] for one in ranked])
        for view in VIEWS
    }
    return report | {
        "cost": {
            "index_cpu_s": indexed - began,
            "encode_cpu_ms": 1000 * (encoded - indexed) / len(judged),
            "search_cpu_ms": 1000 * (searched - encoded) / len(judged),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    }


def first(ranked: Ranked, view: str) -> Sequence[int]:
    """The first rows by one view alone; each view has proposed its own best among the candidates."""
    order = np.argsort(-getattr(ranked, view), kind="stable")[:DEPTH]
    return [int(row) for row in ranked.rows[order]]


def table(report: dict[str, dict[str, dict[str, float]]]) -> str:
    """One line for each set and view."""
    lines = []
    for name, views in report.items():
        for view, values in views.items():
            lines.append(f"{name:28} {view:15} " + "  ".join(f"{key} {value:.3f}" for key, value in values.items()))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
