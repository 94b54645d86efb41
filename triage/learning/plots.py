"""What do the figures of a model look like? Three pictures per field; the same figures give the same bytes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from triage.learning.calibration import calibration_error
from triage.learning.judged import Judged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CLASSES = 20
BINS = 10
CONFIDENCE = 0.95
LEAST_IN_BIN = 5
LABEL_CHARACTERS = 22
# Blue and vermilion of Okabe and Ito (2008), told apart by the colour-blind and in grey.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8a8a8a"

Floats = npt.NDArray[np.float64]


def draw(
    folder: Path, number: int, field: str, judged: Judged, labels: Sequence[str], *, target: float, coverage: float
) -> list[tuple[str, str]]:
    """Draw the pictures of a field and return their file names with what each shows.

    ``target`` is what the policy asks for, ``coverage`` the share of the tickets certified to be decided alone.
    """
    if not len(judged.keys):
        return []
    slug = f"{number}-{re.sub(r'[^a-z0-9]+', '-', field.lower()).strip('-') or 'field'}"
    drawn = [
        (f"{slug}-coverage.png", *_coverage(field, judged, target, coverage)),
        (f"{slug}-reliability.png", *_reliability(field, judged)),
        (f"{slug}-confusion.png", *_confusion(field, judged, labels)),
    ]
    with warnings.catch_warnings():
        # The font that comes with matplotlib has no Chinese or Japanese; such labels are boxes, whatever we say.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        for name, _, figure in drawn:
            figure.savefig(folder / name, dpi=110, metadata={"Software": None})
    return [(name, says) for name, says, _ in drawn]


def _coverage(field: str, judged: Judged, target: float, coverage: float) -> tuple[str, Figure]:
    order = np.argsort(-judged.probability, kind="stable")
    right = (judged.guess == judged.truth)[order]
    n = np.arange(1, len(right) + 1)
    share, precision = n / len(right), np.cumsum(right) / n
    k = np.cumsum(right)
    low = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, 1 - CONFIDENCE), 0.0)  # one-sided, exact
    figure, axes = _figure()
    shown = n >= min(10, len(n))  # of fewer tickets a share says nothing
    axes.plot(share[shown], precision[shown], color=BLUE, linewidth=2, label="measured precision")
    axes.plot(share[shown], low[shown], color=BLUE, linestyle=":", label=f"lower bound ({CONFIDENCE:.0%})")
    axes.axhline(target, color=GREY, linewidth=1, linestyle="--")
    axes.text(1, target, f" target {target:.0%}", va="bottom", ha="right", color=GREY)
    if coverage:
        # Values are certified one by one, each from a threshold of its own, so there is a share but no single point.
        axes.axvspan(0, coverage, color=ORANGE, alpha=0.15, linewidth=0, label=f"certified ({coverage:.0%})")
        says = f"{field}: certified to decide {coverage:.0%} of the tickets alone"
    else:
        says = f"{field}: no share of the tickets is certified to be decided alone"
    axes.set(xlim=(0, 1), xlabel="share of the tickets decided, the surest first", ylabel="share that is right")
    axes.set_ylim(max(0.0, float(np.min(low[shown])) - 0.05), 1.01)
    _percent(axes)
    axes.legend(loc="lower left", frameon=False)
    return _titled(figure, axes, says)


def _reliability(field: str, judged: Judged) -> tuple[str, Figure]:
    right = judged.guess == judged.truth
    bins = np.minimum((judged.probability * BINS).astype(int), BINS - 1)
    kept = [number for number in np.unique(bins) if (bins == number).sum() >= LEAST_IN_BIN]
    said = np.array([judged.probability[bins == number].mean() for number in kept])
    came = np.array([right[bins == number].mean() for number in kept])
    low, high = np.array([_interval(right[bins == number]) for number in kept]).reshape(-1, 2).T
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfectly calibrated")
    axes.errorbar(
        said, came, yerr=[came - low, high - came], fmt="o", color=BLUE, capsize=3, label="measured, with 95 % interval"
    )
    below = axes.twinx()
    below.hist(judged.probability, bins=BINS, range=(0, 1), color=GREY, alpha=0.25)
    below.set_ylabel("tickets (grey bars)", color=GREY)
    below.set_ylim(0, 3 * max(1, int(np.bincount(bins).max())))
    below.spines["top"].set_visible(False)
    axes.set_zorder(below.get_zorder() + 1)  # the points before the bars
    axes.patch.set_visible(False)
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="probability that was stated", ylabel="share that was right")
    _percent(axes)
    axes.legend(loc="upper left", frameon=False)
    off = calibration_error(judged.probability, right)
    return _titled(figure, axes, f"{field}: stated probabilities are off by {off * 100:.1f} points on average")


def _confusion(field: str, judged: Judged, labels: Sequence[str]) -> tuple[str, Figure]:
    counts = np.bincount(judged.truth[judged.truth >= 0], minlength=len(labels))
    largest = [int(row) for row in np.argsort(-counts, kind="stable")[:MOST_CLASSES] if counts[row]]
    table = np.array([[int(((judged.truth == t) & (judged.guess == g)).sum()) for g in largest] for t in largest])
    shares = table / np.maximum(counts[largest], 1)[:, None]
    side = 3.2 + 0.42 * len(largest)
    figure, axes = _figure(width=side + 1.2, height=side)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)  # one hue from light to dark: read by everybody
    for row, column in zip(*np.nonzero(table), strict=True):
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, str(table[row, column]), ha="center", va="center", color=colour, fontsize=8)
    names = [_short(labels[row]) for row in largest]
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), [f"{name} ({counts[row]})" for name, row in zip(names, largest, strict=True)])
    axes.set(xlabel="label that was predicted", ylabel="right label (tickets)")
    return _titled(figure, axes, _most_confused(field, table, names, counts[largest], len(labels)))


def _most_confused(
    field: str, table: npt.NDArray[np.int64], names: Sequence[str], counts: npt.NDArray[np.int64], classes: int
) -> str:
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    part = f" (largest {len(names)} of {classes} labels)" if classes > len(names) else ""
    if not wrong.any():
        return f"{field}: no label is taken for another{part}"
    row, column = divmod(int(wrong.argmax()), len(names))
    said = f"{field}: “{names[row]}” is taken for “{names[column]}” most often"
    return f"{said}, {wrong[row, column]} of {counts[row]} times{part}"


def _interval(right: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper and Pearson)."""
    k, n = int(right.sum()), len(right)
    low = float(betaincinv(k, n - k + 1, 0.025)) if k else 0.0
    return low, float(betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0


def _figure(width: float = 7.0, height: float = 4.8) -> tuple[Figure, Axes]:
    # Without pyplot: no window system, no state that outlives the picture.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _titled(figure: Figure, axes: Axes, says: str) -> tuple[str, Figure]:
    axes.set_title(says.replace("$", r"\$"), loc="left", fontsize=11, wrap=True)
    return says, figure


def _percent(axes: Axes) -> None:
    from matplotlib.ticker import PercentFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _short(label: str) -> str:
    label = " ".join(label.split()).replace("$", r"\$")
    return label if len(label) <= LABEL_CHARACTERS else label[: LABEL_CHARACTERS - 1] + "…"
