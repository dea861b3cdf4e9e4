"""Does it help: net benefit over thresholds, and what is lost when treatment is withheld below one.

Net benefit after Vickers and Elkin, Medical Decision Making 2006 (doi:10.1177/0272989X06295361): true positives less
false positives at the exchange rate of the threshold, per patient. A patient at or above the threshold is treated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import Refusal
from models.metrics import FloatArray, checked
from models.pooling import Interval, exact_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

THRESHOLDS: FloatArray = np.round(np.arange(0.05, 0.501, 0.01), 2)
"""Thresholds of a decision curve: 0.05 to 0.50 (design/protocol.md, "does it help")."""

WITHHOLD_BELOW = 0.10
"""Probability below which withholding is looked at (design/protocol.md)."""


class InvalidThreshold(Refusal):
    """A threshold that is not strictly between 0 and 1: net benefit has no exchange rate there."""

    code = "invalid_threshold"


@dataclass(frozen=True)
class Withheld:
    """What withholding below a threshold would have done.

    ``negative_predictive_value`` is the share of the withheld who did not respond, with an exact 95% interval;
    ``responders_missed_per_100`` is per 100 patients who start, withheld or not.
    """

    threshold: float
    withheld: int
    negative_predictive_value: float
    interval: Interval
    responders_missed_per_100: float


def _checked_thresholds(thresholds: ArrayLike) -> FloatArray:
    t = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    wrong = t[~((t > 0) & (t < 1))]
    if wrong.size:
        raise InvalidThreshold(f"{wrong[0]:g} is not between 0 and 1", field="threshold", way_out="Use 0.05 to 0.50.")
    return t


def net_benefit(
    outcome: ArrayLike,
    prediction: ArrayLike,
    thresholds: ArrayLike = THRESHOLDS,
    weight: ArrayLike | None = None,
) -> Any:
    """Return the net benefit at each threshold, per patient, shape (..., thresholds); NaN without cases.

    Examples
    --------
    >>> net_benefit([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.2]).round(4).tolist()
    [0.4375]
    """
    data, t = checked(outcome, prediction, weight, probability=True), _checked_thresholds(thresholds)
    treated = (data.prediction[:, None] >= t).astype(np.float64)
    right = (data.weight * data.outcome) @ treated
    wrong = (data.weight * (1 - data.outcome)) @ treated
    with np.errstate(invalid="ignore", divide="ignore"):
        return (right - wrong * t / (1 - t)) / data.total[..., None]


def net_benefit_treat_all(outcome: ArrayLike, thresholds: ArrayLike = THRESHOLDS) -> FloatArray:
    """Return the net benefit of treating everyone, shape (thresholds,). Treating no one has 0.

    Examples
    --------
    >>> net_benefit_treat_all([0, 0, 1, 1], [0.5]).tolist()
    [0.0]
    """
    y = np.asarray(outcome, dtype=np.float64)
    return np.asarray(net_benefit(y, np.ones_like(y), thresholds))


def withholding(outcome: ArrayLike, prediction: ArrayLike, threshold: float = WITHHOLD_BELOW) -> Withheld:
    """Return what withholding below a threshold would have done; NaN where nobody falls below it.

    Examples
    --------
    >>> found = withholding([0, 0, 1, 1], [0.05, 0.08, 0.09, 0.8])
    >>> found.withheld, round(found.negative_predictive_value, 3), found.responders_missed_per_100
    (3, 0.667, 25.0)
    """
    data = checked(outcome, prediction, probability=True)
    below = data.prediction < float(_checked_thresholds(threshold)[0])
    count, missed = int(below.sum()), int(data.outcome[below].sum())
    value = (count - missed) / count if count else float("nan")
    share = 100 * missed / data.outcome.size if data.outcome.size else float("nan")
    return Withheld(threshold, count, value, exact_interval(count - missed, count), share)
