"""Scores: the numbers of many answers as arrays, and the check that they add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.errors import Refusal
from models.inputs import logistic
from models.interval import bounds, left

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.calibration import AffineCalibration
    from models.inputs import FeatureLike, FloatArray, Inputs
    from models.interval import IntervalVariance
    from models.terms import Contributions, Terms

LARGEST_GAP = 1e-9
"""Log-odds that base + contributions may differ from the served log-odds (design: architecture.md)."""


class DoesNotAddUp(Refusal):
    """Base and contributions are not the log-odds that would be served: a defect, and nothing is served."""

    code = "does_not_add_up"
    exit_code = 3
    http_status = 500


@dataclass(frozen=True, eq=False)
class Scores:
    """What the equation gives for n cases; whether it may be served is the applicability's business.

    Attributes
    ----------
    z, log_odds, probability, low, high
        Shape (n,): before and after calibration; probability and its 95% interval.
    sd
        Shape (n,): standard deviation of the log-odds.
    base
        Mean served log-odds of the training cases.
    phi
        Shape (n, F): contribution of each feature to the log-odds, the evidence first where there is evidence.
    parts
        Shape (n, k): the evidence's contribution by part.
    """

    z: FloatArray
    log_odds: FloatArray
    probability: FloatArray
    low: FloatArray
    high: FloatArray
    sd: FloatArray
    base: float
    phi: FloatArray
    parts: FloatArray

    def only(self, row: int) -> Scores:
        """Return the scores of one case."""
        here = slice(row, row + 1)
        return Scores(
            self.z[here],
            self.log_odds[here],
            self.probability[here],
            self.low[here],
            self.high[here],
            self.sd[here],
            self.base,
            self.phi[here],
            self.parts[here],
        )


def gathering(features: Sequence[FeatureLike], columns: int) -> FloatArray:
    """Return the 0/1 matrix, shape (p, F), that sums the columns of each feature.

    Examples
    --------
    >>> from features.table import Feature
    >>> gathering([Feature("tmb", "tmb", (0, 2)), Feature("sex", "patient", (1,))], 3).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    sums = np.zeros((columns, len(features)))
    for place, feature in enumerate(features):
        sums[list(feature.columns), place] = 1.0
    return sums


def score(
    inputs: Inputs, terms: Terms, calibration: AffineCalibration, interval: IntervalVariance, sums: FloatArray
) -> Scores:
    """Score cases and check, case by case, that base + contributions is the served log-odds to 1e-9.

    Raises
    ------
    DoesNotAddUp
        When it is not; also for a contribution that is not finite.
    """
    found = terms.contributions(inputs)
    z = terms.base + found.evidence + found.columns.sum(axis=1)
    log_odds, base = calibration.log_odds(z), float(calibration.a * terms.base + calibration.b)
    phi = calibration.a * (found.columns @ sums)
    if terms.evidence_weight is not None:
        phi = np.concatenate([calibration.a * found.evidence[:, None], phi], axis=1)
    _adds_up(log_odds, base, phi)
    p = logistic(log_odds)
    of_terms = _variance(inputs, terms, interval, found, p * (1 - p))
    variance = calibration.a**2 * of_terms + calibration.variance(z)
    low, high = bounds(log_odds, variance)
    ends = logistic(np.stack([log_odds, low, high]))
    return Scores(z, log_odds, ends[0], ends[1], ends[2], np.sqrt(variance), base, phi, calibration.a * found.parts)


def _variance(
    inputs: Inputs, terms: Terms, interval: IntervalVariance, found: Contributions, information: FloatArray
) -> FloatArray:
    total = found.boosted_spread + interval.of_unknown_inputs(inputs.matrix)
    none_seen = np.zeros((inputs.n, 1))
    of_setting, from_mean = np.full(inputs.n, interval.between_settings), np.zeros(inputs.n)
    if inputs.evidence is not None and terms.evidence_weight is not None:
        from_mean = inputs.evidence.log_odds - terms.evidence_mean
        of_setting = of_setting + terms.evidence_weight**2 * inputs.evidence.variance
    total = total + left(of_setting, none_seen if inputs.alike_cases is None else inputs.alike_cases, information)
    if inputs.histology_cases is not None:
        between = np.full(inputs.n, interval.between_histologies)
        total = total + left(between, inputs.histology_cases, information)
    if found.standardised is not None:
        total = total + interval.of_linear(found.standardised, from_mean)
    return np.asarray(total, dtype=np.float64)


def _adds_up(log_odds: FloatArray, base: float, phi: FloatArray) -> None:
    if not len(log_odds):
        return
    gap = float(np.max(np.abs(base + phi.sum(axis=1) - log_odds)))
    if not gap <= LARGEST_GAP:
        raise DoesNotAddUp(
            f"base and contributions differ from the log-odds by {gap:g}, more than {LARGEST_GAP:g}",
            way_out="Nothing is served; please report the model's digest.",
        )
