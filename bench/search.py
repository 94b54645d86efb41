"""How fast, how small and how right is the search among a million vectors?

    python -m bench.search [--passages 1000000] [--clusters N] [--seed 0] [--without-rivals] [--json]

Vectors in clusters, as passages lie by their topics; queries from the same clusters. Ours proposes a hundred and sorts
them by the vectors themselves, memory-mapped, as every search of the knowledge base does; "index_alone" does not sort.
FAISS's exact search is the truth and, like usearch and hnswlib where they are installed, stands beside ours on the same
vectors, on one thread.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np

from bench._timing import quantiles, timed
from kb.retrieval import CANDIDATES
from kb.vectors import PROBES, VectorIndex

DIMENSION = 384
QUERIES = 1000
# Exact search of a million takes a tenth of a second.
TIMED_EXACTLY = 50
NEAREST = 10
# So many passages lie around one topic, as far from it as it is long.
PER_CLUSTER = 50
STRETCH = 10_000
CHANGES = 500
# As many links as hnswlib's default, and enough looked at to find what the cells find.
LINKS, LOOKED_AT = 16, 128

Report = dict[str, object]
Search = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Measure, and print a table or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--clusters", type=int, help="by default one for 50 passages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-rivals", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    faiss.omp_set_num_threads(1)
    vectors, queries = clustered(given.passages, given.clusters or max(1, given.passages // PER_CLUSTER), given.seed)
    truth, exact = measured_exact(vectors, queries)
    report: Report = {"passages": given.passages, "seed": given.seed, "threads": 1}
    report |= measured(vectors, queries, truth) | {"faiss_flat": exact}
    if not given.without_rivals:
        report |= {"usearch": rival("usearch", with_usearch, vectors, queries, truth)}
        report |= {"hnswlib": rival("hnswlib", with_hnswlib, vectors, queries, truth)}
    print(json.dumps(report, indent=1) if given.json else table(report))


def clustered(count: int, clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, 384) unit vectors around so many topics, and (1000, 384) queries around the same ones."""
    random = np.random.default_rng(seed)
    topics = _unit(random.standard_normal((clusters, DIMENSION), dtype=np.float32))

    def around(some: int) -> np.ndarray:
        away = random.standard_normal((some, DIMENSION), dtype=np.float32) / DIMENSION**0.5
        return _unit(topics[random.integers(0, clusters, some)] + away)

    vectors = np.empty((count, DIMENSION), dtype=np.float32)
    for start in range(0, count, STRETCH):
        vectors[start : start + STRETCH] = around(min(STRETCH, count - start))
    return vectors, around(QUERIES)


def measured_exact(vectors: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, Report]:
    """The true ten of each query (q, 10), and what finding them costs."""
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(vectors)
    _, truth = index.search(queries, NEAREST)
    taken = timed(_each(lambda query: index.search(query[None], NEAREST)[1][0], queries), TIMED_EXACTLY)
    return truth, {"recall@10": 1.0, **quantiles(taken), "bytes_per_passage": 4.0 * DIMENSION}


def measured(vectors: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> Report:
    """Ours: built, written, opened from disk, searched and changed."""
    began = time.perf_counter()
    built = VectorIndex(vectors)
    built_after = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        path, exactly = Path(folder) / "index", Path(folder) / "vectors.npy"
        built.write(path)
        np.save(exactly, vectors)
        del built
        began = time.perf_counter()
        index = VectorIndex.read(path)
        mapped = np.asarray(np.load(exactly, mmap_mode="r"))

        def search(query: np.ndarray) -> np.ndarray:
            rows = index.search(query, CANDIDATES)
            return rows[np.argsort(-(mapped[rows] @ query), kind="stable")[:NEAREST]]

        search(queries[0])
        ready_after = time.perf_counter() - began
        return {
            "index": index.kind + ("" if index.is_exact else f", {PROBES} cells searched"),
            "build_s": round(built_after, 1),
            "bytes_per_passage": round(path.stat().st_size / len(vectors), 1),
            "ready_from_disk_s": round(ready_after, 4),
            **found(search, queries, truth),
            "index_alone": found(lambda query: index.search(query, NEAREST), queries, truth),
            **measured_changes(index, queries),
        }


def measured_changes(index: VectorIndex, queries: np.ndarray) -> Report:
    """Milliseconds until a changed vector is searched, a removed one no longer; changes add up, and then a query."""
    state = [index]
    rows = iter(range(2 * CHANGES))

    def update() -> None:
        number = next(rows)
        state[0] = state[0].changed(removed=np.array([number]), added=queries[number : number + 1])

    def delete() -> None:
        state[0] = state[0].changed(removed=np.array([next(rows)]), added=queries[:0])

    update_ms, delete_ms = timed(update, CHANGES), timed(delete, CHANGES)
    after = timed(_each(lambda query: state[0].search(query, NEAREST), queries), QUERIES)
    return {
        "update": quantiles(update_ms),
        "delete": quantiles(delete_ms),
        f"query_after_{2 * CHANGES}_changes": quantiles(after),
    }


def found(search: Search, queries: np.ndarray, truth: np.ndarray) -> Report:
    """recall@10 against the truth, and milliseconds of one query."""
    right = sum(len(np.intersect1d(search(query), true)) for query, true in zip(queries, truth, strict=True))
    return {"recall@10": round(right / truth.size, 4), **quantiles(timed(_each(search, queries), QUERIES))}


def rival(
    name: str,
    build: Callable[[np.ndarray], tuple[Search, int]],
    vectors: np.ndarray,
    queries: np.ndarray,
    truth: np.ndarray,
) -> Report:
    """Another library on the same vectors, or that it is not installed."""
    if importlib.util.find_spec(name) is None:
        return {"absent": f"pip install {name}"}
    began = time.perf_counter()
    search, size = build(vectors)
    built_after = time.perf_counter() - began
    return {
        "build_s": round(built_after, 1),
        "bytes_per_passage": round(size / len(vectors), 1),
        **found(search, queries, truth),
    }


def with_usearch(vectors: np.ndarray) -> tuple[Search, int]:
    """usearch: a graph over 8-bit numbers."""
    from usearch.index import Index  # not a dependency: a rival, where it is installed

    index = Index(ndim=DIMENSION, metric="ip", dtype="i8", connectivity=LINKS, expansion_search=LOOKED_AT)
    index.add(np.arange(len(vectors)), vectors, threads=1)
    return lambda query: index.search(query, NEAREST, threads=1).keys, index.memory_usage


def with_hnswlib(vectors: np.ndarray) -> tuple[Search, int]:
    """hnswlib: a graph over the numbers as they are."""
    import hnswlib  # not a dependency: a rival, where it is installed

    index = hnswlib.Index(space="ip", dim=DIMENSION)
    index.init_index(max_elements=len(vectors), M=LINKS, ef_construction=LOOKED_AT)
    index.set_num_threads(1)
    index.add_items(vectors)
    index.set_ef(LOOKED_AT)
    return lambda query: index.knn_query(query, NEAREST)[0][0], index.index_file_size()


def table(report: Report) -> str:
    """One line for each figure."""
    return "\n".join(f"{name:26} {value}" for name, value in report.items())


def _each(search: Search, queries: np.ndarray) -> Callable[[], object]:
    left = iter(np.tile(np.arange(len(queries)), 2))
    return lambda: search(queries[next(left)])


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
