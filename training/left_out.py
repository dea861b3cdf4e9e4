"""Leaving out whole cohorts, histologies or therapy classes: how the model does where it was not fitted.

Nothing is learned on what is left out, and no arm of any trial at hand is evidence (the recipe was made so). Whoever is
probably recorded by a training cohort too is removed from training before the twin is scored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from features.histology import lineage
from features.regimens import regimen
from training.prepared import Fold
from training.resampling import judge_folds, scene_of
from training.split import leave_one_out
from training.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from training.fit import Recipe
    from training.judged import Scene
    from training.pool import Pool
    from training.prepared import Judged
    from training.same_patients import Twins

LEFT_COHORT, WITH_TWINS = "leave one cohort out", "leave one cohort out, same patients kept in training"
"""Names of the scenes; the second is there only for a cohort that shares patients with another."""

BESIDE_TWINS = ("histology_base_rate",)
"""The one rival that is carried along where the same patients are kept in training."""

FEWEST_LEFT_OUT = 20
"""Fewest cases of a histology or class for which a fit without it is worth the time: fewer are not scored."""


def left_cohorts(
    recipe: Recipe,
    pool: Pool,
    twins: Twins,
    each: Callable[[str], None] | None = None,
    workers: Workers | None = None,
) -> Iterator[Scene]:
    """Yield the forecasts for each cohort by contenders fitted on the other cohorts alone.

    Where the cohort shares patients with others there are two scenes: without those in training, and, for our model
    and the histology base rate alone, with them.

    Parameters
    ----------
    workers
        Those of the run, which hold this recipe and pool; None does everything here.
    """
    folds = []
    for split in leave_one_out(pool.source):
        shared = twins.of(split.test)
        folds.append(Fold(replace(split, train=np.setdiff1d(split.train, shared))))
        if len(shared):
            folds.append(Fold(split, comparators=BESIDE_TWINS))
    for fold, values, answered in _in_order(folds, workers or Workers(recipe, pool), each):
        name = LEFT_COHORT if fold.comparators is None else WITH_TWINS
        scene = scene_of(pool.take(fold.split.test), values, answered, name)
        yield replace(scene, cohort=fold.split.name)


def left_levels(
    recipe: Recipe,
    pool: Pool,
    levels: NDArray[Any],
    name: str,
    twins: Twins,
    each: Callable[[str], None] | None = None,
    workers: Workers | None = None,
) -> Iterator[tuple[str, tuple[Scene, ...]]]:
    """Yield, for each level (histology, therapy class) with enough cases, its scenes: one per cohort that has it."""
    folds = []
    for split in leave_one_out(levels, fewest=FEWEST_LEFT_OUT):
        train = np.setdiff1d(split.train, twins.of(split.test))
        if len(np.unique(pool.outcome[train])) == 2:
            folds.append(Fold(replace(split, train=train)))
    for fold, values, answered in _in_order(folds, workers or Workers(recipe, pool), each):
        test = fold.split.test
        whole, source = scene_of(pool.take(test), values, answered, name), pool.source[test]
        cohorts = [str(cohort) for cohort in np.unique(source)]
        yield fold.split.name, tuple(whole.take(np.flatnonzero(source == c), cohort=c) for c in cohorts)


def _in_order(folds: Sequence[Fold], workers: Workers, each: Callable[[str], None] | None) -> list[Judged]:
    """Return folds with their forecasts in the order asked, however the processes finished them."""
    found = {_key(judged[0]): judged for judged in judge_folds(folds, workers, each=each)}
    return [found[_key(fold)] for fold in folds]


def _key(fold: Fold) -> tuple[str, bool]:
    return fold.split.name, fold.comparators is None


def main_histologies(pool: Pool) -> NDArray[Any]:
    """Return the main histology of each case, shape (n,): the step of its lineage right below the tissue.

    LUAD, LUSC and NSCLC are NSCLC; leaving out one of them while the others train would be no extrapolation.
    """
    return np.array([_main(str(code)) for code in pool.histology], dtype=np.str_)


def _main(code: str) -> str:
    if not code:
        return "unknown"
    steps = lineage(code)
    return steps[-2] if len(steps) > 1 else steps[-1]


def therapy_classes(pool: Pool) -> NDArray[Any]:
    """Return the therapy class of each case, shape (n,)."""
    keys = pool.batch().texts["therapy"].texts()
    return np.array(["unknown" if key is None else regimen(key).therapy_class for key in keys], dtype=np.str_)
