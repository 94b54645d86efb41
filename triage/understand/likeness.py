"""How alike in meaning are tickets, and how much does that count? Numpy only."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from kb import FloatArray

Number = TypeVar("Number", np.float32, np.float64)
# On CLINC150's validation part the mean of five tells strangers better than the nearest alone: AUROC .990 and .987.
NEIGHBOURS = 5


def likeness(cosines: npt.NDArray[Number], steepness: float) -> npt.NDArray[Number]:
    """(n, m) cosines of unit vectors → exp(-steepness x (1 - cosine)), the Gaussian kernel: 1 for the same text."""
    alike: npt.NDArray[Number] = np.exp(np.multiply(cosines - 1, steepness, dtype=cosines.dtype))
    return alike


def nearness(cosines: FloatArray) -> npt.NDArray[np.float64]:
    """(n, m) cosines to past tickets → (n,) mean of the five largest, or of all where there are fewer."""
    count = min(NEIGHBOURS, cosines.shape[1])
    mean: npt.NDArray[np.float64] = np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1, dtype=np.float64)
    return mean
