import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.linear_model import LogisticRegression

from triage.understand.certificate import Certificate, Shortfall
from triage.understand.clearance import Aim, Checked, applied, check, clear_field, conformal_quantile

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
LABELS = tuple("abcdef")


def desk(random: np.random.Generator, n: int) -> tuple[Floats, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """(n, 6) probabilities that are exactly honest, and labels drawn by them; the first label is the most frequent."""
    p = random.dirichlet(np.full(6, 0.25), n)
    p[: n // 2] = np.sort(p[: n // 2])[:, ::-1]
    return p, (p.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)


def test_masses_and_places_are_those_of_the_first_labels() -> None:
    p = np.array([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]])
    checked = check(p, np.array([0, 1, -1]))
    assert checked.guess.tolist() == [0, 3, 0]
    np.testing.assert_allclose(checked.mass, [[0.5, 0.8, 0.95], [0.4, 0.7, 0.9], [0.7, 0.8, 0.9]])
    assert checked.place.tolist() == [0, 2, 4]
    assert checked.truth.tolist() == [0.5, 0.2, 0.0]


def test_field_of_two_values_has_masses_too() -> None:
    checked = check(np.array([[0.6, 0.4]]), np.array([1]))
    np.testing.assert_allclose(checked.mass, [[0.6, 1.0, 1.0]])


def test_frequent_values_get_a_certificate_of_their_own_and_the_others_share_one() -> None:
    random = np.random.default_rng(0)
    guess = np.repeat([0, 1, 2, 3], [3000, 2000, 60, 40])
    probability = random.uniform(0.9, 1, len(guess))
    # Value 1 is wrong in every fourth case, which 0 must not make up for.
    place = (random.random(len(guess)) < np.where(guess == 1, 0.25, 0.01)).astype(np.int64)
    checked = Checked(guess, np.stack([probability] * 3, axis=1), place, probability)
    cleared = clear_field("queue", checked, LABELS, Aim())
    assert list(cleared.values) == ["a", "b"]
    assert cleared.applies("a", 0.95)
    assert not cleared.applies("b", 0.999)
    assert isinstance(cleared.of("b"), Shortfall)
    assert cleared.of("c") is cleared.others is cleared.of("never seen")
    together = clear_field("queue", checked, LABELS, Aim(by_value=False))
    assert not together.values


def test_certificates_of_a_field_spend_no_more_error_than_was_allowed() -> None:
    random = np.random.default_rng(4)
    p, truth = desk(random, 20_000)
    cleared = clear_field("queue", check(p, truth), LABELS, Aim(0.8, 0.9))
    alphas = [found.alpha for found in (*cleared.values.values(), cleared.others)]
    assert len(alphas) > 2
    # A share that was handed on counts for its heir; what nobody could be handed at the end counts twice at most.
    unfinished = [found.alpha for found in (*cleared.values.values(), cleared.others) if not _is_full(found)]
    assert sum(unfinished) <= 0.1 + 1e-12


def _is_full(found: object) -> bool:
    return isinstance(found, Certificate) and found.coverage == 1


@pytest.mark.parametrize(("n", "aim"), [(400, Aim(0.8)), (4000, Aim(0.9)), (4000, Aim(0.9, by_value=False))])
def test_promises_of_a_field_hold_as_often_as_they_say(n: int, aim: Aim) -> None:
    # What is true is known: 200,000 tickets. From them 500 desks draw their checked tickets. Of the desks at most 5 %
    # may have any certificate for applying that promises more than is true, and 5 % a question; three standard
    # deviations of chance are allowed on top.
    random = np.random.default_rng(11)
    all_p, all_truth = desk(random, 200_000)
    everything = check(all_p, all_truth)
    broken = questions_broken = promised = asked = 0
    for _ in range(500):
        rows = random.integers(0, len(everything), n)
        cleared = clear_field("queue", everything.rows(rows), LABELS, aim)
        covered = applied(cleared, everything, LABELS)
        groups = [(everything.guess == LABELS.index(value)) for value in cleared.values]
        groups.append(~np.any([np.zeros(len(everything), dtype=bool), *groups], axis=0))
        promised += covered.any()
        broken += any(_share(everything, covered & group) < aim.target for group in groups)
        if isinstance(cleared.ask, Certificate):
            asked += 1
            questions_broken += _held(everything.rows(~covered), cleared.ask.threshold) < aim.ask_target
    allowed = 0.05 + 3 * (0.05 * 0.95 / 500) ** 0.5
    assert promised > 100
    assert broken / 500 <= allowed
    assert asked > 100
    assert questions_broken / 500 <= allowed


def _share(checked: Checked, rows: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    return float(checked.correct[rows].mean()) if rows.any() else 1.0


def _held(checked: Checked, threshold: float) -> float:
    one, two, three = (checked.mass >= threshold).T
    held = np.where(two, checked.place < 2, checked.place < 3)
    return float(held[three & ~one].mean())


def test_questions_offer_as_few_values_as_are_certified() -> None:
    random = np.random.default_rng(2)
    p, truth = desk(random, 4000)
    cleared = clear_field("queue", check(p, truth), LABELS, Aim(0.99, ask_target=0.9))
    assert isinstance(cleared.ask, Certificate)
    threshold = cleared.ask.threshold
    assert cleared.choices(np.array([0.5, threshold, 1.0])) == 2
    assert cleared.choices(np.array([0.4, threshold - 0.01, threshold])) == 3
    assert cleared.choices(np.array([0.3, 0.4, threshold - 0.01])) == 0
    assert cleared.choices(np.array([threshold, 0.99, 1.0])) == 0


def test_a_field_without_checked_tickets_clears_nothing() -> None:
    cleared = clear_field("queue", check(np.empty((0, 3)), np.empty(0, dtype=np.int64)), LABELS[:3], Aim())
    assert not cleared.certificates
    assert not cleared.applies("a", 1.0)
    assert cleared.choices(np.ones(3)) == 0


def test_prediction_sets_are_those_of_mapie() -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=(900, 4))
    y = (x[:, :3] + random.normal(size=(900, 3))).argmax(axis=1)
    model = LogisticRegression().fit(x[:300], y[:300])
    mapie = SplitConformalClassifier(model, confidence_level=0.9, prefit=True).conformalize(x[300:600], y[300:600])
    _, theirs = mapie.predict_set(x[600:])
    truth = model.predict_proba(x[300:600])[np.arange(300), y[300:600]]
    ours = model.predict_proba(x[600:]) >= 1 - conformal_quantile(truth, 0.9)
    np.testing.assert_array_equal(ours, theirs[:, :, 0])


def test_too_few_tickets_give_sets_of_all_labels() -> None:
    assert conformal_quantile(np.array([0.9, 0.8]), 0.95) == 1.0
