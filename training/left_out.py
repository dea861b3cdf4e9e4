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
from training.fit import fit_contenders
from training.resampling import external_scene
from training.split import leave_one_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from training.fit import Recipe
    from training.judged import Scene
    from training.pool import Pool
    from training.same_patients import Twins

LEFT_COHORT, WITH_TWINS = "leave one cohort out", "leave one cohort out, same patients kept in training"
"""Names of the scenes; the second is there only for a cohort that shares patients with another."""

FEWEST_LEFT_OUT = 20
"""Fewest cases of a histology or class for which a fit without it is worth the time: fewer are not scored."""


def left_cohorts(
    recipe: Recipe, pool: Pool, twins: Twins, each: Callable[[str], None] | None = None
) -> Iterator[Scene]:
    """Yield the forecasts for each cohort by contenders fitted on the other cohorts alone.

    Where the cohort shares patients with others there are two scenes: without those in training, and, for our model
    and the histology base rate alone, with them.
    """
    narrow = replace(recipe, comparators=tuple(one for one in recipe.comparators if one == "histology_base_rate"))
    for split in leave_one_out(pool.source):
        shared = twins.of(split.test)
        scored = pool.take(split.test)
        for name, train in ((LEFT_COHORT, np.setdiff1d(split.train, shared)), (WITH_TWINS, split.train)):
            if name == LEFT_COHORT or len(shared):
                yield _scored(recipe if name == LEFT_COHORT else narrow, pool.take(train), scored, name, split.name)
        if each is not None:
            each(split.name)


def left_levels(
    recipe: Recipe,
    pool: Pool,
    levels: NDArray[Any],
    name: str,
    twins: Twins,
    each: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, tuple[Scene, ...]]]:
    """Yield, for each level (histology, therapy class) with enough cases, its scenes: one per cohort that has it."""
    for split in leave_one_out(levels, fewest=FEWEST_LEFT_OUT):
        train = np.setdiff1d(split.train, twins.of(split.test))
        if len(np.unique(pool.outcome[train])) == 2:
            contenders = fit_contenders(recipe, pool.take(train))
            whole = external_scene(contenders, pool.take(split.test), name)
            source = pool.source[split.test]
            cohorts = [str(cohort) for cohort in np.unique(source)]
            yield split.name, tuple(whole.take(np.flatnonzero(source == c), cohort=c) for c in cohorts)
        if each is not None:
            each(split.name)


def _scored(recipe: Recipe, train: Pool, scored: Pool, name: str, cohort: str) -> Scene:
    return replace(external_scene(fit_contenders(recipe, train), scored, name), cohort=cohort)


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
