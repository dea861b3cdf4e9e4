"""Forecasts for patients that nothing was fitted on: out of fold, or of an external cohort.

Everything that is fitted (feature table, evidence weight, penalty, calibrator, rivals) is fitted anew in each fold on
the other folds' patients. Folds are independent, so several processes may share them; the result is the same.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from models.comparators import PUBLISHED
from training.fit import SHIFT_SD
from training.judged import WHERE_LORIS, Forecast, Scene
from training.prepared import Fold, judge_fold
from training.split import repeated_folds
from training.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from training.fit import Contenders, Recipe
    from training.fold_cache import FoldCache
    from training.judged import FloatArray
    from training.pool import Pool
    from training.prepared import Judged


def resample(
    recipe: Recipe,
    pool: Pool,
    *,
    folds: int,
    repeats: int,
    seed: int,
    workers: int | Workers = 1,
    each: Callable[[str], None] | None = None,
    cache: FoldCache | None = None,
) -> tuple[Scene, ...]:
    """Return one scene per cohort with the forecasts out of fold, shape (repeats, n) each.

    Parameters
    ----------
    recipe, pool
        What is fitted, on which cases.
    folds, repeats, seed
        See :func:`training.split.repeated_folds`.
    workers
        Processes, or those of the run (which hold this recipe and pool); they make no difference to the result.
    each
        Called with the name of each finished fold.
    cache
        Folds finished before an interrupt are taken from here, and each finished one is put there.
    """
    splits = repeated_folds(pool.patients, pool.outcome, pool.source, folds=folds, repeats=repeats, seed=seed)
    with ExitStack() as stack:
        shared = workers if isinstance(workers, Workers) else stack.enter_context(Workers(recipe, pool, workers))
        judged = judge_folds([Fold(split) for split in splits], shared, cache, each)
        return scenes_of(recipe, pool, judged, repeats)


def judge_folds(
    folds: Sequence[Fold], workers: Workers, cache: FoldCache | None = None, each: Callable[[str], None] | None = None
) -> Iterator[Judged]:
    """Yield each fold with its forecasts as it is done; those in the cache first, and new ones are put there."""
    left = []
    for fold in folds:
        kept = None if cache is None else cache.kept(fold.split)
        if kept is None:
            left.append(fold)
            continue
        if each is not None:
            each(fold.split.name)
        yield fold, *kept
    for fold, values, answered in workers.run(judge_fold, left):
        if cache is not None:
            cache.keep(fold.split, values, answered)
        if each is not None:
            each(fold.split.name)
        yield fold, values, answered


def scenes_of(recipe: Recipe, pool: Pool, judged: Iterable[Judged], repeats: int) -> tuple[Scene, ...]:
    """Return one scene per cohort from the folds of a resampling."""
    found: dict[str, FloatArray] = {}
    answered = np.ones((repeats, len(pool)), dtype=np.bool_)
    for fold, values, known in judged:
        split = fold.split
        answered[split.repeat, split.test] = known
        for name, numbers in ((name, values[name]) for name in values if name != SHIFT_SD):
            grid = found.setdefault(name, np.full((repeats, len(pool)), np.nan))
            grid[split.repeat, split.test] = numbers
    ordered = {name: found[name] for name in _order(recipe, found)}
    whole = _scene("resampled", pool, _forecasts(ordered), answered.all(axis=0))
    return tuple(
        whole.take(np.flatnonzero(pool.source == cohort), cohort=str(cohort)) for cohort in np.unique(pool.source)
    )


def _order(recipe: Recipe, found: Iterable[str]) -> list[str]:
    wanted = ["model", *recipe.comparators]
    return sorted(found, key=wanted.index)


def external_scene(contenders: Contenders, pool: Pool, name: str = "external") -> Scene:
    """Return the forecasts for a cohort that nothing was fitted on."""
    values, answered = contenders.forecasts(pool.batch())
    values[SHIFT_SD] = np.full(len(pool), contenders.shift_sd)
    return scene_of(pool, values, answered, name)


def scene_of(pool: Pool, values: Mapping[str, FloatArray], answered: Any, name: str) -> Scene:
    """Return single forecasts of the cases of a pool as a scene; ``values`` has shape (n,) each."""
    forecasts = _forecasts({key: one[None, :] for key, one in values.items() if key != SHIFT_SD})
    scene = _scene(name, pool, forecasts, answered)
    return replace(scene, shift_sd=float(values[SHIFT_SD][0])) if SHIFT_SD in values else scene


def beside_loris(scene: Scene) -> Scene | None:
    """Return the scene on the patients that pan-cancer LORIS is defined for, rivals on a 0 to 1 scale only.

    None when LORIS is defined for everybody, or for nobody.
    """
    loris = scene.forecast("loris_pan_cancer")
    if loris is None or loris.known.all() or not loris.known.any():
        return None
    comparable = replace(scene, forecasts=tuple(one for one in scene.forecasts if one.on_unit_scale))
    return comparable.take(np.flatnonzero(loris.known), name=f"{scene.name} {WHERE_LORIS}")


_KINDS: dict[str, tuple[bool, bool]] = {one.name: (one.is_probability, one.on_unit_scale) for one in PUBLISHED}


def _forecasts(values: Mapping[str, FloatArray]) -> tuple[Forecast, ...]:
    return tuple(Forecast(name, numbers, *_KINDS.get(name, (True, True))) for name, numbers in values.items())


def _scene(name: str, pool: Pool, forecasts: Sequence[Forecast], answered: Any) -> Scene:
    return Scene(
        name,
        pool.cohort.provenance.cohort_id,
        pool.outcome,
        pool.patients,
        pool.histology,
        answered,
        tuple(forecasts),
        pool.synthetic,
        pool.truth,
    )
