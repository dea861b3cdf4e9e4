"""Is the number right: calibration in the large, calibration slope, and the distance to a smooth calibration curve.

Terms follow Van Calster et al., BMC Medicine 2019 (doi:10.1186/s12916-019-1466-7). All on the logit scale, by maximum
likelihood without a penalty. Where the likelihood has no maximum (one class, complete separation, one prediction for
all, a probability of exactly 0 or 1) the result is NaN; :func:`models.undefined.why_undefined` says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from models.metrics import FloatArray, Judged, checked
from models.smooth import Loess

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MOST_STEPS = 60
"""Newton steps before a fit counts as without maximum; well-posed ones need five to eight."""

STEP_TOLERANCE = 1e-12
"""Largest change of a coefficient at which Newton's method stops."""

FEWEST_TO_START_FROM_THE_MEAN = 20
"""Weight rows from which one more fit, of their mean, saves steps of all of them."""

RUNAWAY = 50.0
"""A coefficient beyond this has no maximum: logit(1 - 1e-15) is 34.5."""


@dataclass(frozen=True)
class Recalibration:
    """logit P(response) = intercept + slope * log-odds, with standard errors; arrays when weights have leading axes."""

    intercept: Any
    slope: Any
    intercept_error: Any
    slope_error: Any


@dataclass(frozen=True)
class CurveDistance:
    """Weighted distance between the predictions and a loess calibration curve (Austin and Steyerberg 2019).

    ``ici`` is the mean, ``e50`` the median, ``e90`` the 90th percentile and ``emax`` the largest absolute difference.
    """

    ici: float
    e50: float
    e90: float
    emax: float


def log_odds(probability: ArrayLike) -> FloatArray:
    """Return log(p / (1 - p)); infinite at 0 and 1, nothing is clipped.

    Examples
    --------
    >>> log_odds([0.5]).tolist()
    [0.0]
    """
    p = np.asarray(probability, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(p) - np.log1p(-p))


def calibration_in_the_large(outcome: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """Return the intercept that the predictions lack, their log-odds held as offset: 0 is right, below 0 too high.

    Examples
    --------
    >>> round(calibration_in_the_large([0, 0, 0, 1], [0.5, 0.5, 0.5, 0.5]), 6)
    -1.098612
    """
    return recalibration(outcome, prediction, weight, fixed_slope=True).intercept


def calibration_slope(outcome: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """Return the slope of the outcome on the log-odds: 1 is right, below 1 the predictions are too extreme.

    Examples
    --------
    >>> round(calibration_slope([0, 1, 0, 1, 1, 0], [0.2, 0.3, 0.4, 0.6, 0.7, 0.5]), 4)
    1.5568
    """
    return recalibration(outcome, prediction, weight).slope


def recalibration(
    outcome: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None, *, fixed_slope: bool = False
) -> Recalibration:
    """Fit intercept and slope of the outcome on the log-odds of the predictions.

    Parameters
    ----------
    outcome, prediction
        Shape (n,); probabilities.
    weight
        Shape (n,) or (resamples, n), taken as counts: a weight of 2 is two cases, so it narrows standard errors.
    fixed_slope
        True fits the intercept alone (slope 1, its error 0).

    Returns
    -------
    Recalibration
        Every field is NaN where the likelihood has no maximum.
    """
    data = checked(outcome, prediction, weight, probability=True)
    z = log_odds(data.prediction)
    rows = data.weight.reshape(int(np.prod(data.weight.shape[:-1])), data.outcome.size)
    beta, errors = _fit(z, data.outcome, rows, fixed_slope=fixed_slope)
    shape = data.weight.shape[:-1]
    found = [np.reshape(part, shape) for part in (beta[:, 0], beta[:, 1], errors[:, 0], errors[:, 1])]
    return Recalibration(*(float(part) if part.ndim == 0 else part for part in found))


def _fit(z: FloatArray, y: FloatArray, rows: FloatArray, *, fixed_slope: bool) -> tuple[FloatArray, FloatArray]:
    """Newton's method for all weight rows at once; returns coefficients and standard errors, shape (rows, 2)."""
    count = len(rows)
    if not np.all(np.isfinite(z)) or z.size == 0:
        return np.full((count, 2), np.nan), np.full((count, 2), np.nan)
    events, totals = rows @ y, rows.sum(axis=1)
    lost = (events <= 0) | (events >= totals)
    if not fixed_slope:
        lost |= _constant(z, rows)
    beta = np.tile(_start(z, y, rows, fixed_slope=fixed_slope), (count, 1))
    for _ in range(MOST_STEPS):
        open_rows: Any = ~lost if lost.any() else slice(None)
        if lost.all():
            break
        gradient, information = _derivatives(beta[open_rows], z, y, rows[open_rows])
        step = _newton_step(gradient, information, fixed_slope=fixed_slope)
        beta[open_rows] += step
        gone = ~np.isfinite(beta).all(axis=1) | (np.abs(beta).max(axis=1, initial=0.0) > RUNAWAY)
        lost |= gone
        if np.abs(step[np.isfinite(step)]).max(initial=0.0) < STEP_TOLERANCE:
            break
    errors = _standard_errors(beta, z, y, rows, fixed_slope=fixed_slope)
    beta[lost], errors[lost] = np.nan, np.nan
    return beta, errors


def _start(z: FloatArray, y: FloatArray, rows: FloatArray, *, fixed_slope: bool) -> FloatArray:
    """Return where Newton's method starts: for many rows (resamples) at the fit of their mean, which lies near all."""
    plain = np.array([0.0, 1.0])
    if len(rows) < FEWEST_TO_START_FROM_THE_MEAN:
        return plain
    found = _fit(z, y, rows.mean(axis=0, keepdims=True), fixed_slope=fixed_slope)[0][0]
    return found if np.isfinite(found).all() else plain


def _constant(z: FloatArray, rows: FloatArray) -> Any:
    """Return which weight rows put all their weight on one value of z."""
    low = np.where(rows > 0, z, np.inf).min(axis=1)
    high = np.where(rows > 0, z, -np.inf).max(axis=1)
    return high - low <= 0


def _derivatives(beta: FloatArray, z: FloatArray, y: FloatArray, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    p = expit(beta[:, :1] + beta[:, 1:] * z)
    residual = rows * (y - p)
    spread = rows * p * (1 - p)
    gradient = np.stack([residual.sum(axis=1), residual @ z], axis=1)
    information = np.stack([spread.sum(axis=1), spread @ z, spread @ (z * z)], axis=1)
    return gradient, information


def _newton_step(gradient: FloatArray, information: FloatArray, *, fixed_slope: bool) -> FloatArray:
    a, b, c = information.T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if fixed_slope:
            step = np.stack([gradient[:, 0] / a, np.zeros(len(a))], axis=1)
        else:
            determinant = a * c - b * b
            first = (c * gradient[:, 0] - b * gradient[:, 1]) / determinant
            second = (a * gradient[:, 1] - b * gradient[:, 0]) / determinant
            step = np.stack([first, second], axis=1)
        longest = np.abs(step).max(axis=1, keepdims=True)
        return np.asarray(step * np.minimum(1.0, 4.0 / longest, where=longest > 0, out=np.ones_like(longest)))


def _standard_errors(
    beta: FloatArray, z: FloatArray, y: FloatArray, rows: FloatArray, *, fixed_slope: bool
) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b, c = _derivatives(beta, z, y, rows)[1].T
        if fixed_slope:
            return np.stack([np.sqrt(1 / a), np.zeros(len(a))], axis=1)
        determinant = a * c - b * b
        return np.asarray(np.sqrt(np.stack([c / determinant, a / determinant], axis=1)))


def curve_distance(outcome: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> CurveDistance:
    """Return ICI, E50, E90 and Emax: distances between predictions and a loess calibration curve.

    Source: Austin and Steyerberg, Statistics in Medicine 2019 (doi:10.1002/sim.8281). Ours is a local *linear* loess of
    span 0.75, without robustness steps (:mod:`models.smooth`). NaN with fewer than ten cases or one class.

    Examples
    --------
    >>> p = np.linspace(0.1, 0.9, 50)
    >>> y = (np.arange(50) % 3 == 0).astype(float)
    >>> round(curve_distance(y, p).ici, 3)
    0.246
    """
    data = checked(outcome, prediction, weight, probability=True)
    if _too_thin(data):
        return CurveDistance(*([float("nan")] * 4))
    curve = Loess.of(data.prediction, data.weight)
    gap = np.abs(curve.fitted(data.outcome) - data.prediction)
    halves = _weighted_quantiles(gap, data.weight, (0.5, 0.9))
    return CurveDistance(float(data.weight @ gap / data.total), halves[0], halves[1], float(gap[data.weight > 0].max()))


def integrated_calibration_index(outcome: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """Return the ICI, for many weight rows at once.

    For weights of shape (resamples, n) the neighbourhoods of the loess are those of the unweighted cases, so that all
    resamples share them; the point estimate of :func:`curve_distance` has its own.
    """
    data = checked(outcome, prediction, weight, probability=True)
    if data.weight.ndim == 1:
        return curve_distance(data.outcome, data.prediction, data.weight).ici
    if _too_thin(Judged(data.outcome, data.prediction, np.ones_like(data.outcome))):
        return np.full(data.weight.shape[:-1], np.nan)
    curve = Loess.of(data.prediction, np.ones_like(data.outcome))
    gap = np.abs(curve.fitted(data.outcome, data.weight) - data.prediction)
    return np.sum(gap * data.weight, axis=-1) / data.total


FEWEST_FOR_A_CURVE = 10
"""Cases below which a smooth curve is not drawn."""


def _too_thin(data: Judged) -> bool:
    held = data.weight > 0
    return int(held.sum()) < FEWEST_FOR_A_CURVE or np.ptp(data.outcome[held]) == 0 or np.ptp(data.prediction[held]) == 0


def _weighted_quantiles(values: FloatArray, weight: FloatArray, levels: tuple[float, ...]) -> tuple[float, ...]:
    """Quantiles by linear interpolation, as numpy's for counts (type 7 on the repeated cases)."""
    order = np.argsort(values, kind="stable")
    ordered, ends = values[order], np.cumsum(weight[order])
    at = np.asarray(levels) * (ends[-1] - 1)
    low = ordered[np.minimum(np.searchsorted(ends, np.floor(at), side="right"), len(ordered) - 1)]
    high = ordered[np.minimum(np.searchsorted(ends, np.ceil(at), side="right"), len(ordered) - 1)]
    return tuple(float(v) for v in low + (high - low) * (at - np.floor(at)))
