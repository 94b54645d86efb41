"""Learned weights, overlaps, tuning and the cross-encoder, with real articles and the counting encoder."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kb import Article, KnowledgeBase, SourceUnreadable, load_reranker
from kb.articles import Passage
from kb.errors import ModelMissing
from kb.fusion import FEATURES, Fusion, load_fusion, save_fusion, shipped_fusion
from kb.overlap import VIEWS, Overlap
from kb.sources.judged import JudgedQuery
from kb.tuning import Example, fit, out_of_fold
from kb.vectors import Distinction
from tests.unit.kb.doubles import WordEncoder

ARTICLES = [
    Article("jam", "Paper jam", "Open the tray. Pull the jammed paper out."),
    Article("vpn", "VPN drops", "Restart the client when the tunnel drops."),
    Article("de", "Drucker", "Öffnen Sie die Drucker mit den Schlüsseln.", language="de"),
]
EVERYTHING = np.arange(len(ARTICLES))


@pytest.fixture
def overlap() -> Overlap:
    passages = [Passage(article.id, 0, len(article.text), ("Steps",)) for article in ARTICLES]
    return Overlap(ARTICLES, passages, EVERYTHING)


def test_words_are_compared_by_their_stems(overlap: Overlap) -> None:
    seen = overlap.views("papers jamming", EVERYTHING, EVERYTHING)
    assert seen["title_asked_for"].tolist() == [1.0, 0.0, 0.0]
    assert seen["body"][0] > 0 == seen["body"][1]


def test_each_article_is_stemmed_by_its_own_language(overlap: Overlap) -> None:
    assert overlap.views("Schlüssel", EVERYTHING, EVERYTHING)["body"].argmax() == 2


def test_words_side_by_side_count_as_pairs(overlap: Overlap) -> None:
    assert overlap.views("jammed paper", EVERYTHING, EVERYTHING)["pairs"][0] > 0
    assert not overlap.views("tray open", EVERYTHING, EVERYTHING)["pairs"].any()


def test_heading_and_passage_are_asked_for(overlap: Overlap) -> None:
    seen = overlap.views("steps for the tunnel", EVERYTHING, EVERYTHING)
    assert seen["headings_asked_for"].tolist() == [0.0, 0.0, 0.0]  # in no article's words: nothing is known of it
    assert seen["passage_asked_for"].argmax() == 1


@pytest.mark.parametrize("query", ["", "?!", "\ud800", "unheardof", "x " * 5000])
def test_any_query_gives_finite_views(overlap: Overlap, query: str) -> None:
    seen = overlap.views(query, EVERYTHING, EVERYTHING)
    assert set(seen) == set(VIEWS)
    assert all(np.isfinite(view).all() for view in seen.values())


def test_long_ticket_is_searched_by_its_rare_sentences(overlap: Overlap) -> None:
    polite = "The the and the of the, so we open the tray. "
    query = polite * 20 + "The tunnel drops. " + polite * 20
    assert "The tunnel drops." in overlap.informative(query)
    assert len(overlap.informative(query).split()) <= 120
    assert overlap.informative("Short. One.") == "Short. One."


def test_more_of_anything_never_makes_an_article_worse() -> None:
    assert set(shipped_fusion().named()) == set(FEATURES)
    assert min(shipped_fusion().weights) >= 0


def test_of_equally_good_articles_the_newer_comes_first(knowledge: KnowledgeBase) -> None:
    old = Article("a", "Reset a password", "Open the portal.", updated=date(2020, 1, 1))
    knowledge.put(old)
    knowledge.put(replace(old, id="b", updated=date(2024, 1, 1)))
    assert [hit.article_id for hit in knowledge.search("reset password")] == ["b", "a"]
    knowledge.put(replace(old, updated=date(2025, 1, 1)))
    assert [hit.article_id for hit in knowledge.search("reset password")] == ["a", "b"]


def test_scores_are_chances_that_sum_to_one(knowledge: KnowledgeBase, source: Path) -> None:
    knowledge.sync(source)
    assert sum(hit.score for hit in knowledge.search("printer tray")) == pytest.approx(1)


def test_what_all_vectors_share_tells_nothing() -> None:
    random = np.random.default_rng(0)
    own = random.normal(size=(300, 16))
    vectors = (own + 5 * np.eye(16)[0]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = Distinction(vectors).cosines(vectors, vectors[7])
    assert cosines[7] == pytest.approx(1, abs=1e-3)
    assert abs(np.delete(cosines, 7).mean()) < 0.05 < (vectors @ vectors[7]).mean()


def judged(count: int, telling: int) -> list[Example]:
    """Queries whose right candidate is high in one feature and random in all others."""
    random = np.random.default_rng(1)
    examples = []
    for number in range(count):
        features = random.random((8, len(FEATURES)))
        features[3, telling] = 1.5
        examples.append(Example(tuple(f"{number}-{row}" for row in range(8)), features, {f"{number}-3": 1}))
    return examples


def test_fit_finds_what_tells() -> None:
    weights = fit([judged(60, telling=FEATURES.index("pairs"))], regularisation=1e-3).named()
    assert max(weights.keys() - {"code", "language"}, key=lambda name: weights[name]) == "pairs"
    assert min(weights.values()) >= 0


def test_no_query_is_judged_by_weights_that_knew_its_article() -> None:
    examples = judged(40, telling=0)
    altered = [replace(examples[0], features=examples[0].features[::-1]), *examples[1:]]
    assert out_of_fold(altered)[0] == out_of_fold(examples)[0]
    assert out_of_fold(altered) != out_of_fold(examples)


def test_saved_weights_are_read_back_and_older_ones_stay(tmp_path: Path) -> None:
    one, two = Fusion((1.0,) * len(FEATURES)), Fusion((2.0,) * len(FEATURES))
    assert load_fusion(tmp_path) == shipped_fusion()
    save_fusion(tmp_path, one, {})
    save_fusion(tmp_path, two, {})
    assert load_fusion(tmp_path) == two
    assert load_fusion(tmp_path, one.digest) == one
    assert load_fusion(tmp_path, shipped_fusion().digest) == shipped_fusion()
    with pytest.raises(SourceUnreadable, match="no longer kept"):
        load_fusion(tmp_path, "0" * 16)


@pytest.mark.parametrize("change", [{"weights": {}}, {"digest": "x"}, {"weights": []}, {"weights": None}])
def test_altered_weights_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    save_fusion(tmp_path, Fusion((1.0,) * len(FEATURES)), {})
    path = tmp_path / "fusion.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(SourceUnreadable, match="triage kb tune"):
        load_fusion(tmp_path)


def tunable(knowledge: KnowledgeBase) -> list[JudgedQuery]:
    things = [f"thing{number}" for number in range(40)]
    for thing in things:
        knowledge.put(Article(thing, f"About {thing}", f"Turn the {thing} off and on."))
    return [JudgedQuery(thing, f"my {thing} is broken", {thing: 1}) for thing in things]


def test_tuning_is_kept_where_it_is_no_worse_and_gives_the_same_twice(
    knowledge: KnowledgeBase, tmp_path: Path, words: WordEncoder
) -> None:
    queries = tunable(knowledge)
    first = knowledge.tune([*queries, JudgedQuery("x", "x", {"nowhere": 1})])
    assert (first.queries, first.unknown) == (40, 1)
    assert first.is_kept == (first.tuned["ndcg@10"] >= first.shipped["ndcg@10"])
    assert knowledge.fusion == (first.fusion if first.is_kept else shipped_fusion()).digest
    assert knowledge.tune(queries).fusion == first.fusion
    assert KnowledgeBase.open(tmp_path / "kb", words).fusion == knowledge.fusion


def test_tuning_on_few_queries_is_refused(knowledge: KnowledgeBase) -> None:
    with pytest.raises(SourceUnreadable, match="empty"):
        knowledge.tune([])
    queries = tunable(knowledge)
    with pytest.raises(SourceUnreadable, match=r"5 of the 5 queries .* 30 are needed"):
        knowledge.tune(queries[:5])


class ShortestFirst:
    """A cross-encoder that likes short passages."""

    def score(self, query: str, passages: Sequence[str]) -> npt.NDArray[np.float64]:
        return -np.array([len(passage) for passage in passages], dtype=np.float64)


def test_cross_encoder_has_the_last_word(tmp_path: Path, words: WordEncoder) -> None:
    reranker = load_reranker(f"{__name__}.ShortestFirst")
    knowledge = KnowledgeBase.open(tmp_path / "kb", words, reranker=reranker)
    knowledge.put(Article("long", "Reset a password", "Reset a password by opening the portal of passwords."))
    knowledge.put(Article("short", "Tray", "Pull."))
    hits = knowledge.search("reset a password")
    assert [hit.article_id for hit in hits] == ["short", "long"]
    assert hits[0].score >= hits[1].score


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("nowhere.Model", "No module named 'nowhere'"),
        ("json.Nothing", "has no attribute"),
        ("Nothing", "neither a folder nor"),
        ("collections.Counter", "no method score"),
    ],
)
def test_cross_encoder_that_cannot_be_loaded_is_refused(setting: str, sentence: str) -> None:
    with pytest.raises(ModelMissing, match=sentence):
        load_reranker(setting)


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"no model\.onnx and no tokenizer\.json"):
        load_reranker(str(tmp_path))
    (tmp_path / "model.onnx").write_bytes(b"x")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelMissing, match="cannot be read"):
        load_reranker(str(tmp_path))
