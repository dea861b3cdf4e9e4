"""The calibrator: log-odds = a * z + b, fitted on out-of-fold z and applied to the refit on all cases.

Affine on the log-odds, so that it keeps sums; never isotonic, never an average of probabilities over folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from features.errors import Refusal
from models.inputs import logistic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.inputs import FloatArray
    from models.settings import CalibrationSettings

STEPS = 100
"""Newton steps at most; two parameters need fewer than ten unless the outcomes are separated."""

CONVERGED = 1e-12
"""Largest step, in log-odds, at which the fit has converged."""


class CannotCalibrate(Refusal):
    """Outcomes that no calibration can be fitted to."""

    code = "cannot_calibrate"


@dataclass(frozen=True)
class AffineCalibration:
    """One affine pair and how sure it is.

    Attributes
    ----------
    a, b
        Slope and intercept on the log-odds.
    covariance
        ((var a, cov), (cov, var b)).
    method
        ``affine``, ``intercept`` (slope held at 1) or ``none``.
    cases, events
        What it was fitted on.
    between_sites
        Variance of the level of a hospital that it was not fitted on, log-odds squared: the prior of a local update,
        which puts what its outcomes leave of it in its place.
    """

    a: float = 1.0
    b: float = 0.0
    covariance: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (0.0, 0.0))
    method: str = "none"
    cases: float = 0.0
    events: float = 0.0
    between_sites: float = 0.0

    def log_odds(self, z: FloatArray) -> FloatArray:
        """Return a * z + b."""
        return self.a * z + self.b

    def variance(self, z: FloatArray) -> FloatArray:
        """Return the variance that (a, b) and a new site bring to the log-odds: (z, 1) Cov (z, 1)' + between sites."""
        (aa, ab), (_, bb) = self.covariance
        return np.maximum(z * z * aa + 2 * z * ab + bb, 0.0) + self.between_sites

    def to_dict(self) -> dict[str, Any]:
        """Return the stored form."""
        return {
            "a": self.a,
            "b": self.b,
            "covariance": [list(row) for row in self.covariance],
            "method": self.method,
            "cases": self.cases,
            "events": self.events,
            "between_sites": self.between_sites,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> AffineCalibration:
        """Return the calibration a dict was stored from."""
        rows = stored["covariance"]
        cov = ((float(rows[0][0]), float(rows[0][1])), (float(rows[1][0]), float(rows[1][1])))
        told = (stored[name] for name in ("method", "cases", "events", "between_sites"))
        return cls(stored["a"], stored["b"], cov, *told)


def fit_calibration(
    z: FloatArray, y: FloatArray, weight: FloatArray, settings: CalibrationSettings
) -> AffineCalibration:
    """Fit (a, b) by logistic regression of the outcome on out-of-fold z.

    Parameters
    ----------
    z
        Shape (n,): out-of-fold; in-sample z would give a slope near 1 whatever the overfit.
    y, weight
        Shape (n,): outcome or rate, and how many cases a row stands for. With rates (responders of n) the covariance
        is multiplied by Pearson's dispersion, as arms differ by more than chance (McCullagh & Nelder 1989, 4.5).

    Raises
    ------
    CannotCalibrate
        When every outcome is the same.

    Notes
    -----
    A slope that is not positive would turn the order around; the intercept alone is fitted then.

    Examples
    --------
    >>> from models.settings import CalibrationSettings
    >>> z = np.array([-1.0, -1.0, 1.0, 1.0])
    >>> found = fit_calibration(z, np.array([0.0, 1, 0, 1]), np.ones(4), CalibrationSettings(method="intercept"))
    >>> found.a, round(found.b, 6)
    (1.0, 0.0)
    """
    events, cases = float(weight @ y), float(weight.sum())
    if not 0 < events < cases:
        raise CannotCalibrate(f"{events:g} of {cases:g} cases respond", way_out="Both outcomes are needed.")
    if method_for(events, cases - events, settings) == "affine":
        fitted = fit_affine(z, y, weight)
        if fitted is not None:
            return fitted
    b, variance = fit_level(z, y, weight, 0.0, np.inf)
    variance *= _dispersion(z + b, y, weight, 1)
    return AffineCalibration(1.0, b, ((0.0, 0.0), (0.0, variance)), "intercept", cases, events)


def method_for(events: float, non_events: float, settings: CalibrationSettings) -> Literal["affine", "intercept"]:
    """Return what is fitted on so many events and non-events."""
    if settings.method != "by_events":
        return settings.method
    return "affine" if min(events, non_events) >= settings.events_for_slope else "intercept"


def fit_affine(z: FloatArray, y: FloatArray, weight: FloatArray) -> AffineCalibration | None:
    """Fit both numbers by Newton's method; None when z does not vary or the slope is not positive."""
    design = np.column_stack([z, np.ones_like(z)])
    pair = np.array([1.0, 0.0])
    for _ in range(STEPS):
        p = logistic(design @ pair)
        information = (design.T * (weight * p * (1 - p))) @ design
        if np.linalg.cond(information) > 1 / np.finfo(np.float64).eps:
            return None
        step = np.linalg.solve(information, design.T @ (weight * (y - p)))
        pair = pair + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < CONVERGED:
            break
    if pair[0] <= 0:
        return None
    cov = np.linalg.inv(information) * _dispersion(design @ pair, y, weight, 2)
    rows = ((float(cov[0, 0]), float(cov[0, 1])), (float(cov[1, 0]), float(cov[1, 1])))
    return AffineCalibration(float(pair[0]), float(pair[1]), rows, "affine", float(weight.sum()), float(weight @ y))


def fit_level(
    log_odds: FloatArray, y: FloatArray, weight: FloatArray, prior_mean: float, prior_sd: float
) -> tuple[float, float]:
    """Return the shift of the log-odds and its variance under a normal prior (``inf``: none)."""
    precision = 0.0 if np.isinf(prior_sd) else prior_sd**-2
    shift, information = prior_mean, 1.0
    for _ in range(STEPS):
        p = logistic(log_odds + shift)
        information = float(weight @ (p * (1 - p))) + precision
        step = (float(weight @ (y - p)) - precision * (shift - prior_mean)) / information
        shift += float(np.clip(step, -1.0, 1.0))
        if abs(step) < CONVERGED:
            break
    return shift, 1.0 / information


def _dispersion(log_odds: FloatArray, y: FloatArray, weight: FloatArray, fitted: int) -> float:
    if not np.any((y > 0) & (y < 1)) or len(y) <= fitted:
        return 1.0
    p = logistic(log_odds)
    return max(1.0, float(np.sum(weight * (y - p) ** 2 / (p * (1 - p)))) / (len(y) - fitted))
