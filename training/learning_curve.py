"""Learning curve: how much better the model gets with more patients, and whether more would still help.

The folds are those of a resampling; of each fold's training patients a growing share is kept, every smaller set inside
the larger ones, and the same patients are forecast by all of them.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bootstrap import RESAMPLES, Estimate
from models.metrics import log_loss
from training.further import FurtherTable
from training.judged import MODEL
from training.prepared import Fold
from training.resampling import judge_folds, scenes_of
from training.split import repeated_folds
from training.within_cohorts import over_cohorts
from training.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from training.fit import Recipe
    from training.further import Cell
    from training.judged import Scene
    from training.pool import Pool
    from training.prepared import Judged
    from training.split import Split

LEARNING_CURVE = "learning_curve"
"""Name of the table, and of the figure drawn from it."""

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
"""Of the training patients of a fold; in steps of about one doubling, because what is gained goes with the log of n."""

COLUMNS = (
    ("patients", "patients fitted on"),
    ("share", "of a fold's training patients"),
    ("auroc", "AUROC within cohorts"),
    ("brier_skill", "Brier skill over the cohorts' base rates"),
    ("log_loss", "log loss"),
    ("citl", "CITL"),
    ("slope", "slope"),
)


def kept_patients(split: Split, patients: NDArray[Any], share: float, seed: int) -> Split:
    """Return the split with a share of its training patients; a smaller share of one seed lies inside a larger one."""
    whose = patients[split.train]
    names = np.unique(whose)
    order = np.random.default_rng([seed, split.repeat]).permutation(names)
    kept = order[: round(share * len(order))]
    train = split.train[np.isin(whose, kept)]
    return replace(split, name=f"{split.name} of {share:g}", train=train)


def learning_curve(
    recipe: Recipe,
    pool: Pool,
    *,
    folds: int,
    repeats: int = 1,
    seed: int = 0,
    resamples: int = RESAMPLES,
    shares: Sequence[float] = SHARES,
    workers: int | Workers = 1,
    each: Callable[[str], None] | None = None,
) -> FurtherTable:
    """Fit on growing shares of the training patients of the same folds and judge each out of fold.

    Parameters
    ----------
    recipe, pool
        What is fitted, on which cases; rivals are left out.
    folds, repeats, seed
        Of the resampling.
    shares
        Ascending, the last one 1. A share whose training patients all have one outcome is left out and said so.
    workers
        Processes, or those of the run, which hold this recipe and pool.
    """
    splits = list(repeated_folds(pool.patients, pool.outcome, pool.source, folds=folds, repeats=repeats, seed=seed))
    rows: list[dict[str, Cell]] = []
    notes = [f"{repeats} x {folds} folds; the same patients are forecast in every row, by our model alone."]
    with ExitStack() as stack:
        shared = workers if isinstance(workers, Workers) else stack.enter_context(Workers(recipe, pool, workers))
        asked = {share: [kept_patients(split, pool.patients, share, seed) for split in splits] for share in shares}
        fitting = {share: some for share, some in asked.items() if all(_both(pool, one) for one in some)}
        share_of = {split.name: share for share, some in fitting.items() for split in some}
        judged: dict[float, list[Judged]] = {share: [] for share in fitting}
        every = [Fold(split, comparators=()) for some in fitting.values() for split in some]
        for one in judge_folds(every, shared, each=each):
            judged[share_of[one[0].split.name]].append(one)
    for share, found in judged.items():
        scenes = scenes_of(replace(recipe, comparators=()), pool, found, repeats)
        rows.append(_row(pool, share, fitting[share], scenes, resamples, seed))
    missing = [f"{share:.0%}" for share in shares if share not in fitting]
    notes += [f"Too few patients to fit on: {', '.join(missing)}."] if missing else []
    title = "Learning curve: what more patients would bring"
    return FurtherTable(LEARNING_CURVE, title, COLUMNS, tuple(rows), tuple(notes))


FEWEST_OF_A_CLASS = 10
"""Responders, and others, that a share needs in every fold: the folds inside the fit need both."""


def _both(pool: Pool, split: Split) -> bool:
    events = float(pool.outcome[split.train].sum())
    return min(events, len(split.train) - events) >= FEWEST_OF_A_CLASS


def _row(
    pool: Pool, share: float, splits: Sequence[Split], scenes: Sequence[Scene], resamples: int, seed: int
) -> dict[str, Cell]:
    judged = over_cohorts(scenes, resamples=resamples, seed=seed)
    outcome = np.concatenate([scene.outcome for scene in scenes])
    values = np.concatenate([forecast.values for scene in scenes if (forecast := scene.forecast(MODEL))], axis=1)
    losses = [float(log_loss(outcome, row)) for row in values]
    patients = [len(np.unique(pool.patients[split.train])) for split in splits]
    return {
        "patients": round(float(np.mean(patients))),
        "share": f"{share:.0%}",
        "log_loss": Estimate(float(np.mean(losses)), float("nan"), float("nan")),
        **{name: judged.get(name) for name in ("auroc", "brier_skill", "citl", "slope")},
    }
