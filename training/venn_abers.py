"""Venn-Abers intervals of out-of-fold estimates: a warning sign beside the calibration, never served.

Vovk and Petej 2014 (arXiv:1211.0025): an isotonic calibration that counts the patient as a non-responder gives the
lower end, one that counts them as a responder the upper end. Wide means that few patients have estimates like this
one; an estimate outside says that it does not fit the patients at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.folds import patient_folds
from training.further import FurtherTable
from training.judged import MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from training.further import Cell
    from training.judged import FloatArray, Scene

FOLDS = 5
"""Patients of a cohort are calibrated by those of the other folds."""

FEWEST = 50
"""Cases below which a cohort is left out: its isotonic steps would say nothing."""

COLUMNS = (
    ("cohort", "cohort"),
    ("n", "n"),
    ("median_width", "median width"),
    ("widest", "95% of them are narrower than"),
    ("outside", "estimates outside"),
)


def venn_abers(score: ArrayLike, outcome: ArrayLike, asked: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return lower and upper probability for each score that is asked about, shape (m,) each.

    Parameters
    ----------
    score, outcome
        Shape (n,): scores and outcomes (0 or 1) of the calibrating cases, at least one.
    asked
        Shape (m,): scores on the same scale.

    Examples
    --------
    >>> low, high = venn_abers([0.1, 0.4, 0.6, 0.9], [0, 0, 1, 1], [0.5])
    >>> low.tolist(), high.tolist()
    ([0.0], [1.0])
    """
    from sklearn.isotonic import isotonic_regression

    s, y, m = (np.asarray(one, dtype=np.float64) for one in (score, outcome, asked))
    levels, place = np.unique(s, return_inverse=True)
    weight = np.bincount(place).astype(np.float64)
    events = np.bincount(place, weights=y)
    distinct, where = np.unique(m, return_inverse=True)
    ends = np.empty((2, len(distinct)))
    for k, one in enumerate(distinct):
        at = int(np.searchsorted(levels, one))
        known = at < len(levels) and levels[at] == one
        w = weight.copy() if known else np.insert(weight, at, 0.0)
        e = events.copy() if known else np.insert(events, at, 0.0)
        w[at] += 1
        for response in (0, 1):
            counted = e.copy()
            counted[at] += response
            ends[response, k] = isotonic_regression(counted / w, sample_weight=w)[at]
    return ends[0][where], ends[1][where]


def venn_abers_table(scenes: Sequence[Scene], seed: int = 0) -> FurtherTable:
    """Return, per cohort, how wide the intervals of our estimates are and how many estimates lie outside theirs."""
    rows: list[dict[str, Cell]] = []
    for scene in scenes:
        forecast = scene.forecast(MODEL)
        if forecast is None or forecast.known.sum() < FEWEST:
            continue
        low, high, p = _of_scene(scene, forecast.values[0], seed)
        width = high - low
        rows.append(
            {
                "cohort": scene.cohort,
                "n": len(p),
                "median_width": float(np.median(width)),
                "widest": float(np.quantile(width, 0.95)),
                "outside": float(np.mean((p < low) | (p > high))),
            }
        )
    notes = (
        "Each patient is calibrated by those of the other folds of the same cohort; first repeat. A warning sign only: "
        "with a thousand patients the intervals are far narrower than what is not known about one of them.",
    )
    return FurtherTable(
        "venn_abers", "Venn-Abers intervals of the estimates (never served)", COLUMNS, tuple(rows), notes
    )


def _of_scene(scene: Scene, values: FloatArray, seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    held = np.isfinite(values)
    y, p = scene.outcome[held], values[held]
    fold = patient_folds([str(one) for one in scene.patients[held]], y, FOLDS, seed)
    low, high = np.empty_like(p), np.empty_like(p)
    for k in np.unique(fold):
        inside, rest = fold == k, fold != k
        low[inside], high[inside] = venn_abers(p[rest], y[rest], p[inside])
    return low, high, p
