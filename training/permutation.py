"""The null of the within-histology AUROC: outcomes shuffled among patients of one histology of one cohort, refitted.

The pooled AUROC stays above 0.5 under this null because histology itself predicts; the one within histology must not.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from models.bootstrap import Estimate
from models.metrics import auroc, auroc_within
from training.further import FurtherTable
from training.judged import MODEL, Row
from training.prepared import Fold
from training.resampling import judge_folds, scenes_of
from training.split import repeated_folds
from training.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from training.fit import Recipe
    from training.fold_cache import FoldCache
    from training.further import Cell
    from training.judged import FloatArray, Scene
    from training.pool import Pool
    from training.prepared import Judged

PERMUTED = "outcomes permuted within histology"
"""Name of the scene of the rows that the gate reads."""

NULL_METRIC, NULL_LIMIT = "auroc_within_histology", "auroc_within_histology_95th"

BESIDE_THE_NULL = ("histology_base_rate",)
"""The one rival that is refitted on permuted outcomes: what histology alone still tells."""

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


def permuted_outcome(pool: Pool, seed: int) -> FloatArray:
    """Return outcomes shuffled within cohort and histology, shape (n,): every base rate stays as it is."""
    random = np.random.default_rng(seed)
    outcome = pool.outcome.copy()
    group = np.char.add(np.char.add(pool.source, "|"), pool.histology)
    for level in np.unique(group):
        rows = np.flatnonzero(group == level)
        outcome[rows] = outcome[random.permutation(rows)]
    return outcome


def permuted(pool: Pool, seed: int) -> Pool:
    """Return the pool with outcomes shuffled within cohort and histology."""
    return with_outcome(pool, permuted_outcome(pool, seed))


def with_outcome(pool: Pool, outcome: FloatArray) -> Pool:
    """Return the pool with these responses and no best response."""
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
    workers: int | Workers = 1,
    each: Callable[[str], None] | None = None,
    cache: FoldCache | None = None,
) -> tuple[tuple[Scene, ...], ...]:
    """Return the out-of-fold scenes of every permutation: everything is refitted, the penalty included."""
    with ExitStack() as stack:
        shared = workers if isinstance(workers, Workers) else stack.enter_context(Workers(recipe, pool, workers))
        outcomes = [permuted_outcome(pool, seed + k) for k in range(permutations)]
        asked = [_folds(pool, y, k, folds, seed + k) for k, y in enumerate(outcomes)]
        of_fold = {fold.split.name: k for k, some in enumerate(asked) for fold in some}
        judged: list[list[Judged]] = [[] for _ in outcomes]
        for one in judge_folds([fold for some in asked for fold in some], shared, cache):
            k = of_fold[one[0].split.name]
            judged[k].append(one)
            if each is not None and len(judged[k]) == len(asked[k]):
                each(f"permutation {k + 1}")
    bare = replace(recipe, comparators=BESIDE_THE_NULL)
    pools = (with_outcome(pool, y) for y in outcomes)
    return tuple(scenes_of(bare, shuffled, some, 1) for shuffled, some in zip(pools, judged, strict=True))


def _folds(pool: Pool, outcome: FloatArray, k: int, folds: int, seed: int) -> list[Fold]:
    splits = repeated_folds(pool.patients, outcome, pool.source, folds=folds, repeats=1, seed=seed)
    named = (replace(split, name=f"permutation {k + 1} {split.name}") for split in splits)
    return [Fold(split, outcome, BESIDE_THE_NULL) for split in named]


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
