import numpy as np
import pytest
from scipy import sparse
from sklearn.kernel_ridge import KernelRidge

from triage.learning.alike import Alike, Setting, Views
from triage.learning.ridge import Exact, Sampled, voters_of

SETTING = Setting(0.25, 2.0, 0.3)
LABELS = 3


@pytest.fixture(scope="module")
def views() -> Views:
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(60, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Views(sparse.random(60, 40, 0.2, format="csr", random_state=1, dtype=np.float32), vectors)


def kernel(views: Views) -> np.ndarray:
    distances = ((views.vectors[:, None] - views.vectors[None]) ** 2).sum(axis=2)
    return 0.25 * (views.terms @ views.terms.T).toarray() + np.exp(-2.0 * distances / 2) + 1


def targets() -> np.ndarray:
    target = np.repeat([0, 1, 2], [30, 20, 10])
    target[5] = -1
    return target


def test_votes_are_those_of_scikit_learn(views: Views) -> None:
    target = targets()
    learn = np.flatnonzero((target >= 0) & (np.arange(60) % 3 > 0))
    model = Exact(Alike(views), target, LABELS, SETTING)
    ours = model.margins(model.fit(learn), np.arange(60))
    weights = np.bincount(target[target >= 0])[target] ** -0.5
    weights /= weights[target >= 0].mean()
    theirs = KernelRidge(alpha=0.3, kernel="precomputed")
    goal = np.where(target[:, None] == np.arange(LABELS), 1.0, -1.0)
    theirs.fit(kernel(views)[np.ix_(learn, learn)], goal[learn], sample_weight=weights[learn])
    assert np.allclose(ours, theirs.predict(kernel(views)[:, learn]), atol=1e-4)


def test_sample_of_all_tickets_votes_as_all_tickets_do(views: Views) -> None:
    target, rows = targets(), np.arange(60)
    folds = [(rows[rows % 3 != part], rows[rows % 3 == part]) for part in range(3)]
    exact = Exact(Alike(views), target, LABELS, SETTING)
    sampled = Sampled(views, target, LABELS, SETTING, folds, rows)
    for learn, judge in [*folds, (rows, rows)]:
        known = learn[target[learn] >= 0]
        ours, theirs = (model.margins(model.fit(known), judge) for model in (sampled, exact))
        assert np.allclose(ours, theirs, atol=1e-3)


def test_sample_does_not_look_at_the_labels_it_is_judged_on(views: Views) -> None:
    rows = np.arange(60)
    learn, judge = rows[:40], rows[40:]
    voters = np.arange(0, 60, 2)
    setting, target = Setting(0.25, 2.0, 0.3), np.tile([0, 1, 2], 20)
    other = target.copy()
    other[judge] = np.roll(target[judge], 3)[::-1]  # as many of each label, so that the labels weigh the same
    margins = []
    for labels in (target, other):
        model = Sampled(views, labels, LABELS, setting, [(learn, judge)], voters)
        votes = model.fit(learn)
        assert set(votes.voters) <= set(learn)
        margins.append(model.margins(votes, judge))
    assert not np.array_equal(target, other)
    assert np.array_equal(*margins)


def test_small_label_weighs_more_than_a_large_one(views: Views) -> None:
    """With equal tickets that carry two labels, the rarer one is closer than their shares say."""
    vectors = np.tile(views.vectors[:1], (20, 1))
    same = Views(sparse.csr_matrix(np.ones((20, 1), dtype=np.float32)), vectors)
    target = np.repeat([0, 1], [16, 4])
    model = Exact(Alike(same), target, 2, SETTING)
    first = model.margins(model.fit(np.arange(20)), np.array([0]))[0]
    # Shares .8 and .2 would give .6 and -.6; weighed 16 x 1/4 against 4 x 1/2 they are 2 to 1.
    assert first[0] == pytest.approx(1 / 3, abs=0.02)
    assert first[1] == pytest.approx(-1 / 3, abs=0.02)


def test_every_ticket_votes_until_there_are_too_many() -> None:
    assert len(voters_of(16_000)) == 16_000
    large = voters_of(100_000)
    assert len(large) == len(set(large.tolist())) == 6_000
    assert np.array_equal(large, np.sort(large))
