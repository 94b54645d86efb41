import gzip
import json
import math
from pathlib import Path

import pytest

from kb import SourceUnreadable, evaluate_retrieval, read_judged_base
from kb.evaluation import score
from kb.sources import read_articles, read_queries
from tests.unit.kb.doubles import WordEncoder

ARTICLES = [
    {"_id": "1", "title": "Printer", "text": "# Printer\n\npaper tray"},
    {"_id": "2", "title": "VPN", "text": "tunnel client"},
]


def lines(path: Path, *records: object) -> Path:
    content = "\n".join(json.dumps(record) for record in records).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_measures_are_those_of_the_textbook() -> None:
    found = score([{"a": 1}, {"b": 2, "c": 1}, {"d": 1}], [["a"], ["x", "c", "b"], ["x"]])
    assert found["recall@1"] == pytest.approx(1 / 3)
    assert found["hit@10"] == pytest.approx(2 / 3)
    assert found["mrr@10"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    best = 2 + 1 / math.log2(3)
    assert found["ndcg@10"] == pytest.approx((1 + (1 / math.log2(3) + 2 / math.log2(4)) / best + 0) / 3)


def test_only_the_first_ten_count() -> None:
    assert score([{"a": 1}], [[*"bcdefghijk", "a"]])["hit@10"] == 0


@pytest.mark.parametrize("name", ["articles.jsonl", "articles.jsonl.gz"])
def test_evaluation_reports_counts_seconds_and_measures(tmp_path: Path, name: str) -> None:
    articles = lines(tmp_path / name, *ARTICLES)
    queries = lines(
        tmp_path / "q.jsonl", {"_id": "q", "text": "paper in the tray", "doc": "1"}, {"_id": "r", "text": "x"}
    )
    result = evaluate_retrieval(read_judged_base(articles, queries, WordEncoder()), WordEncoder())
    assert (result["articles"], result["queries"], result["recall@1"], result["ndcg@10"]) == (2, 1, 1.0, 1.0)
    assert json.loads(json.dumps(result)) == result
    assert set(result) == {"articles", "queries", "seconds", "recall@1", "hit@10", "mrr@10", "ndcg@10"}


def test_relevance_may_come_from_a_table(tmp_path: Path) -> None:
    queries = lines(tmp_path / "q.jsonl", {"_id": "q", "text": "tunnel"})
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\nq\t2\t1\nq\t1\t0\n")
    assert read_queries(queries, qrels)[0].relevant == {"2": 1}


def test_without_titles_neither_the_title_nor_the_heading_that_repeats_it_is_read(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", *ARTICLES)
    assert [(one.title, one.text) for one in read_articles(path, titles=False)] == [
        ("", "paper tray"),
        ("", "tunnel client"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no articles"),
        (b"{", "line 1 is not JSON"),
        (b"[]", "line 1 is not a JSON object"),
        (b'{"_id": "1"}', "has no `text`"),
        (b'{"_id": "1", "text": "a"}\n{"_id": "1", "text": "b"}', "line 2 repeats the _id"),
        (b"\xff", "is not UTF-8"),
        (b"\x1f\x8bxx", "damaged gzip"),
    ],
)
def test_file_that_holds_no_articles_is_refused_with_its_place(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(SourceUnreadable, match=sentence):
        read_articles(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=r"nowhere\.jsonl cannot be read"):
        read_articles(tmp_path / "nowhere.jsonl")


def test_queries_without_any_right_article_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="each needs a `doc`"):
        read_queries(lines(tmp_path / "q.jsonl", {"_id": "q", "text": "x"}))
