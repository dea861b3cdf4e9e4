"""DeLong's variance of an AUROC, and the paired comparison of two AUROCs on the same patients.

DeLong, DeLong and Clarke-Pearson, Biometrics 1988 (doi:10.2307/2531595), computed by mid-ranks as in Sun and Xu, IEEE
Signal Processing Letters 2014 (doi:10.1109/LSP.2014.2337313): n log n, no matrix of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm, rankdata

from models.metrics import FloatArray, InvalidPrediction, checked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FEWEST_PER_CLASS = 2
"""Cases of each class that a variance needs; with fewer it is NaN."""

Z_95: float = float(norm.ppf(0.975))
"""Normal quantile of a two-sided 95% interval."""


@dataclass(frozen=True)
class PairedAuroc:
    """Two AUROCs on the same patients and their difference ``first - second``, with a 95% interval and p value."""

    first: float
    second: float
    difference: float
    standard_error: float
    low: float
    high: float
    p_value: float


def auroc_covariance(outcome: ArrayLike, predictions: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the AUROCs of several scores on the same cases and DeLong's covariance of them.

    Parameters
    ----------
    outcome
        Shape (n,), 0 or 1. Cases are taken as independent: one per patient.
    predictions
        Shape (scores, n).

    Returns
    -------
    tuple
        AUROCs, shape (scores,), and covariance, shape (scores, scores); NaN with fewer than two cases of a class.

    Examples
    --------
    >>> areas, covariance = auroc_covariance([0, 0, 1, 1], [[0.1, 0.4, 0.35, 0.8]])
    >>> areas.tolist(), covariance.round(4).tolist()
    ([0.75], [[0.125]])
    """
    scores = np.atleast_2d(np.asarray(predictions, dtype=np.float64))
    y = np.asarray(outcome, dtype=np.float64)
    for row in scores:
        checked(y, row)
    cases, controls = scores[:, y == 1], scores[:, y == 0]
    m, n = cases.shape[1], controls.shape[1]
    if min(m, n) == 0:
        return np.full(len(scores), np.nan), np.full((len(scores), len(scores)), np.nan)
    together = rankdata(np.hstack([cases, controls]), axis=1)
    above = (together[:, :m] - rankdata(cases, axis=1)) / n
    below = 1 - (together[:, m:] - rankdata(controls, axis=1)) / m
    areas = above.mean(axis=1)
    if min(m, n) < FEWEST_PER_CLASS:
        return areas, np.full((len(scores), len(scores)), np.nan)
    spread = np.atleast_2d(np.cov(above)) / m + np.atleast_2d(np.cov(below)) / n
    return areas, spread


def auroc_standard_error(outcome: ArrayLike, prediction: ArrayLike) -> float:
    """Return DeLong's standard error of one AUROC, NaN with fewer than two cases of a class.

    Examples
    --------
    >>> round(auroc_standard_error([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 6)
    0.353553
    """
    _, covariance = auroc_covariance(outcome, np.atleast_2d(np.asarray(prediction, dtype=np.float64)))
    return float(np.sqrt(covariance[0, 0]))


def compare_aurocs(outcome: ArrayLike, first: ArrayLike, second: ArrayLike) -> PairedAuroc:
    """Compare two scores on the same patients: DeLong's paired test of the difference of AUROCs.

    A difference without any spread (two scores of the same ranks) has standard error 0 and p value 1 when it is 0.

    Raises
    ------
    InvalidPrediction
        When the scores have not the same cases.

    Examples
    --------
    >>> compare_aurocs([0, 0, 1, 1], [1, 2, 3, 4], [1, 3, 2, 4]).difference
    0.25
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise InvalidPrediction(
            f"{a.size} and {b.size} predictions cannot be paired", way_out="Judge both on the same cases."
        )
    areas, covariance = auroc_covariance(outcome, np.vstack([a, b]))
    difference = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    error = float(np.sqrt(max(variance, 0.0))) if np.isfinite(variance) else float("nan")
    half = Z_95 * error
    return PairedAuroc(
        float(areas[0]),
        float(areas[1]),
        difference,
        error,
        difference - half,
        difference + half,
        _p_value(difference, error),
    )


def _p_value(difference: float, error: float) -> float:
    if np.isnan(error):
        return float("nan")
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * norm.sf(abs(difference) / error))
