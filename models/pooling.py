"""Intervals and pooling: exact binomial intervals, inverse-variance pooling, a random-effects summary over cohorts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta, norm, t

from features.errors import Refusal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

LEVEL = 0.95
"""Level of every interval here unless another is given."""


class InvalidCounts(Refusal):
    """Counts that are no counts: more events than cases, or negative ones."""

    code = "invalid_counts"


@dataclass(frozen=True)
class Interval:
    """Lower and upper end of an interval; NaN when there is none."""

    low: float
    high: float


@dataclass(frozen=True)
class Pooled:
    """A pooled estimate. ``prediction`` is where a new cohort's true value is expected; NaN with fewer than three."""

    value: float
    standard_error: float
    interval: Interval
    prediction: Interval
    between_variance: float
    cohorts: int


_NOWHERE = Interval(float("nan"), float("nan"))


def exact_interval(events: int, cases: int, level: float = LEVEL) -> Interval:
    """Return the exact binomial interval (Clopper and Pearson, Biometrika 1934, doi:10.1093/biomet/26.4.404).

    Parameters
    ----------
    events, cases
        Counts. No cases give an interval of NaN.

    Raises
    ------
    InvalidCounts
        When there are more events than cases, or a count is negative.

    Examples
    --------
    >>> found = exact_interval(58, 425)
    >>> round(found.low, 4), round(found.high, 4)
    (0.1053, 0.1728)
    """
    if not 0 <= events <= cases:
        raise InvalidCounts(
            f"{events} events of {cases} cases", field="events", way_out="Give counts, events at most cases."
        )
    if cases == 0:
        return _NOWHERE
    tail = (1 - level) / 2
    low = 0.0 if events == 0 else float(beta.ppf(tail, events, cases - events + 1))
    high = 1.0 if events == cases else float(beta.ppf(1 - tail, events + 1, cases - events))
    return Interval(low, high)


def _usable(values: ArrayLike, errors: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    v, e = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    held = np.isfinite(v) & np.isfinite(e) & (e > 0)
    return v[held], e[held]


def pool_inverse_variance(values: ArrayLike, standard_errors: ArrayLike, level: float = LEVEL) -> Pooled:
    """Pool estimates by the inverse of their variance (one common value; fixed effect).

    Cohorts whose estimate or error is NaN or whose error is 0 are left out; ``cohorts`` says how many counted.

    Examples
    --------
    >>> found = pool_inverse_variance([0.70, 0.60], [0.03, 0.06])
    >>> round(found.value, 4), round(found.standard_error, 4), found.cohorts
    (0.68, 0.0268, 2)
    """
    v, e = _usable(values, standard_errors)
    if v.size == 0:
        return Pooled(float("nan"), float("nan"), _NOWHERE, _NOWHERE, float("nan"), 0)
    weight = 1 / e**2
    value, error = float(weight @ v / weight.sum()), float(np.sqrt(1 / weight.sum()))
    half = float(norm.ppf((1 + level) / 2)) * error
    return Pooled(value, error, Interval(value - half, value + half), _NOWHERE, 0.0, v.size)


def pool_random_effects(values: ArrayLike, standard_errors: ArrayLike, level: float = LEVEL) -> Pooled:
    """Pool estimates that differ truly between cohorts, with a prediction interval for a new cohort.

    Between-cohort variance by Paule and Mandel (1982); interval by Hartung and Knapp (k - 1 degrees of freedom, factor
    never below 1); prediction interval after Higgins et al. 2009 (doi:10.1111/j.1467-985X.2008.00552.x, t with
    k - 2). With one cohort only its own normal interval; see :class:`Pooled`.

    Examples
    --------
    >>> found = pool_random_effects([0.74, 0.70, 0.60, 0.66], [0.02, 0.03, 0.04, 0.035])
    >>> round(found.value, 3), round(found.between_variance, 5)
    (0.681, 0.00253)
    """
    v, e = _usable(values, standard_errors)
    if v.size < 2:
        return pool_inverse_variance(values, standard_errors, level)
    between = _between_variance(v, e)
    weight = 1 / (e**2 + between)
    value = float(weight @ v / weight.sum())
    widening = max(1.0, float(weight @ (v - value) ** 2) / (v.size - 1))
    error = float(np.sqrt(widening / weight.sum()))
    half = float(t.ppf((1 + level) / 2, v.size - 1)) * error
    return Pooled(
        value,
        error,
        Interval(value - half, value + half),
        _new_cohort(value, weight.sum(), between, v.size, level),
        between,
        v.size,
    )


def _new_cohort(value: float, precision: float, between: float, count: int, level: float) -> Interval:
    if count < 3:
        return _NOWHERE
    reach = float(t.ppf((1 + level) / 2, count - 2)) * float(np.sqrt(between + 1 / precision))
    return Interval(value - reach, value + reach)


def _between_variance(values: np.ndarray, errors: np.ndarray) -> float:
    """Paule-Mandel: the variance at which the weighted squares equal their degrees of freedom; 0 if already below."""

    def excess(variance: float) -> float:
        weight = 1 / (errors**2 + variance)
        centre = weight @ values / weight.sum()
        return float(weight @ (values - centre) ** 2) - (len(values) - 1)

    if excess(0.0) <= 0:
        return 0.0
    low, high = 0.0, float(np.ptp(values) ** 2 + errors.max() ** 2)
    while excess(high) > 0:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return (low + high) / 2
