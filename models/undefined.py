"""Why a metric has no value: the words that stand in a table where a number would mislead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.metrics import checked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def why_undefined(outcome: ArrayLike, prediction: ArrayLike) -> str:
    """Say why a metric of these cases is NaN or infinite; an empty text when there is no such reason.

    Parameters
    ----------
    outcome, prediction
        Shape (n,), as the metrics take them.

    Examples
    --------
    >>> why_undefined([1, 1], [0.3, 0.4])
    'all 2 cases responded'
    """
    data = checked(outcome, prediction)
    n, events = data.outcome.size, int(data.outcome.sum())
    if n == 0:
        return "no cases"
    if events in (0, n):
        return f"all {n} cases responded" if events else f"none of {n} cases responded"
    if np.ptp(data.prediction) == 0:
        return f"one prediction for all {n} cases"
    if np.any((data.prediction == 0) | (data.prediction == 1)):
        return "a probability of exactly 0 or 1"
    high, low = data.prediction[data.outcome == 1], data.prediction[data.outcome == 0]
    if high.min() >= low.max() or high.max() <= low.min():
        return "predictions separate responders from the others completely"
    return ""
