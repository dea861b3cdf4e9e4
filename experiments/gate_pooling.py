"""One row of several development cohorts: each measure within its cohort, then pooled by inverse variance.

protocol.md never concatenates cohorts. The gate judges the model, not one cohort: Liu's 144 patients alone could not
give a slope's interval inside 0.6 to 1.6 if the model were perfect. Every cohort's own row stays in the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.pooling import pool_inverse_variance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Z95 = 1.959963984540054
"""97.5th percentile of the standard normal."""

POOLED = ("slope", "citl", "skill_over_reference", "auroc_within_histology")


def pooled_row(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the one row of a single cohort, or the pooled row of several.

    Parameters
    ----------
    rows
        The model's rows of the development resampling, one per cohort.

    Notes
    -----
    A cohort in which a measure is undefined (too few events) does not count for that measure. Counts are sums.

    Examples
    --------
    >>> one = {"cohort": "a", "metrics": {"slope": {"value": 1.0, "low": 0.8, "high": 1.2}}, "n": 9, "abstained": 0}
    >>> pooled_row([one]) is one
    True
    """
    if len(rows) == 1:
        return rows[0]
    counts = {name: sum(int(row[name]) for row in rows) for name in ("n", "events", "abstained") if name in rows[0]}
    metrics = {name: found for name in POOLED if (found := _pooled([row["metrics"].get(name) for row in rows]))}
    cohorts = f"{len(rows)} cohorts pooled"
    return {**rows[0], **counts, "cohort": cohorts, "metrics": metrics}


def pooled_limit(rows: Sequence[Mapping[str, Any]], limits: Mapping[str, float | None]) -> float | None:
    """Return the limit that the pooled within-histology AUROC has to pass: the cohorts' limits, weighted like it.

    A cohort's limit is the 95th percentile under its own permutations; the percentile of the pooled null would lie
    closer to its mean, so this is the stricter of the two.
    """
    known = [
        (limit, error)
        for row in rows
        if (limit := limits.get(row["cohort"])) is not None
        and (error := _standard_error(row["metrics"].get("auroc_within_histology"))) is not None
    ]
    if not known:
        return None
    weights = [1 / error**2 for _, error in known]
    return sum(weight * limit for weight, (limit, _) in zip(weights, known, strict=True)) / sum(weights)


def _standard_error(estimate: Mapping[str, Any] | None) -> float | None:
    if not estimate or estimate.get("low") is None or estimate.get("high") is None:
        return None
    error = (estimate["high"] - estimate["low"]) / (2 * Z95)
    return error if error > 0 else None


def _pooled(estimates: Sequence[Mapping[str, Any] | None]) -> dict[str, float] | None:
    known = [(one["value"], error) for one in estimates if one and (error := _standard_error(one)) is not None]
    if not known:
        return None
    found = pool_inverse_variance([value for value, _ in known], [error for _, error in known])
    return {"value": found.value, "low": found.interval.low, "high": found.interval.high}
