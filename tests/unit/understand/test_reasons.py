from pathlib import Path

import pytest

from kb import Encoder
from triage.learning.registry import champion
from triage.understand.classifier import Classifier
from triage.understand.reasons import MOST_REMOVED

TEXT = "Invoice posting refused\nKestrel says KES-5003 when I post the invoice of a supplier."


@pytest.fixture(scope="module")
def classifier(sample_home: Path) -> Classifier:
    folder = champion(sample_home / "models")
    assert folder is not None
    return Classifier.load(folder)


def test_words_that_would_have_changed_it_are_true(classifier: Classifier, encoder: Encoder) -> None:
    texts = [TEXT, "The printer on floor 2 prints blank pages.", "Outlook asks for my password again and again"]
    vectors = encoder.encode(texts)
    said = 0
    for row, text in enumerate(texts):
        (predictions,) = classifier.predict([text], vectors[row : row + 1], [{}])
        for prediction in predictions:
            if not prediction.change.startswith("Without"):
                continue
            said += 1
            words = [part.split("”")[0] for part in prediction.change.split("“")[1:]]
            assert 1 <= len(words) <= MOST_REMOVED
            left = text.lower()
            for word in words:
                assert word in left
                left = left.replace(word, " ")
            instead = prediction.change.rsplit(" it would be ", 1)[1].rstrip(".")
            p, _ = classifier.probabilities(prediction.field, [left], vectors[row : row + 1], [{}])
            assert classifier.labels(prediction.field)[int(p[0].argmax())] == instead != prediction.top.label
    assert said >= 1


def test_ticket_without_any_known_word_is_not_explained_by_words(classifier: Classifier, encoder: Encoder) -> None:
    (predictions,) = classifier.predict(["🔥"], encoder.encode(["🔥"]), [{}])
    assert all(prediction.change.startswith("Its words do not speak for it") for prediction in predictions)
