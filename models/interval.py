"""The 95% interval of a case's log-odds, mapped through the same a and b; numpy only.

    variance = a^2 * (x' C x + left(w^2 * var(evidence) + between settings) + left(between histologies)
                      + spread of boosters + unknown inputs)
               + (z, 1) Cov(a, b) (z, 1)' + between sites

C is the penalised covariance of the linear coefficients and w (see :class:`models.linear_fit.LinearFit`), its
intercept profiled out because b is fitted anew; var(evidence) holds the between-trial variance. The three *between*
are estimated in the fit by leaving whole histologies, settings and hospitals out (:mod:`models.between`), that of
settings beyond what the evidence's own variance and that of histologies explain of it. left(v) is what training cases
of the same histology (for settings: and therapy class) leave of a variance, level by level of the lineage. The variance
between sites is the calibration's (:class:`models.calibration.AffineCalibration`): local outcomes wear it down. The
interval is symmetric around the served log-odds, so it contains the served probability by construction, and it widens
where data are thin: a level that training hardly saw keeps its prior variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.inputs import FloatArray

Z_95 = 1.959963984540054
"""Standard normal quantile of 0.975."""

METHOD = "log-odds-95"

CHUNK = 512
"""Cases worked on at a time where all of them would not stay in the cache."""


@dataclass(frozen=True, eq=False)
class IntervalVariance:
    """What the interval needs beside the terms themselves.

    Attributes
    ----------
    linear_root
        Shape (p + 1, r): root of the covariance of (coefficients, w); shape (0, 0) without a linear term.
    unknown_input
        Shape (F,): variance in z^2 that not knowing a feature brings: the mean square of what it would contribute
        (:func:`models.interval_fit.fit_interval`).
    indicators
        Shape (F,): place of each feature's missing indicator in the matrix, -1 where it has none.
    alternatives
        Shape (F,): number of the set of features that measure the same thing (TMB by panel, exome or blood), -1 for a
        feature of its own. A set is unknown when all of it is, and brings the largest variance of its members, once.
    between_histologies, between_settings
        Variance in z^2 between histologies, and between settings beyond the evidence's own variance, as estimated;
        see :class:`models.settings.IntervalSettings`.
    untested, unknown_match
        Place of the column that says that the match of therapy and alteration was not tested (-1: there is none), and
        the variance in z^2 that this brings.
    """

    linear_root: FloatArray
    unknown_input: FloatArray
    indicators: FloatArray
    alternatives: FloatArray
    between_histologies: float
    between_settings: float = 0.0
    untested: float = -1.0
    unknown_match: float = 0.0

    def of_linear(self, standardised: FloatArray, evidence_from_mean: FloatArray) -> FloatArray:
        """Return x' C x, shape (n,); ``evidence_from_mean`` is evidence minus its training mean."""
        if not self.linear_root.size:
            return np.zeros(len(standardised))
        turned = standardised @ self.linear_root[:-1]
        for start in range(0, len(turned), CHUNK):  # the outer product of all would not stay in the cache
            here = slice(start, start + CHUNK)
            turned[here] += np.multiply.outer(evidence_from_mean[here], self.linear_root[-1])
        return np.asarray(np.einsum("ij,ij->i", turned, turned), dtype=np.float64)

    def of_unknown_inputs(self, matrix: FloatArray) -> FloatArray:
        """Return the variance of the inputs that are unknown, shape (n,)."""
        places = self.indicators.astype(np.int64)
        alone = (places >= 0) & (self.alternatives < 0)
        found = np.asarray(matrix[:, places[alone]] @ self.unknown_input[alone], dtype=np.float64)
        for one in set(self.alternatives[self.alternatives >= 0].tolist()):
            members = (self.alternatives == one) & (places >= 0)
            if members.any():
                found += matrix[:, places[members]].min(axis=1) * float(self.unknown_input[members].max())
        return found if self.untested < 0 else found + self.unknown_match * matrix[:, int(self.untested)]


def left(variance: FloatArray, cases: FloatArray, information: FloatArray) -> FloatArray:
    """Return what is left of a variance after training cases at each level of a lineage, shape (n,).

    The levels have equal shares v of the variance, as they have one prior in the linear term; m cases leave
    v / (1 + m p (1 - p) v) of a share, the posterior variance of a normal log-odds after m outcomes. So an
    adenocarcinoma of the lung is new by one share in three where training knew carcinomas of the lung alone.

    Parameters
    ----------
    variance
        Shape (n,).
    cases
        Shape (n, k): training cases by level; NaN where there is no such level.
    information
        Shape (n,): p (1 - p) of the case itself: where one in twenty responds, an outcome tells a quarter of what it
        tells where half of them do.

    Examples
    --------
    >>> left(np.array([1.0]), np.array([[6.0, np.nan]]), np.array([0.25])).tolist()
    [0.4]
    >>> left(np.array([1.0]), np.array([[0.0, np.inf]]), np.array([0.25])).tolist()
    [0.5]
    """
    levels = np.maximum((~np.isnan(cases)).sum(axis=1), 1)
    share = (variance / levels)[:, None]
    return np.asarray(np.nansum(share / (1.0 + cases * information[:, None] * share), axis=1), dtype=np.float64)


def bounds(log_odds: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the two ends of the 95% interval on the log-odds.

    Examples
    --------
    >>> low, high = bounds(np.array([0.0]), np.array([1.0]))
    >>> round(float(low[0]), 2), round(float(high[0]), 2)
    (-1.96, 1.96)
    """
    half = Z_95 * np.sqrt(variance)
    return log_odds - half, log_odds + half
