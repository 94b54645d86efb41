from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from kb import Encoder
from tests.conftest import DESK, FEATURES, TEXT
from triage.errors import BadInput, ModelDamaged, NoModel
from triage.learning.alike import Setting
from triage.learning.dataset import LabelledTickets, read_tickets
from triage.learning.registry import champion, list_models, promote
from triage.learning.ridge import Exact
from triage.learning.terms import count_terms, fit_weighing
from triage.learning.training import Training, choose_settings, fit_field, train_classifier
from triage.understand.classifier import Classifier
from triage.understand.vectorizer import pieces_in, words_in


@pytest.fixture(scope="session")
def tickets() -> LabelledTickets:
    return read_tickets(DESK / "tickets.csv", text=TEXT, labels=["category"], features=FEATURES)


@pytest.fixture(scope="session")
def trained(tickets: LabelledTickets, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    card = train_classifier(tickets, encoder, folder)
    return folder / card.model_id


def part(tickets: LabelledTickets, rows: Sequence[int], labels: Sequence[str | None]) -> LabelledTickets:
    return replace(
        tickets,
        texts=tuple(tickets.texts[row] for row in rows),
        features=tuple(tickets.features[row] for row in rows),
        labels={"category": tuple(labels)},
    )


def predict(folder: Path, encoder: Encoder, *texts: str) -> list[str]:
    classifier = Classifier.load(folder)
    found = classifier.predict(texts, encoder.encode(texts), [{}] * len(texts))
    return [one[0].top.label for one in found]


def test_trained_model_says_what_it_was_made_of_and_is_worth(trained: Path, tickets: LabelledTickets) -> None:
    card = Classifier.load(trained).card
    field = card.fields["category"]
    assert (card.dataset_digest, card.tickets) == (tickets.digest, 508)
    assert field.accuracy_interval[0] < field.accuracy < field.accuracy_interval[1]
    assert field.ece < field.ece_before


def test_same_tickets_give_the_same_model(
    trained: Path, tickets: LabelledTickets, encoder: Encoder, tmp_path: Path
) -> None:
    assert train_classifier(tickets, encoder, tmp_path).model_id == trained.name


def test_prediction_ranks_calibrated_probabilities_and_shows_the_words_that_weighed(
    trained: Path, encoder: Encoder
) -> None:
    text = "How do I print on both sides?"
    ((prediction,),) = Classifier.load(trained).predict([text], encoder.encode([text]), [{"requester": "nobody"}])
    assert prediction.top.label == "question"
    assert [p.probability for p in prediction.ranked] == sorted(
        (p.probability for p in prediction.ranked), reverse=True
    )
    assert sum(p.probability for p in prediction.ranked) == pytest.approx(1)
    assert set(prediction.evidence) <= set(words_in(text))


def test_gibberish_is_less_familiar_than_a_ticket(trained: Path, encoder: Encoder) -> None:
    texts = ["The VPN drops every few minutes", "zxqv blorp 12-99 ///"]
    known, strange = Classifier.load(trained).predict(texts, encoder.encode(texts), [{}, {}])
    assert strange[0].familiarity < known[0].familiarity


@pytest.mark.parametrize("name", ["arrays.npz", "terms.json", "card.json", "manifest.json"])
def test_altered_model_is_refused(trained: Path, tmp_path: Path, name: str) -> None:
    import shutil

    copy = Path(shutil.copytree(trained, tmp_path / trained.name))
    path = copy / name
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ModelDamaged, match="triage"):
        Classifier.load(copy)


def test_missing_model_is_explained(tmp_path: Path) -> None:
    with pytest.raises(NoModel, match="triage train"):
        Classifier.load(tmp_path)


def test_class_of_one_ticket_is_kept_and_marked(tickets: LabelledTickets, encoder: Encoder, tmp_path: Path) -> None:
    labels = ["a", "b"] * 20 + ["rare"]
    card = train_classifier(part(tickets, range(41), labels), encoder, tmp_path)
    assert card.fields["category"].single_labels == ("rare",)
    assert "rare" in Classifier.load(tmp_path / card.model_id).labels("category")


def test_tickets_without_a_label_are_not_learned_from(
    tickets: LabelledTickets, encoder: Encoder, tmp_path: Path
) -> None:
    labels: list[str | None] = ["a", "b", None] * 20
    card = train_classifier(part(tickets, range(60), labels), encoder, tmp_path)
    assert card.fields["category"].tickets == 40


def test_too_few_tickets_are_refused(tickets: LabelledTickets, encoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="10 are the least"):
        train_classifier(part(tickets, range(4), ["a", "b", "a", "b"]), encoder, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_champion_is_the_promoted_model(trained: Path) -> None:
    models = trained.parent
    promote(models, trained.name)
    assert champion(models) == trained
    assert [card.model_id for card in list_models(models)] == [trained.name]


def test_damaged_model_does_not_hide_the_others(trained: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(trained, tmp_path / trained.name)
    shutil.copytree(trained, tmp_path / "m-broken")
    (tmp_path / "m-broken" / "card.json").write_text("{")
    shutil.copytree(trained, tmp_path / "m-older")
    (tmp_path / "m-older" / "manifest.json").write_text('{"format": 1, "files": {}}')
    assert [card.model_id for card in list_models(tmp_path)] == [trained.name]


def test_terms_are_weighed_as_scikit_learn_does(tickets: LabelledTickets) -> None:
    texts = tickets.texts[:100]
    counts = count_terms(texts, [{}] * 100)
    weighing = fit_weighing(counts, np.arange(100))
    ours = weighing.apply(counts, np.arange(100)).toarray()
    word = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w\w+", sublinear_tf=True, min_df=2)
    theirs = word.fit_transform(texts).toarray()
    names = [counts.word_terms[row] for row in weighing.words]
    order = [word.vocabulary_[name] for name in names]
    assert np.allclose(ours[:, : len(names)], theirs[:, order])


def test_pieces_are_those_of_scikit_learn() -> None:
    text = "Printer in Bay 12, KES-2041!"
    piece = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)).build_analyzer()
    assert set(pieces_in(text)) == set(piece(text))


def test_serving_answers_as_the_kernel_that_was_fitted(
    tickets: LabelledTickets, encoder: Encoder, tmp_path: Path
) -> None:
    vectors = encoder.encode(tickets.texts)
    training = Training(tickets, vectors)
    setting = choose_settings(training)["category"]
    model, card, _ = fit_field(training, "category", setting)
    assert (card.term_weight, card.steepness, card.regularisation) == astuple(setting)
    number = {label: row for row, label in enumerate(model.labels)}
    target = np.array([number[value] if value else -1 for value in tickets.labels["category"]])
    assert training.alike
    fitted = Exact(training.alike, target, len(number), setting)
    some = np.arange(40)
    expected = fitted.margins(fitted.fit(np.flatnonzero(target >= 0)), some)
    classifier = Classifier.load(tmp_path / train_classifier(tickets, encoder, tmp_path).model_id)
    p, _ = classifier.probabilities("category", tickets.texts[:40], vectors[:40], tickets.features[:40])
    voted = model.voted(vectors[:40] @ vectors.T)
    terms = training.views.terms[some] @ model.term_weights
    assert np.allclose(terms + voted + model.bias, expected, atol=1e-4)
    assert np.allclose(p, model.calibration.probabilities(expected.astype(np.float64)), atol=5e-3)  # kept in 16 bits


def test_sample_of_a_large_history_is_compared_as_in_a_small_one(tickets: LabelledTickets, encoder: Encoder) -> None:
    training = Training(tickets, encoder.encode(tickets.texts))
    rows, setting = np.arange(0, 500, 5), Setting(0.2, 3.0, 0.2)
    kernels = []
    for alike in (training.alike, None):
        training.alike = alike
        found, place = training.compared(rows)
        kernels.append(found.kernel(place, place[::2], setting))
    assert kernels[0].shape == (100, 50)
    assert np.allclose(*kernels, atol=1e-6)
