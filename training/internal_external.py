"""Internal-external validation in tables: across cohorts, against rivals, and after a local update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.bootstrap import Estimate
from models.delong import compare_aurocs
from models.metrics_calibration import recalibration
from models.pooling import Pooled, pool_inverse_variance, pool_random_effects
from training.evaluate import across_cohorts
from training.further import FurtherTable
from training.judged import MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.delong import PairedAuroc
    from training.further import Cell
    from training.judged import Scene

ACROSS_COLUMNS = (
    ("predictor", "predictor"),
    ("cohorts", "cohorts"),
    ("auroc", "AUROC, random effects"),
    ("auroc_new_cohort", "AUROC of a new cohort"),
    ("less", "our AUROC less, same patients"),
    ("citl", "CITL, random effects"),
    ("citl_new_cohort", "CITL of a new cohort"),
)

AUROC_COLUMNS = (
    ("cohort", "cohort"),
    ("n", "n"),
    ("events", "events"),
    ("model", "our AUROC"),
    ("rival", "rival's AUROC"),
    ("difference", "ours less"),
)


def across_table(scenes: Sequence[Scene], name: str, title: str) -> FurtherTable:
    """Return the random-effects summary of every predictor over cohorts, with prediction intervals."""
    predictors = dict.fromkeys(forecast.predictor for scene in scenes for forecast in scene.forecasts)
    rows = tuple(_across(scenes, predictor) for predictor in predictors)
    notes = (
        "Random effects (Paule-Mandel, Hartung-Knapp), and the prediction interval: where a new cohort is expected.",
        "Differences are paired (DeLong) within cohorts on the patients that both have, pooled by inverse variance.",
    )
    return FurtherTable(name, title, ACROSS_COLUMNS, rows, notes)


def _across(scenes: Sequence[Scene], predictor: str) -> dict[str, Cell]:
    areas = across_cohorts(scenes, predictor)
    row: dict[str, Cell] = {"predictor": predictor, "cohorts": areas.cohorts, "auroc": _confidence(areas)}
    row["auroc_new_cohort"] = _prediction(areas)
    if predictor != MODEL:
        row["less"] = _less(scenes, predictor)
    levels = [found for scene in scenes if (found := _level(scene, predictor)) is not None]
    if levels:
        pooled = pool_random_effects([value for value, _ in levels], [error for _, error in levels])
        row |= {"citl": _confidence(pooled), "citl_new_cohort": _prediction(pooled)}
    return row


def _confidence(pooled: Pooled) -> Estimate:
    return Estimate(pooled.value, pooled.interval.low, pooled.interval.high)


def _prediction(pooled: Pooled) -> str:
    low, high = pooled.prediction.low, pooled.prediction.high
    return f"{low:.3f} to {high:.3f}" if np.isfinite(low) else "-"


def _level(scene: Scene, predictor: str) -> tuple[float, float] | None:
    forecast = scene.forecast(predictor)
    if forecast is None or not forecast.on_unit_scale or not forecast.known.any():
        return None
    found = recalibration(scene.outcome[forecast.known], forecast.values[0, forecast.known], fixed_slope=True)
    return float(found.intercept), float(found.intercept_error)


def _less(scenes: Sequence[Scene], predictor: str) -> Estimate:
    pairs = [pair for scene in scenes if (pair := _paired(scene, predictor)) is not None]
    pooled = pool_inverse_variance([one.difference for one in pairs], [one.standard_error for one in pairs])
    return _confidence(pooled)


def _paired(scene: Scene, predictor: str) -> PairedAuroc | None:
    model, rival = scene.forecast(MODEL), scene.forecast(predictor)
    if model is None or rival is None:
        return None
    held = model.known & rival.known
    y = scene.outcome[held]
    return compare_aurocs(y, model.values[0, held], rival.values[0, held]) if 0 < y.sum() < len(y) else None


def against_rival_table(scenes: Sequence[Scene], rival: str, name: str, title: str) -> FurtherTable:
    """Return both AUROCs per cohort on the patients that a rival is defined for, and their means weighted by n."""
    rows: list[dict[str, Cell]] = []
    for scene in scenes:
        pair, theirs = _paired(scene, rival), scene.forecast(rival)
        if pair is None or theirs is None:
            continue
        held = theirs.known
        rows.append(
            {
                "cohort": scene.cohort,
                "n": int(held.sum()),
                "events": int(scene.outcome[held].sum()),
                "model": pair.first,
                "rival": pair.second,
                "difference": Estimate(pair.difference, pair.low, pair.high),
            }
        )
    return FurtherTable(name, title, AUROC_COLUMNS, (*rows, *_weighted_by_n(rows)))


def _weighted_by_n(rows: Sequence[dict[str, Cell]]) -> list[dict[str, Cell]]:
    if not rows:
        return []
    n = np.array([row["n"] for row in rows], dtype=np.float64)
    ours, theirs = (
        float(n @ np.array([row[who] for row in rows], dtype=np.float64) / n.sum()) for who in ("model", "rival")
    )
    mean: dict[str, Cell] = {"cohort": "mean weighted by n", "n": int(n.sum()), "model": ours, "rival": theirs}
    return [{**mean, "difference": ours - theirs}]
