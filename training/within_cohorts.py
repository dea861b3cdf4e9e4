"""One predictor over several cohorts in one line: ranks within cohorts, levels over all of them.

AUROCs are taken within each cohort and pooled by inverse variance, never over concatenated cohorts. Brier skill is over
each cohort's own base rate. Where forecasts come from a repeated resampling, values are means over the repeats and
intervals those of the first, moved to that mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit

from models.bootstrap import RESAMPLES, Estimate, estimate, resample_counts
from models.delong import Z_95, auroc_standard_error
from models.metrics import auroc
from models.metrics_calibration import recalibration
from models.pooling import Pooled, pool_inverse_variance
from training.evaluate import FEWEST_CASES, FEWEST_EVENTS
from training.judged import MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.further import Cell
    from training.judged import FloatArray, Scene

COLUMNS = (
    ("n", "n"),
    ("events", "events"),
    ("cohorts", "cohorts"),
    ("observed", "observed rate"),
    ("predicted", "mean prediction"),
    ("auroc", "AUROC within cohorts"),
    ("brier_skill", "Brier skill over the cohorts' base rates"),
    ("citl", "CITL"),
    ("slope", "slope"),
)
"""Of a table whose rows :func:`over_cohorts` made; what a row is about stands before them."""


COUNTED = "counted, not scored"
"""Note of a group that is too small to be scored."""


def over_cohorts(
    parts: Sequence[Scene], predictor: str = MODEL, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Cell]:
    """Judge one predictor over the scenes of several cohorts; too small a group is counted and not scored.

    Cases for which the predictor has no number are left out of its line, and ``n`` says how many are in.
    """
    held = [(scene, forecast) for scene in parts if (forecast := scene.forecast(predictor)) is not None]
    outcomes = [scene.outcome[forecast.known] for scene, forecast in held]
    values = [forecast.values[:, forecast.known] for _, forecast in held]
    y = np.concatenate(outcomes) if outcomes else np.zeros(0)
    counted: dict[str, Cell] = {"n": len(y), "events": int(y.sum()), "cohorts": sum(len(one) > 0 for one in outcomes)}
    if len(y) < FEWEST_CASES or y.sum() < FEWEST_EVENTS or len(y) - y.sum() < 1:
        return {**counted, "note": COUNTED}
    found: dict[str, Cell] = {**counted, "observed": float(y.mean()), "auroc": pooled_areas(outcomes, values)}
    if not all(forecast.on_unit_scale for _, forecast in held):
        return found
    p = np.concatenate(values, axis=1)
    source = np.repeat(np.arange(len(outcomes)), [len(one) for one in outcomes])
    patients = np.concatenate([scene.patients[forecast.known] for scene, forecast in held])
    return {
        **found,
        "predicted": float(p.mean()),
        "brier_skill": _skill(y, p, source, patients, resamples, seed),
        "citl": _calibration(y, p, fixed_slope=True),
        "slope": _calibration(y, p, fixed_slope=False),
    }


def pooled_areas(outcomes: Sequence[FloatArray], values: Sequence[FloatArray]) -> Estimate:
    """Return AUROCs pooled by inverse variance; cohorts with one class or a single case of one do not count.

    The interval is symmetric on the logit scale, so that it stays between 0 and 1 in a small group as well (Pepe 2003,
    The Statistical Evaluation of Medical Tests, 5.2.5).
    """
    repeats = [_pooled(outcomes, [value[repeat] for value in values]) for repeat in range(len(values[0]))]
    value = float(np.mean([one.value for one in repeats]))
    if not 0 < value < 1:
        return Estimate(value, float("nan"), float("nan"))
    middle, half = float(logit(value)), Z_95 * repeats[0].standard_error / (value * (1 - value))
    return Estimate(value, float(expit(middle - half)), float(expit(middle + half)))


def _pooled(outcomes: Sequence[FloatArray], values: Sequence[FloatArray]) -> Pooled:
    both = [(y, p) for y, p in zip(outcomes, values, strict=True) if 0 < y.sum() < len(y)]
    areas = [float(auroc(y, p)) for y, p in both]
    return pool_inverse_variance(areas, [auroc_standard_error(y, p) for y, p in both])


def _skill(
    y: FloatArray, p: FloatArray, source: NDArray[Any], patients: NDArray[Any], resamples: int, seed: int
) -> Estimate:
    blocks = resample_counts(patients, source, resamples, seed)
    drawn = np.concatenate([_skills(y, p[0], source, counts) for counts in blocks])
    each = [float(_skills(y, row, source, np.ones((1, len(y))))[0]) for row in p]
    first, value = each[0], float(np.mean(each))
    return estimate(value, drawn + value - first)


def _skills(y: FloatArray, p: FloatArray, source: NDArray[Any], counts: FloatArray) -> FloatArray:
    known = np.zeros(len(counts))
    for level in np.unique(source):
        held = source == level
        n, events = counts[:, held].sum(axis=1), counts[:, held] @ y[held]
        known += events - np.divide(events**2, n, out=np.zeros_like(n), where=n > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - (counts @ (p - y) ** 2) / known)


def _calibration(y: FloatArray, p: FloatArray, *, fixed_slope: bool) -> Estimate:
    each = [recalibration(y, row, fixed_slope=fixed_slope) for row in p]
    found = [one.intercept if fixed_slope else one.slope for one in each]
    value = float(np.mean(found))
    half = Z_95 * (each[0].intercept_error if fixed_slope else each[0].slope_error)
    return Estimate(value, value - half, value + half)
