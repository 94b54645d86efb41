from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from kb import Encoder
from triage.learning.dataset import LabelledTickets
from triage.learning.fewshot import FewShot, fit_few, is_small, judge_few
from triage.learning.training import train_classifier
from triage.understand.classifier import Classifier

SETTING = FewShot(10.0, 2.0)
ABOUT = {
    "network": ["The Wi-Fi is gone", "VPN drops all the time", "no LAN in the meeting room", "network socket is dead"],
    "printing": ["The printer is jammed", "toner is empty", "it prints half pages", "scan to mail is broken"],
    "access": ["I forgot my password", "my account is locked", "sign-on says no", "reset my login please"],
}


def blobs(classes: int, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(vectors, target, described) of unit length around one centre for each class."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(classes, 12))
    target = np.repeat(np.arange(classes), each)
    vectors = centres[target] + random.normal(scale=0.4, size=(len(target), 12))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (vectors, centres)]
    return unit[0].astype(np.float32), target, unit[1].astype(np.float32)


def tickets(each: int) -> LabelledTickets:
    pairs = [(text, label) for label, texts in ABOUT.items() for text in texts[:each]]
    return LabelledTickets(
        name="few",
        texts=tuple(text for text, _ in pairs),
        labels={"queue": tuple(label for _, label in pairs)},
        features=tuple({} for _ in pairs),
        text_columns=("text",),
        feature_columns=(),
    )


def test_without_weight_for_descriptions_it_is_scikit_learns_regression() -> None:
    vectors, target, described = blobs(5, 6)
    weights, bias = fit_few(vectors, target, described, FewShot(10.0, 0.0))
    theirs = LogisticRegression(C=10.0, max_iter=1_000).fit(vectors, target)
    assert np.allclose(softmax(vectors @ weights + bias, axis=1), theirs.predict_proba(vectors), atol=1e-3)


def test_two_values_give_the_probabilities_of_scikit_learn() -> None:
    vectors, target, described = blobs(2, 6)
    weights, bias = fit_few(vectors, target, described, FewShot(10.0, 0.0))
    theirs = LogisticRegression(C=10.0, max_iter=1_000).fit(vectors, target)
    assert np.allclose(softmax(vectors @ weights + bias, axis=1), theirs.predict_proba(vectors), atol=1e-3)


def test_description_counts_for_as_many_tickets_as_it_says() -> None:
    vectors, target, described = blobs(3, 4)
    weights, bias = fit_few(vectors, target, described, SETTING)
    twice = np.concatenate([vectors, described, described])
    same, same_bias = fit_few(twice, np.concatenate([target, [0, 1, 2], [0, 1, 2]]), described, FewShot(10.0, 0.0))
    assert np.allclose(weights, same, atol=1e-2)
    assert np.allclose(bias, same_bias, atol=1e-2)


@pytest.mark.parametrize("each", [0, 1])
def test_no_label_or_one_is_enough(each: int) -> None:
    vectors, target, described = blobs(4, 1)
    weights, bias = fit_few(vectors[: 4 * each], target[: 4 * each], described, SETTING)
    assert weights.shape == (12, 4)
    assert (described @ weights + bias).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_tickets_without_a_label_are_left_out() -> None:
    vectors, target, described = blobs(3, 5)
    some = np.where(np.arange(15) % 5 == 0, -1, target)
    kept = some >= 0
    one, _ = fit_few(vectors, some, described, SETTING)
    other, _ = fit_few(vectors[kept], some[kept], described, SETTING)
    assert np.array_equal(one, other)


def test_every_ticket_is_judged_by_a_fold_that_did_not_learn_from_it() -> None:
    vectors, target, described = blobs(3, 4)
    judge = np.arange(6)
    margins = judge_few([(np.arange(6, 12), judge)], vectors, target, described, SETTING)
    assert np.isfinite(margins[judge]).all()
    assert np.isinf(margins[6:]).all()


def test_only_small_histories_are_small() -> None:
    assert is_small(616, 77)
    assert not is_small(2_001, 2)
    assert not is_small(1_900, 1_000)


def test_descriptions_make_up_for_missing_labels(encoder: Encoder, tmp_path: Path) -> None:
    descriptions = {"queue": {name: ", ".join(texts) for name, texts in ABOUT.items()}}
    card = train_classifier(tickets(4), encoder, tmp_path, descriptions=descriptions)
    assert card.fields["queue"].description_weight is not None
    assert card.fields["queue"].labelled == (4, 4, 4)
    text = "the wireless network does not work"
    ((prediction,),) = Classifier.load(tmp_path / card.model_id).predict([text], encoder.encode([text]), [{}])
    assert prediction.top.label == "network"
    assert prediction.evidence == ()


def test_same_tickets_and_descriptions_give_the_same_model(encoder: Encoder, tmp_path: Path) -> None:
    one, two = (train_classifier(tickets(4), encoder, tmp_path / name).model_id for name in ("a", "b"))
    other = train_classifier(tickets(4), encoder, tmp_path / "c", descriptions={"queue": {"network": "VPN"}}).model_id
    assert one == two != other
