"""Which term of the equation earns its place: evidence, linear, boosted, each pair, all, on the same folds.

What does not help is off by default (experiment file); this is the table that shows it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bootstrap import RESAMPLES, Estimate, estimate, resample_counts
from models.metrics import auroc, brier, log_loss
from training.evaluate import auroc_error
from training.fit import TERMS
from training.further import FurtherTable
from training.judged import MODEL
from training.prepared import Fold
from training.resampling import judge_folds, scenes_of
from training.split import repeated_folds
from training.within_cohorts import over_cohorts
from training.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from training.fit import Recipe
    from training.further import Cell
    from training.judged import FloatArray, Scene
    from training.pool import Pool

COMBINATIONS = (
    ("evidence",),
    ("linear",),
    ("boosted",),
    ("evidence", "linear"),
    ("evidence", "boosted"),
    ("linear", "boosted"),
    TERMS,
)
"""Every way to switch terms on, the whole equation last: the others are compared with it."""

COLUMNS = (
    ("terms", "terms"),
    ("auroc", "AUROC within cohorts"),
    ("brier", "Brier"),
    ("log_loss", "log loss"),
    ("slope", "slope"),
    ("auroc_less", "AUROC less that of all"),
    ("brier_less", "Brier less that of all"),
    ("log_loss_less", "log loss less that of all"),
    ("switched", "in the experiment"),
)


@dataclass(frozen=True, eq=False)
class _Together:
    """Out-of-fold forecasts of every cohort in one row of arrays; ``weight`` is each cohort's share in the AUROC."""

    outcome: FloatArray
    source: Any
    patients: Any
    weight: FloatArray


def ablation_table(
    recipe: Recipe,
    pool: Pool,
    *,
    folds: int,
    repeats: int,
    seed: int,
    resamples: int = RESAMPLES,
    workers: int | Workers = 1,
    each: Callable[[str], None] | None = None,
) -> FurtherTable:
    """Resample every combination of terms on the same folds and compare each with all of them, patient by patient.

    Parameters
    ----------
    recipe
        Of the experiment. Without an evidence term in it, combinations with evidence are left out.
    folds, repeats, seed
        Of the resampling; the same for every combination.
    resamples
        Of the paired bootstrap over patients, stratified by cohort.
    workers
        Processes, or those of the run, which hold this recipe and pool.
    """
    asked = [terms for terms in COMBINATIONS if recipe.evidence is not None or "evidence" not in terms]
    splits = list(
        repeated_folds(pool.patients, pool.outcome, pool.source, folds=folds, repeats=repeats, seed=seed),
    )
    judged: dict[tuple[str, ...], Sequence[Scene]] = {}
    with ExitStack() as stack:
        shared = workers if isinstance(workers, Workers) else stack.enter_context(Workers(recipe, pool, workers))
        for terms in asked:
            done = judge_folds([Fold(split, comparators=(), terms=terms) for split in splits], shared)
            judged[terms] = scenes_of(replace(recipe, comparators=()), pool, done, repeats)
            if each is not None:
                each(" + ".join(terms))
    whole = judged[asked[-1]]
    now = _switched_on(recipe)
    rows = tuple(_row(terms, scenes, whole, now, resamples, seed) for terms, scenes in judged.items())
    notes = (f"{repeats} x {folds} folds, the same for every row; differences: paired bootstrap over patients.",)
    return FurtherTable("ablation", "Ablation: which term earns its place", COLUMNS, rows, notes)


def _switched_on(recipe: Recipe) -> tuple[str, ...]:
    settings = recipe.settings
    on = (settings.evidence and recipe.evidence is not None, settings.linear.on, settings.boosted.on)
    return tuple(term for term, switched in zip(TERMS, on, strict=True) if switched)


def _row(
    terms: tuple[str, ...],
    scenes: Sequence[Scene],
    whole: Sequence[Scene],
    now: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, Cell]:
    judged = over_cohorts(scenes, resamples=resamples, seed=seed)
    found: dict[str, Cell] = {"terms": " + ".join(terms), "auroc": judged.get("auroc"), "slope": judged.get("slope")}
    found["switched"] = terms == tuple(now)
    ours, theirs = _values(scenes), _values(whole)
    held = _together(whole)
    for name, metric in {"brier": brier, "log_loss": log_loss}.items():
        found[name] = float(np.mean([metric(held.outcome, row) for row in ours]))
    if scenes is not whole:
        found |= {f"{name}_less": one for name, one in _differences(held, ours, theirs, resamples, seed).items()}
    return found


def _values(scenes: Sequence[Scene]) -> FloatArray:
    return np.concatenate([forecast.values for scene in scenes if (forecast := scene.forecast(MODEL))], axis=1)


def _together(scenes: Sequence[Scene]) -> _Together:
    errors = [auroc_error(scene, forecast) for scene in scenes if (forecast := scene.forecast(MODEL))]
    precision = np.array([error**-2 if np.isfinite(error) and error > 0 else 0.0 for error in errors])
    sizes = [len(scene.outcome) for scene in scenes]
    return _Together(
        np.concatenate([scene.outcome for scene in scenes]),
        np.repeat(np.arange(len(scenes)), sizes),
        np.concatenate([scene.patients for scene in scenes]),
        precision / precision.sum() if precision.sum() > 0 else precision,
    )


def _differences(
    held: _Together, ours: FloatArray, theirs: FloatArray, resamples: int, seed: int
) -> Mapping[str, Estimate]:
    metrics: dict[str, Callable[..., Any]] = {"auroc": partial(_area, held), "brier": brier, "log_loss": log_loss}
    one = np.ones_like(held.outcome)
    drawn: dict[str, list[FloatArray]] = {name: [] for name in metrics}
    for counts in resample_counts(held.patients, held.source, resamples, seed):
        for name, metric in metrics.items():
            drawn[name].append(metric(held.outcome, ours[0], counts) - metric(held.outcome, theirs[0], counts))
    found = {}
    for name, metric in metrics.items():
        pairs = zip(ours, theirs, strict=True)
        each = [float(metric(held.outcome, a, one) - metric(held.outcome, b, one)) for a, b in pairs]
        value = float(np.mean(each))
        found[name] = estimate(value, np.concatenate(drawn[name]) + value - each[0])
    return found


def _area(held: _Together, outcome: FloatArray, values: FloatArray, weight: FloatArray) -> Any:
    """Return the AUROC within cohorts, each with its fixed share; a resample without both classes counts as a half."""
    total: Any = 0.0
    for k, share in enumerate(held.weight):
        rows = held.source == k
        if share > 0:
            area = np.asarray(auroc(outcome[rows], values[rows], weight[..., rows]))
            total = total + share * np.where(np.isnan(area), 0.5, area)
    return total
