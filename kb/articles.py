"""Which values does the knowledge base take and give?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

Progress = Callable[[int, int], None]
"""``report(done, total)``, called from the working thread."""
