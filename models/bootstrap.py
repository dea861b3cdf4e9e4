"""Percentile bootstrap over patients of fixed predictions, stratified by cohort, all resamples in one pass.

The predictions are held fixed (they are out of fold), so an interval says how much the *judgement* depends on who
happened to be in the cohort; the spread over repeats of the resampling says how much the fit does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

    from models.metrics import FloatArray

    WeightedMetric = Callable[[FloatArray, FloatArray, FloatArray], Any]

RESAMPLES = 2000
"""Resamples of every interval (design/protocol.md)."""

MOST_CELLS = 2_000_000
"""Counts held at once (resamples x cases): 16 MB of float64."""

LEAST_DEFINED = 0.5
"""Share of resamples in which a metric must be defined for its interval to be shown."""


class InvalidResampling(Refusal):
    """Strata, patients or the number of resamples that no bootstrap can be drawn from."""

    code = "invalid_resampling"


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval; ``undefined`` is the share of resamples in which it could not be computed."""

    value: float
    low: float
    high: float
    undefined: float = 0.0


def resample_counts(
    patients: ArrayLike, strata: ArrayLike, resamples: int = RESAMPLES, seed: int = 0
) -> Iterator[FloatArray]:
    """Yield how often each case is drawn, in blocks of shape (some resamples, n).

    Patients are drawn with replacement within their stratum; all cases of a drawn patient come along.

    Parameters
    ----------
    patients
        Shape (n,): one id per case.
    strata
        Shape (n,): the cohort of each case; a patient belongs to the stratum of the first case.
    resamples, seed
        How many, and the seed of numpy's PCG64; the same seed gives the same counts.
    """
    who, what = np.asarray(patients), np.asarray(strata)
    if who.shape != what.shape or who.ndim != 1 or resamples < 1:
        raise InvalidResampling(
            f"{who.size} patients, {what.size} strata, {resamples} resamples", way_out="Give one each per case."
        )
    _, first, patient = np.unique(who, return_index=True, return_inverse=True)
    stratum = np.unique(what[first], return_inverse=True)[1] if who.size else np.empty(0, dtype=np.int64)
    members = [np.flatnonzero(stratum == s) for s in range(int(stratum.max(initial=-1)) + 1)]
    block = max(1, MOST_CELLS // max(1, who.size))
    random = np.random.default_rng(seed)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        yield _drawn(random, members, len(first), rows)[:, patient]


def _drawn(random: np.random.Generator, members: list[NDArray[np.intp]], patients: int, rows: int) -> FloatArray:
    counts = np.zeros((rows, patients))
    offset = np.arange(rows)[:, None]
    for held in members:
        drawn = random.integers(0, len(held), size=(rows, len(held))) + offset * len(held)
        counts[:, held] = np.bincount(drawn.ravel(), minlength=rows * len(held)).reshape(rows, len(held))
    return counts


def bootstrap(
    outcome: ArrayLike,
    prediction: ArrayLike,
    metrics: Mapping[str, WeightedMetric],
    *,
    patients: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return each metric with its 95% percentile interval.

    Parameters
    ----------
    outcome, prediction
        Shape (n,).
    metrics
        Functions of (outcome, prediction, weight of shape (..., n)), such as :func:`models.metrics.auroc`.
    patients, strata
        Shape (n,); without them every case is its own patient and all are in one stratum.
    weight
        Shape (n,): how many patients a row stands for (responders of a trial arm); 1 each without.

    Examples
    --------
    >>> from models.metrics import auroc
    >>> y, p = np.tile([0.0, 1.0, 0.0], 40), np.linspace(0, 1, 120)
    >>> found = bootstrap(y, p, {"auroc": auroc}, resamples=200)["auroc"]
    >>> found.low < found.value < found.high
    True
    """
    y, p = np.asarray(outcome, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    who = np.arange(y.size) if patients is None else np.asarray(patients)
    what = np.zeros(y.size, dtype=np.int64) if strata is None else np.asarray(strata)
    stands_for = np.ones_like(y) if weight is None else np.asarray(weight, dtype=np.float64)
    drawn: dict[str, list[FloatArray]] = {name: [] for name in metrics}
    for counts in resample_counts(who, what, resamples, seed):
        for name, metric in metrics.items():
            drawn[name].append(np.asarray(metric(y, p, counts * stands_for), dtype=np.float64))
    return {name: estimate(float(metrics[name](y, p, stands_for)), np.concatenate(drawn[name])) for name in metrics}


def estimate(value: float, resampled: FloatArray, level: float = 0.95) -> Estimate:
    """Return a value with the percentile interval of its resamples; NaN ends when most of them are undefined.

    Examples
    --------
    >>> round(estimate(0.5, np.linspace(0, 1, 101)).low, 6)
    0.025
    """
    defined = resampled[np.isfinite(resampled)]
    missing = 1 - defined.size / max(1, resampled.size)
    if defined.size == 0 or missing > 1 - LEAST_DEFINED or not np.isfinite(value):
        return Estimate(value, float("nan"), float("nan"), missing)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), missing)
