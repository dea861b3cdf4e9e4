"""The null of the within-histology AUROC: outcomes shuffled among patients of one histology of one cohort, refitted.

The pooled AUROC stays above 0.5 under this null because histology itself predicts; the one within histology must not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from models.bootstrap import Estimate
from models.metrics import auroc, auroc_within
from training.further import FurtherTable
from training.judged import MODEL, Row
from training.resampling import resample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from training.fit import Recipe
    from training.further import Cell
    from training.judged import FloatArray, Scene
    from training.pool import Pool

PERMUTED = "outcomes permuted within histology"
"""Name of the scene of the rows that the gate reads."""

NULL_METRIC, NULL_LIMIT = "auroc_within_histology", "auroc_within_histology_95th"

PERMUTATIONS = 20
"""Refits under the null: with 20 the 95th percentile lies between the two largest."""

COLUMNS = (
    ("cohort", "cohort"),
    ("permutations", "permutations"),
    ("within", "within-histology AUROC under the null (range)"),
    ("limit", "its 95th percentile"),
    ("pooled", "AUROC under the null"),
    ("histology", "AUROC of the histology base rate under the null"),
)


def permuted(pool: Pool, seed: int) -> Pool:
    """Return the pool with outcomes shuffled within cohort and histology: every base rate stays as it is."""
    random = np.random.default_rng(seed)
    outcome = pool.outcome.copy()
    group = np.char.add(np.char.add(pool.source, "|"), pool.histology)
    for level in np.unique(group):
        rows = np.flatnonzero(group == level)
        outcome[rows] = outcome[random.permutation(rows)]
    table = pool.cohort.outcomes
    n = table.num_rows
    columns = {
        "objective_response": pa.array(outcome.astype(np.int8)),
        "best_response": pa.nulls(n),
        "reason": pa.nulls(n),
    }
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, values.cast(table.schema.field(name).type))
    return replace(pool, cohort=replace(pool.cohort, outcomes=table))


def null_areas(
    recipe: Recipe,
    pool: Pool,
    *,
    folds: int,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    workers: int = 1,
    each: Callable[[str], None] | None = None,
) -> tuple[tuple[Scene, ...], ...]:
    """Return the out-of-fold scenes of every permutation: everything is refitted, the penalty included."""
    bare = replace(recipe, comparators=("histology_base_rate",))
    found = []
    for k in range(permutations):
        shuffled = permuted(pool, seed + k)
        found.append(resample(bare, shuffled, folds=folds, repeats=1, seed=seed + k, workers=workers))
        if each is not None:
            each(f"permutation {k + 1}")
    return tuple(found)


def null_rows(nulls: Sequence[Sequence[Scene]]) -> tuple[Row, ...]:
    """Return one row per cohort with the null's mean (interval: its range) and its 95th percentile, for the gate."""
    rows = []
    for cohort, scenes in _by_cohort(nulls).items():
        areas = np.array([_within(scene) for scene in scenes])
        areas = areas[np.isfinite(areas)]
        n, events = len(scenes[0].outcome), int(scenes[0].outcome.sum())
        if not len(areas):
            rows.append(Row(PERMUTED, cohort, MODEL, n, events, True, {}, note="no histology has both outcomes"))
            continue
        limit = float(np.quantile(areas, 0.95))
        nan = float("nan")
        found = {NULL_METRIC: _spread(areas), NULL_LIMIT: Estimate(limit, nan, nan)}
        rows.append(Row(PERMUTED, cohort, MODEL, n, events, True, found, note=f"{len(areas)} permutations"))
    return tuple(rows)


def null_table(nulls: Sequence[Sequence[Scene]]) -> FurtherTable:
    """Return the null in figures: within histology, pooled, and that of the histology base rate beside it."""
    rows: list[dict[str, Cell]] = []
    for row, scenes in zip(null_rows(nulls), _by_cohort(nulls).values(), strict=True):
        rows.append(
            {
                "cohort": row.cohort,
                "permutations": len(scenes),
                "within": row.metrics.get(NULL_METRIC),
                "limit": row.value(NULL_LIMIT),
                "pooled": float(np.mean([_area(scene, MODEL) for scene in scenes])),
                "histology": float(np.mean([_area(scene, "histology_base_rate") for scene in scenes])),
            }
        )
    title = "Outcomes permuted within cohort and histology"
    return FurtherTable("permutations", title, COLUMNS, tuple(rows))


def _by_cohort(nulls: Sequence[Sequence[Scene]]) -> dict[str, list[Scene]]:
    found: dict[str, list[Scene]] = {}
    for scenes in nulls:
        for scene in scenes:
            found.setdefault(scene.cohort, []).append(scene)
    return found


def _within(scene: Scene) -> float:
    forecast = scene.forecast(MODEL)
    if forecast is None:
        return float("nan")
    return float(auroc_within(scene.outcome, forecast.values[0], scene.histology))


def _area(scene: Scene, predictor: str) -> float:
    forecast = scene.forecast(predictor)
    return float("nan") if forecast is None else float(auroc(scene.outcome, forecast.values[0]))


def _spread(values: FloatArray) -> Estimate:
    return Estimate(float(values.mean()), float(values.min()), float(values.max()))
