import numpy as np
import pytest
from scipy import sparse

from triage.learning.alike import FREQUENT, Alike, Beside, Setting, Views

SETTING = Setting(0.25, 2.0, 0.3)


@pytest.fixture(scope="module")
def views() -> Views:
    """Tickets with more terms than are multiplied densely, some of them in nearly every ticket."""
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(1_500, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    often = sparse.random(1_500, 50, 0.9, format="csr", random_state=1, dtype=np.float32)
    rare = sparse.random(1_500, 2 * FREQUENT, 0.01, format="csr", random_state=2, dtype=np.float32)
    return Views(sparse.hstack([often, rare], format="csr"), vectors)


def by_definition(views: Views, some: np.ndarray, others: np.ndarray) -> np.ndarray:
    common = views.terms.toarray()[some] @ views.terms.toarray()[others].T
    distances = ((views.vectors[some][:, None] - views.vectors[others][None]) ** 2).sum(axis=2)
    return 0.25 * common + np.exp(-2.0 * distances / 2) + 1


def test_tickets_are_alike_by_terms_and_meaning(views: Views) -> None:
    some, others = np.arange(1_400, 100, -1), np.arange(0, 1_500, 7)
    assert np.allclose(Alike(views).kernel(some, others, SETTING), by_definition(views, some, others), atol=1e-4)


def test_kernel_that_is_not_kept_is_the_same(views: Views) -> None:
    some, others = np.arange(90, 10, -1), np.arange(0, 1_500, 7)
    assert np.allclose(Beside(views, others).kernel(some, SETTING), by_definition(views, some, others), atol=1e-4)


def test_terms_of_the_views_stay_as_they_are(views: Views) -> None:
    before = views.terms.copy()
    Beside(views, np.arange(len(views))).kernel(np.arange(10), SETTING)
    assert (before != views.terms).nnz == 0


def test_kernels_of_other_settings_do_not_disturb_each_other(views: Views) -> None:
    rows, alike = np.arange(50), Alike(views)
    first = alike.kernel(rows, rows, SETTING)
    alike.kernel(rows, rows, Setting(1.0, 4.0, 0.1))
    assert np.array_equal(first, alike.kernel(rows, rows, SETTING))
