"""How sure is a margin, and how honest are probabilities?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

Floats = npt.NDArray[np.floating]
BINS = 15
LEAST_PROBABILITY = 1e-12


def fit_sharpness(margins: Floats, right: npt.NDArray[np.int64]) -> float:
    """The factor on (n, c) margins that makes their softmax fit the (n,) right columns best (log loss).

    Temperature scaling (Guo et al. 2017) of margins that the model gave for tickets it had not seen; rows
    whose right label has no column are -1 and left out.
    """
    known = right >= 0
    margins, right = margins[known], right[known]

    def loss(log_factor: float) -> float:
        return -float(np.mean(log_softmax(np.exp(log_factor) * margins, axis=1)[np.arange(len(right)), right]))

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(50)), method="bounded")
    return float(np.exp(found.x))


def log_loss(probabilities: Floats, right: npt.NDArray[np.int64]) -> float:
    """Mean negative log probability of the right label; a label without a column counts as nearly impossible."""
    chosen = np.where(right >= 0, probabilities[np.arange(len(right)), np.maximum(right, 0)], 0.0)
    return float(-np.mean(np.log(np.maximum(chosen, LEAST_PROBABILITY))))


def calibration_error(confidence: Floats, correct: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error in 15 bins of equal width (Naeini et al. 2015)."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[bins == number].mean() - correct[bins == number].mean()) * (bins == number).mean()
        for number in np.unique(bins)
    ]
    return float(sum(gaps))
