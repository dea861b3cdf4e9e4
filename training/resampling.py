"""Forecasts for patients that nothing was fitted on: out of fold, or of an external cohort.

Everything that is fitted (feature table, evidence weight, penalty, calibrator, rivals) is fitted anew in each fold on
the other folds' patients. Folds are independent, so several processes may share them; the result is the same.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

from models.comparators import PUBLISHED
from training.fit import Contenders, fit_contenders
from training.judged import WHERE_LORIS, Forecast, Scene
from training.split import repeated_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from training.fit import Recipe
    from training.fold_cache import FoldCache
    from training.judged import FloatArray
    from training.pool import Pool
    from training.split import Split

    Judged = tuple[Split, Mapping[str, FloatArray], Any]

FOLDS_WORTH_A_PROCESS = 8
"""Folds below which starting processes (about four seconds of imports each) costs more than it saves."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""One thread per process: matrices here are small, and threads that share two cores made a fit eight times slower."""


def resample(
    recipe: Recipe,
    pool: Pool,
    *,
    folds: int,
    repeats: int,
    seed: int,
    workers: int = 1,
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
        Processes; the number makes no difference to the result.
    each
        Called with the name of each finished fold.
    cache
        Folds finished before an interrupt are taken from here, and each finished one is put there.
    """
    splits = list(repeated_folds(pool.patients, pool.outcome, pool.source, folds=folds, repeats=repeats, seed=seed))
    found: dict[str, FloatArray] = {}
    answered = np.ones((repeats, len(pool)), dtype=np.bool_)
    for split, values, known in _resumed(recipe, pool, splits, workers, cache):
        answered[split.repeat, split.test] = known
        for name, numbers in values.items():
            grid = found.setdefault(name, np.full((repeats, len(pool)), np.nan))
            grid[split.repeat, split.test] = numbers
        if each is not None:
            each(split.name)
    ordered = {name: found[name] for name in _order(recipe, found)}
    whole = _scene("resampled", pool, _forecasts(ordered), answered.all(axis=0))
    return tuple(
        whole.take(np.flatnonzero(pool.source == cohort), cohort=str(cohort)) for cohort in np.unique(pool.source)
    )


def _order(recipe: Recipe, found: Iterable[str]) -> list[str]:
    wanted = ["model", *recipe.comparators]
    return sorted(found, key=wanted.index)


def _judge(recipe: Recipe, pool: Pool, split: Split) -> Judged:
    contenders = fit_contenders(recipe, pool.take(split.train))
    values, answered = contenders.forecasts(pool.take(split.test).batch())
    return split, values, answered


def _resumed(
    recipe: Recipe, pool: Pool, splits: Sequence[Split], workers: int, cache: FoldCache | None
) -> Iterator[Judged]:
    if cache is None:
        yield from _all_judged(recipe, pool, splits, workers)
        return
    left = []
    for split in splits:
        kept = cache.kept(split)
        if kept is None:
            left.append(split)
        else:
            yield split, *kept
    for split, values, known in _all_judged(recipe, pool, left, workers):
        cache.keep(split, values, known)
        yield split, values, known


def _all_judged(recipe: Recipe, pool: Pool, splits: Sequence[Split], workers: int) -> Iterator[Judged]:
    if workers < 2 or len(splits) < FOLDS_WORTH_A_PROCESS:
        yield from (_judge(recipe, pool, split) for split in splits)
        return
    with _one_thread_each(), _processes(recipe, pool, workers) as processes:
        waiting = [processes.submit(_judge_shared, split) for split in splits]
        for done in as_completed(waiting):
            yield done.result()


@contextmanager
def _processes(recipe: Recipe, pool: Pool, workers: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes that hold recipe and pool; on an interrupt, folds that have not begun are given up."""
    executor = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_share, initargs=(recipe, pool))
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_SHARED: dict[str, Any] = {}
"""Recipe and pool of a worker process, sent once."""


def _share(recipe: Recipe, pool: Pool) -> None:
    _SHARED.update(recipe=recipe, pool=pool)


def _judge_shared(split: Split) -> Judged:
    return _judge(_SHARED["recipe"], _SHARED["pool"], split)


def external_scene(contenders: Contenders, pool: Pool, name: str = "external") -> Scene:
    """Return the forecasts for a cohort that nothing was fitted on."""
    values, answered = contenders.forecasts(pool.batch())
    return _scene(name, pool, _forecasts({key: one[None, :] for key, one in values.items()}), answered)


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
