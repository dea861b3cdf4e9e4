"""A new hospital's first outcomes: the level of every predictor updated on a few of them, judged on all the others.

The update is the one that is served (:mod:`models.recalibration`): the intercept alone, shrunk towards no shift by the
variance between the cohorts that the model was fitted on. Rivals get the same update on the same outcomes, with the
same prior. Numbers are means over many random draws of the few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.bootstrap import RESAMPLES, Estimate, estimate, resample_counts
from models.calibration import fit_level
from models.metrics import auroc, brier, log_loss
from models.metrics_calibration import calibration_in_the_large, log_odds
from training.further import FurtherTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.further import Cell
    from training.judged import FloatArray, Forecast, Scene

LOCAL_OUTCOMES, DRAWS = 20, 50
"""Outcomes a new site updates on, and how often they are drawn (design/protocol.md)."""

FEWEST_LEFT = 20
"""Fewest cases left to score on; below, nothing is updated."""

COLUMNS = (
    ("cohort", "cohort"),
    ("patients", "patients"),
    ("predictor", "predictor"),
    ("n", "n"),
    ("events", "events"),
    ("brier_skill", "Brier skill over the cohort's base rate"),
    ("draws_above_zero", "draws above 0"),
    ("brier", "Brier"),
    ("log_loss", "log loss"),
    ("citl", "CITL (range over draws)"),
    ("auroc", "AUROC"),
)
"""Of the table of :func:`update_table`."""

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Updated:
    """One predictor after the update: ``moved`` shape (draws, n), ``rest`` the cases that a draw is scored on."""

    outcome: FloatArray
    moved: FloatArray
    rest: BoolArray


def draws_of(n: int, outcomes: int = LOCAL_OUTCOMES, draws: int = DRAWS, seed: int = 0) -> BoolArray:
    """Return which cases each draw updates on, shape (draws, n); the same seed gives the same draws.

    Examples
    --------
    >>> draws_of(30, outcomes=20, draws=2).sum(axis=1).tolist()
    [20, 20]
    """
    random = np.random.default_rng(seed)
    drawn = np.zeros((draws, n), dtype=np.bool_)
    for row in drawn:
        row[random.choice(n, size=min(outcomes, n), replace=False)] = True
    return drawn


def updated(scene: Scene, forecast: Forecast, drawn: BoolArray) -> Updated | None:
    """Return a predictor with its level updated in every draw; None where it is no number between 0 and 1.

    A predictor that is unknown for some cases is updated on those of the drawn that it knows.
    """
    known = forecast.known
    y, p = scene.outcome[known], forecast.values[0, known]
    if not forecast.on_unit_scale or len(y) - drawn.sum(axis=1).max(initial=0) < FEWEST_LEFT:
        return None
    z, used = log_odds(p), drawn[:, known]
    if not np.isfinite(z).all():
        return None
    shifts = np.array([fit_level(z[row], y[row], np.ones(row.sum()), 0.0, scene.shift_sd)[0] for row in used])
    return Updated(y, np.asarray(expit(z + shifts[:, None])), ~used)


def brier_skill(found: Updated, counts: FloatArray) -> FloatArray:
    """Return the Brier skill over the base rate of the scored cases, mean over draws, one per row of ``counts``."""
    return np.asarray(_skills(found, counts).mean(axis=1))


def _skills(found: Updated, counts: FloatArray) -> FloatArray:
    held, y = found.rest.astype(np.float64), found.outcome
    squared = counts @ (held * (found.moved - y) ** 2).T
    n, events = counts @ held.T, counts @ (held * y).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - squared / (events * (1 - events / n)))


def _row(scene: Scene, forecast: Forecast, drawn: BoolArray, resamples: int, seed: int) -> dict[str, Cell] | None:
    found = updated(scene, forecast, drawn)
    if found is None:
        return None
    y, patients = found.outcome, scene.patients[forecast.known]
    blocks = resample_counts(patients, np.zeros(len(y)), resamples, seed)
    resampled = np.concatenate([brier_skill(found, counts) for counts in blocks])
    each = _skills(found, np.ones((1, len(y))))[0]
    parts = [(y[rest], row[rest]) for row, rest in zip(found.moved, found.rest, strict=True)]
    citl = np.array([float(calibration_in_the_large(*part)) for part in parts])
    low, high = np.nanquantile(citl, [0.025, 0.975]) if np.isfinite(citl).any() else (np.nan, np.nan)
    return {
        "cohort": scene.cohort,
        "patients": scene.name,
        "predictor": forecast.predictor,
        "n": len(y),
        "events": int(y.sum()),
        "brier_skill": estimate(float(each.mean()), resampled),
        "draws_above_zero": float((each > 0).mean()),
        "brier": float(np.mean([brier(*part) for part in parts])),
        "log_loss": float(np.mean([log_loss(*part) for part in parts])),
        "citl": Estimate(float(np.mean(citl)), float(low), float(high)),
        "auroc": float(np.mean([auroc(*part) for part in parts])),
    }


def update_table(
    scenes: Sequence[Scene],
    name: str,
    title: str,
    *,
    outcomes: int = LOCAL_OUTCOMES,
    draws: int = DRAWS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> FurtherTable:
    """Return every predictor of every scene after the update; what cannot be updated is said in the notes."""
    rows: list[dict[str, Cell]] = []
    notes = [f"Intercept updated on {outcomes} random outcomes, scored on the others, mean of {draws} draws."]
    for scene in scenes:
        drawn = draws_of(len(scene.outcome), outcomes, draws, seed)
        for forecast in scene.forecasts:
            row = _row(scene, forecast, drawn, resamples, seed)
            if row is not None:
                rows.append(row)
            elif forecast.on_unit_scale:
                known = int(forecast.known.sum())
                notes.append(f"{scene.cohort}: {forecast.predictor} has a number for {known} cases, too few to update.")
    return FurtherTable(name, title, COLUMNS, tuple(rows), tuple(notes))
