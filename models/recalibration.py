"""Updating a calibration on local outcomes: the level alone, or slope and level when there are enough of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.calibration import AffineCalibration, fit_affine, fit_level, method_for
from models.inputs import log_loss

if TYPE_CHECKING:
    from models.inputs import FloatArray
    from models.settings import CalibrationSettings

LOCAL_SHIFT_SD = 1.0
"""Prior standard deviation, in log-odds, of how far a new site's level lies from development, for a calibration that
does not know the variance between sites (:attr:`AffineCalibration.between_sites`), as of a synthetic model. Updates
from few outcomes need shrinkage (Steyerberg 2004, doi:10.1002/sim.1844); weak beside 20 outcomes at a rate of 30%
(information 4.2 against 1), and it keeps the intercept finite when none of them responds."""


@dataclass(frozen=True)
class Update:
    """A calibration updated on local outcomes, with its before and after on those outcomes."""

    before: AffineCalibration
    after: AffineCalibration
    citl_before: float
    citl_after: float
    log_loss_before: float
    log_loss_after: float


def update(
    before: AffineCalibration,
    log_odds: FloatArray,
    y: FloatArray,
    settings: CalibrationSettings,
    prior_sd: float | None = None,
) -> Update:
    """Update a calibration on local outcomes; the served log-odds of those cases go in.

    The site is no longer new afterwards: the variance between sites gives way to that of the updated level. The update
    tells calibration in the large shrunk by the same prior, so that it is finite.

    Parameters
    ----------
    before
        The calibration that served ``log_odds``.
    log_odds
        Shape (n,): as served.
    y
        Shape (n,): local outcomes, 0 or 1.
    settings
        Whether the slope is updated as well: with enough events and non-events, otherwise the intercept alone.
    prior_sd
        Prior of the local shift of the intercept, in log-odds; :func:`shift_sd` of the calibration when not given.

    Examples
    --------
    >>> from models.settings import CalibrationSettings
    >>> none_responds = update(AffineCalibration(), np.zeros(20), np.zeros(20), CalibrationSettings())
    >>> round(none_responds.after.b, 2), none_responds.after.method
    (-2.13, 'intercept')
    """
    prior_sd = shift_sd(before) if prior_sd is None else prior_sd
    weight = np.ones_like(y)
    events = float(y.sum())
    local = fit_affine(log_odds, y, weight) if method_for(events, len(y) - events, settings) == "affine" else None
    if local is None:
        shift, variance = fit_level(log_odds, y, weight, 0.0, prior_sd)
        cov = _around(before, float(np.mean((log_odds - before.b) / before.a)), variance)
        after = AffineCalibration(before.a, before.b + shift, cov, "intercept", float(len(y)), events)
        moved = log_odds + shift
    else:
        after, moved = _composed(before, local), local.log_odds(log_odds)
    citl_before, citl_after = (fit_level(at, y, weight, 0.0, prior_sd)[0] for at in (log_odds, moved))
    losses = log_loss(log_odds, y, weight), log_loss(moved, y, weight)
    return Update(before, after, citl_before, citl_after, *losses)


def shift_sd(calibration: AffineCalibration) -> float:
    """Return the prior standard deviation of a new site's level: between sites, else :data:`LOCAL_SHIFT_SD`.

    Examples
    --------
    >>> shift_sd(AffineCalibration(between_sites=0.16)), shift_sd(AffineCalibration())
    (0.4, 1.0)
    """
    return calibration.between_sites**0.5 or LOCAL_SHIFT_SD


def _around(
    before: AffineCalibration, centre: float, variance: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return Cov(a, b) when the slope stays as unsure as it was and the level is known best at the local mean z."""
    slope = before.covariance[0][0]
    return (slope, -centre * slope), (-centre * slope, variance + centre * centre * slope)


def _composed(inner: AffineCalibration, outer: AffineCalibration) -> AffineCalibration:
    """Return outer(inner(z)) as one pair in z, its covariance carried over from the local fit."""
    turn = np.array([[inner.a, 0.0], [inner.b, 1.0]])
    cov = turn @ np.array(outer.covariance) @ turn.T
    rows = ((float(cov[0, 0]), float(cov[0, 1])), (float(cov[1, 0]), float(cov[1, 1])))
    return AffineCalibration(outer.a * inner.a, outer.a * inner.b + outer.b, rows, "affine", outer.cases, outer.events)
