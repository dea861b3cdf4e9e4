"""Leave one trial family out: how well the evidence foretells arms of trials it has never seen.

Variances are learned *without* the left-out families as well (in ten groups of families, each group's variances from
the other nine), so nothing that is judged has been seen in any way; the terms themselves were designed with the arms
at hand, and docs/evidence.md says what was tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binom, norm

from features.from_cases import batch_of
from models.bootstrap import RESAMPLES, Estimate, estimate, resample_counts
from models.evidence import EvidenceTerm
from models.evidence_arms import MOST_PATIENTS, rows_of
from models.evidence_data import sigmoid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.sources.published_arms import Arm
    from models.evidence_arms import ArmRow
    from models.evidence_data import FloatArray, Variances

GROUPS_OF_FAMILIES = 10
"""Groups in which variances are learned without the families that are judged by them."""

SEED = 2026
"""Of the resamples of trial families."""

LEAST_FOR_CORRELATION = 20
"""Patients an arm needs to count in the correlation (issue 4)."""

LEVEL = 0.90
"""Level of the predictive interval."""

QUADRATURE = np.asarray(norm.ppf((np.arange(201) + 0.5) / 201), dtype=np.float64)
"""Equally likely normal deviates: the binomial is averaged over them."""


@dataclass(frozen=True)
class ArmForetold:
    """One judged arm, foretold without its trial family. ``low`` and ``high`` are responders, 90% predictive."""

    arm_id: str
    trial_family: str
    n: int
    responders: int
    foretold: float
    standard_deviation: float
    low: int
    high: int
    covered: bool
    by_chance: float

    @property
    def observed(self) -> float:
        """Return the response rate."""
        return self.responders / self.n

    @property
    def inside(self) -> bool:
        """Return whether the responders lie within the predictive interval."""
        return self.low <= self.responders <= self.high


@dataclass(frozen=True)
class LeaveFamilyOut:
    """What issue 4 asks of one family of arms; errors are of the response rate, weighted by min(n, 300).

    ``chance`` is the error that would be left if every foretold rate were exact; ``excess`` what is on top of it.
    """

    family: str
    arms: int
    trial_families: int
    mean_absolute_error: float
    class_average_error: float
    chance: float
    correlation: float
    coverage: float
    covered: float
    table: tuple[ArmForetold, ...]

    @property
    def less_than_class_average(self) -> Estimate:
        """Return the error less that of the class average, with its interval over trial families drawn whole."""
        less = np.abs(_rates(self.table) - _observed(self.table))
        less -= np.abs(_class_average(self.table) - _observed(self.table))
        weight, families = _weights(self.table), np.array([one.trial_family for one in self.table])
        blocks = resample_counts(families, np.zeros(len(families)), RESAMPLES, SEED)
        drawn = [(counts * weight) @ less / ((counts * weight).sum(axis=1)) for counts in blocks]
        return estimate(_mean(less, weight), np.concatenate(drawn))

    @property
    def excess(self) -> float:
        """Return the error beyond chance."""
        return self.mean_absolute_error - self.chance

    def summary(self) -> dict[str, Any]:
        """Return the figures, JSON-ready."""
        less = self.less_than_class_average
        return {
            "family": self.family,
            "arms": self.arms,
            "trial_families": self.trial_families,
            "mean_absolute_error": self.mean_absolute_error,
            "class_average_error": self.class_average_error,
            "by_chance": self.chance,
            "excess": self.excess,
            "correlation": self.correlation,
            "coverage_90": self.coverage,
            "less_than_class_average": {"value": less.value, "low": less.low, "high": less.high},
            "with_evidence": self.covered,
        }


def leave_family_out(arms: Sequence[Arm], groups: int = GROUPS_OF_FAMILIES) -> LeaveFamilyOut:
    """Foretell every judged arm without its trial family.

    Parameters
    ----------
    arms
        Arms of one family; judged are those that :attr:`Arm.judged` names.
    groups
        Groups of trial families in which variances are learned; fewer are faster.
    """
    rows = rows_of(arms)
    by_id = {row.arm_id: row for row in rows}
    judged = [arm for arm in arms if arm.judged]
    families = sorted({arm.trial_family for arm in judged})
    foretold: list[ArmForetold] = []
    for group in range(groups):
        left_out = families[group::groups]
        variances = _variances(judged[0].family, [row for row in rows if row.trial_family not in left_out])
        for name in left_out:
            kept = [row for row in rows if row.trial_family != name]
            term = EvidenceTerm.of_rows(judged[0].family, kept, variances)
            theirs = [arm for arm in judged if arm.trial_family == name]
            foretold.extend(foretell(term, theirs, [by_id[arm.arm_id] for arm in theirs]))
    return _judged(judged[0].family, sorted(foretold, key=lambda one: one.arm_id))


def _variances(family: str, rows: Sequence[ArmRow]) -> Variances:
    return EvidenceTerm.of_rows(family, rows).variances


def foretell(term: EvidenceTerm, arms: Sequence[Arm], rows: Sequence[ArmRow]) -> list[ArmForetold]:
    """Foretell arms from their description alone, as cases are (how they were reported is not known of a patient)."""
    cases = [case for arm in arms for _, case in arm.readings]
    weights = np.zeros((len(arms), len(cases)))
    place = 0
    for i, arm in enumerate(arms):
        for weight, _ in arm.readings:
            weights[i, place] = weight
            place += 1
    found = term.evaluate(batch_of(cases))
    deviation = np.sqrt(weights @ found.variance + found.between_trial_variance)
    covered = (weights @ found.covered.astype(np.float64)) >= 0.5
    return [
        _foretold(row, float(z), float(sd), bool(known))
        for row, z, sd, known in zip(rows, weights @ found.log_odds, deviation, covered, strict=True)
    ]


def _foretold(row: ArmRow, log_odds: float, deviation: float, covered: bool) -> ArmForetold:
    counts = np.arange(row.n + 1)
    rates = sigmoid(log_odds + deviation * QUADRATURE)
    cumulative = binom.cdf(counts[:, None], row.n, rates).mean(axis=1)
    rate = float(sigmoid(np.array(log_odds)))
    return ArmForetold(
        arm_id=row.arm_id,
        trial_family=row.trial_family,
        n=row.n,
        responders=row.responders,
        foretold=rate,
        standard_deviation=deviation,
        low=int(np.searchsorted(cumulative, (1 - LEVEL) / 2)),
        high=int(np.searchsorted(cumulative, (1 + LEVEL) / 2)),
        covered=covered,
        by_chance=float(binom.pmf(counts, row.n, rate) @ np.abs(counts / row.n - rate)),
    )


def _judged(family: str, table: Sequence[ArmForetold]) -> LeaveFamilyOut:
    observed, rate, weight = _observed(table), _rates(table), _weights(table)
    large = np.array([one.n >= LEAST_FOR_CORRELATION for one in table])
    return LeaveFamilyOut(
        family=family,
        arms=len(table),
        trial_families=len({one.trial_family for one in table}),
        mean_absolute_error=_mean(np.abs(rate - observed), weight),
        class_average_error=_mean(np.abs(_class_average(table) - observed), weight),
        chance=_mean(np.array([one.by_chance for one in table]), weight),
        correlation=float(np.corrcoef(rate[large], observed[large])[0, 1]),
        coverage=float(np.mean([one.inside for one in table])),
        covered=float(np.mean([one.covered for one in table])),
        table=tuple(table),
    )


def _observed(table: Sequence[ArmForetold]) -> FloatArray:
    return np.array([one.observed for one in table])


def _rates(table: Sequence[ArmForetold]) -> FloatArray:
    return np.array([one.foretold for one in table])


def _weights(table: Sequence[ArmForetold]) -> FloatArray:
    return np.array([min(one.n, MOST_PATIENTS) for one in table], dtype=np.float64)


def _mean(values: FloatArray, weight: FloatArray) -> float:
    return float(np.average(values, weights=weight))


def _class_average(table: Sequence[ArmForetold]) -> FloatArray:
    """Return for every arm the rate of all judged arms of its class (the family), its own trial family left out."""
    rates = []
    for one in table:
        others = [other for other in table if other.trial_family != one.trial_family]
        rates.append(sum(other.responders for other in others) / sum(other.n for other in others))
    return np.array(rates)
