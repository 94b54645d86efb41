"""How sure is a margin, and how honest are probabilities?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression, minimize
from scipy.special import log_softmax

from triage.understand.sharpness import LOG_LIMIT, Calibration, Sharpness, describe

Floats = npt.NDArray[np.floating]
BINS = 15
LEAST_PROBABILITY = 1e-12
ALMOST = 1e-6
# Keeps a small history from bending the curve. Of 1 to 300, 30 and 100 had the lowest cross-validated log loss over the
# sample desk's fields and parts of real tickets; with thousands of tickets it makes no difference.
PRIOR = 100.0


def fit_sharpness(margins: Floats, right: npt.NDArray[np.int64]) -> Sharpness:
    """What makes the softmax of (n, c) margins fit the (n,) right columns best.

    Least is made of the log loss of the labels and that of “the first label is right”, as certificates and
    thresholds look at the first. The margins must be of tickets that the model had not seen; rows whose right
    label has no column are -1 and left out.
    """
    known = right >= 0
    margins, right = margins[known], right[known]
    if not len(right):
        return Sharpness()
    features, rows = describe(margins), np.arange(len(right))
    first = margins.argmax(axis=1)
    is_first = first == right
    at_right, at_first = margins[rows, right], margins[rows, first]

    def loss(x: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        log_factor = features @ x
        factor = np.exp(np.clip(log_factor, -LOG_LIMIT, LOG_LIMIT))
        logs = log_softmax(factor[:, None] * margins, axis=1)
        mean_margin = (np.exp(logs) * margins).sum(axis=1)
        p = np.clip(np.exp(logs[rows, first]), LEAST_PROBABILITY, 1 - ALMOST)
        losses = -logs[rows, right] - np.where(is_first, np.log(p), np.log1p(-p))
        slopes = mean_margin - at_right - np.where(is_first, 1.0, -p / (1 - p)) * (at_first - mean_margin)
        slopes *= factor * (np.abs(log_factor) < LOG_LIMIT)
        prior = PRIOR * np.array([0.0, *x[1:]]) / len(rows)
        return float(losses.mean() + prior @ x / 2), features.T @ slopes / len(rows) + prior

    found = minimize(loss, np.array([1.0, 0.0, 0.0, 0.0]), jac=True, method="L-BFGS-B")
    return Sharpness(*(round(float(value), 6) for value in found.x))


def calibrate(
    margins: Floats, right: npt.NDArray[np.int64], parts: npt.NDArray[np.int64]
) -> tuple[Calibration, npt.NDArray[np.float64]]:
    """The calibration of (n, c) margins, and (n, c) probabilities that no ticket's own label has touched.

    ``parts`` (n,) divides the tickets: each part is judged by a calibration fitted on the others. An isotonic curve is
    added where it has the lower log loss so.
    """
    plain, curved = np.empty(margins.shape), np.empty(margins.shape)
    for part in np.unique(parts):
        here, others = parts == part, parts != part
        if not others.any():
            others = here  # a single part, as of a history too small to divide
        sharpness = fit_sharpness(margins[others], right[others])
        plain[here] = sharpness.probabilities(margins[here])
        curve = fit_curve(sharpness.probabilities(margins[others]), right[others])
        curved[here] = Calibration(sharpness, curve).probabilities(margins[here])
    sharpness = fit_sharpness(margins, right)
    if log_loss(plain, right) <= log_loss(curved, right):
        return Calibration(sharpness), plain
    return Calibration(sharpness, fit_curve(sharpness.probabilities(margins), right)), curved


def fit_curve(probabilities: Floats, right: npt.NDArray[np.int64]) -> tuple[tuple[float, float], ...]:
    """Points of the isotonic regression of "the first label is right" on its probability, one per level block."""
    known = right >= 0
    probabilities, right = probabilities[known], right[known]
    if not len(right):
        return ()
    top = probabilities.max(axis=1)
    order = np.argsort(top, kind="stable")
    correct = (probabilities.argmax(axis=1) == right)[order].astype(np.float64)
    fitted = isotonic_regression(correct)
    points = [
        (round(float(top[order][begin:end].mean()), 6), round(float(fitted.x[begin]), 6))
        for begin, end in pairwise(int(edge) for edge in fitted.blocks)
    ]
    return tuple(dict(points).items())  # equal probabilities are one point


def reliability(confidence: Floats, correct: npt.NDArray[np.bool_]) -> tuple[tuple[float, float, int], ...]:
    """(mean probability, share that was right, tickets) of each of 15 bins of equal width that has any."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return tuple(
        (float(confidence[bins == one].mean()), float(correct[bins == one].mean()), int((bins == one).sum()))
        for one in np.unique(bins)
    )


def log_loss(probabilities: Floats, right: npt.NDArray[np.int64]) -> float:
    """Mean negative log probability of the right label; a label without a column counts as nearly impossible."""
    chosen = np.where(right >= 0, probabilities[np.arange(len(right)), np.maximum(right, 0)], 0.0)
    return float(-np.mean(np.log(np.maximum(chosen, LEAST_PROBABILITY))))


def calibration_error(confidence: Floats, correct: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error in 15 bins of equal width (Naeini et al. 2015)."""
    return sum(abs(mean - right) * n for mean, right, n in reliability(confidence, correct)) / max(len(confidence), 1)
