"""Is the number right, as far as outcomes have come in: calibration from pairs of probability and outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from models.metrics_calibration import log_odds, recalibration
from serving.pages.scales import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

FEWEST = 10
"""Outcomes under which nothing is shown of a group: the statistic says little, and could point to a person."""
FEWEST_OF_EACH = 3
"""Responders, and non-responders, under which no intercept or slope is fitted."""
FEWEST_IN_A_BIN = 20
MOST_BINS = 10
EXACT_UP_TO = 5_000
"""Outcomes up to which fits use each log-odds as it is; beyond, rounded to 0.01, which moves a slope by under 0.001."""
Z_95 = 1.959963984540054
"""Normal quantile of a 95% interval."""


@dataclass(frozen=True)
class Estimated:
    """A value with its 95% interval; None where it cannot be estimated."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Calibrated:
    """Calibration of some predictions: counts, mean probability, observed share, intercept and slope.

    ``citl`` is calibration in the large: 0 is right, below 0 the probabilities are too high. ``slope``: 1 is right,
    below 1 they are too extreme.
    """

    n: int
    responded: int
    predicted: float
    citl: Estimated
    slope: Estimated

    @property
    def observed(self) -> float:
        """Share that responded."""
        return self.responded / self.n if self.n else float("nan")


def calibrated(probability: FloatArray, outcome: NDArray[Any]) -> Calibrated:
    """Return the calibration of predictions whose outcomes are known.

    Parameters
    ----------
    probability, outcome
        Shape (n,); outcomes are 0 or 1.

    Examples
    --------
    >>> p, y = np.tile([0.25, 0.75], 20), np.tile([0, 0, 0, 1, 1, 1, 0, 1], 5)
    >>> found = calibrated(p, y)
    >>> found.n, found.responded, round(found.citl.value, 3)
    (40, 20, 0.0)
    """
    y = np.asarray(outcome, dtype=np.float64)
    n, responded = len(y), int(y.sum())
    mean = float(probability.mean()) if n else float("nan")
    if n < FEWEST or min(responded, n - responded) < FEWEST_OF_EACH:
        return Calibrated(n, responded, mean, Estimated(), Estimated())
    given, happened, weight = counted(probability, y)
    line = recalibration(happened, given, weight)
    shift = recalibration(happened, given, weight, fixed_slope=True)
    citl = _estimated(shift.intercept, shift.intercept_error)
    return Calibrated(n, responded, mean, citl, _estimated(line.slope, line.slope_error))


def counted(probability: FloatArray, outcome: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return probabilities, outcomes and how often each pair came; as they are up to EXACT_UP_TO."""
    if len(outcome) <= EXACT_UP_TO:
        return probability, outcome, np.ones(len(outcome))
    rounded = np.rint(100 * log_odds(probability)).astype(np.int64)
    pairs, count = np.unique(2 * rounded + outcome.astype(np.int64), return_counts=True)
    return expit((pairs // 2) / 100.0), (pairs % 2).astype(np.float64), count.astype(np.float64)


def _estimated(value: float, error: float) -> Estimated:
    if not (np.isfinite(value) and np.isfinite(error)):
        return Estimated()
    return Estimated(float(value), float(value - Z_95 * error), float(value + Z_95 * error))


def reliability_bins(probability: FloatArray, outcome: NDArray[Any]) -> list[dict[str, Any]]:
    """Return up to ten bins of equally many predictions: mean probability, observed share with interval, n.

    Fewer bins when there are under 20 outcomes for each; none under 20 outcomes in all.
    """
    bins = min(MOST_BINS, len(outcome) // FEWEST_IN_A_BIN)
    if bins == 0:
        return []
    order = np.argsort(probability, kind="stable")
    rows = []
    for held in np.array_split(order, bins):
        n, responded = len(held), int(outcome[held].sum())
        low, high = wilson(responded, n)
        rows.append(
            {"predicted#": float(probability[held].mean()), "observed#": responded / n, "low#": low, "high#": high,
             "n#": n, "responded#": responded}
        )  # fmt: skip
    return rows
