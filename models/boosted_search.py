"""Searching the boosters' size with optuna, inside a fit: so a resampling of the fit nests the search by itself.

Trials are judged by log loss out of fold, over the folds of the fit and from the same starts; the first one is the
preset for so many cases, so the search never ends with a worse figure than it. With few cases more trials find more
chance: ten or twenty are plenty. As with the ridge penalty, the out-of-fold z that the calibrator sees were also those
that chose; the resampling outside judges all of it.

Studies are kept in the database that ``$ORP_STUDIES`` names (``sqlite:///studies.db``, ``postgresql+psycopg://...``),
where several processes may share one and a finished study is read, not searched again; without it they are kept in
memory. A study's name is the digest of its cases, starts and settings. The address is no part of the model.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from models.boosted import averaged_output
from models.boosted_fit import fit_boosters, preset
from models.inputs import log_loss

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.cross_fitting import Training
    from models.inputs import FloatArray
    from models.settings import BoostedSettings

STUDIES = "ORP_STUDIES"
"""Environment variable with the address of the studies' database."""

LEAVES, SMALLEST_LEAF = (3, 15), (20, 120)
"""Shallow whatever the search says: 15 leaves are three or four questions deep."""

RIDGE, SHARE_OF_COLUMNS = (1.0, 100.0), (0.3, 1.0)

MOST_TREES = 3
"""Times the preset's trees that are tried at most; half of them at least."""


def searched(
    training: Training, start: Callable[[int], FloatArray], settings: BoostedSettings, seed: int
) -> BoostedSettings:
    """Return the settings of the lowest log loss out of fold among ``settings.trials`` trials.

    Parameters
    ----------
    training
        The cases of the fit, with their folds.
    start
        Gives, without one fold, the out-of-fold w * evidence + linear of every case.
    settings
        Where the search starts; what it does not search stays as it is.
    seed
        Of the sampler and of the boosters. The same cases, settings and seed give the same answer; a study that was
        interrupted, or searched by several processes at once, tries other sizes than one that was not.

    Raises
    ------
    ModuleNotFoundError
        Where optuna is not installed; it is needed for training with trials alone.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    size = preset(len(training.y))
    trees = settings.trees or size.trees
    usual = {
        "leaves": settings.leaves,
        "trees": trees,
        "smallest_leaf": settings.smallest_leaf or size.smallest_leaf,
        "ridge": settings.ridge,
        "share_of_columns": settings.share_of_columns,
    }
    loss = _Loss(training, start, settings, seed)
    study = optuna.create_study(
        storage=os.environ.get(STUDIES) or None, study_name=loss.name(settings), load_if_exists=True
    )
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))  # going on, not the same sizes again
    done = len(study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)))
    if not done:
        study.enqueue_trial(usual, skip_if_exists=True)
    if done < settings.trials:
        study.optimize(lambda trial: loss(_drawn(trial, trees)), n_trials=settings.trials - done)
    return replace(settings, **study.best_params)


def _drawn(trial: Any, trees: int) -> dict[str, Any]:
    return {
        "leaves": trial.suggest_int("leaves", *LEAVES),
        "trees": trial.suggest_int("trees", max(trees // 2, 1), MOST_TREES * trees),
        "smallest_leaf": trial.suggest_int("smallest_leaf", *SMALLEST_LEAF),
        "ridge": trial.suggest_float("ridge", *RIDGE, log=True),
        "share_of_columns": trial.suggest_float("share_of_columns", *SHARE_OF_COLUMNS),
    }


class _Loss:
    """Log loss out of fold of one booster; the starts of each fold are worked out once."""

    def __init__(
        self, training: Training, start: Callable[[int], FloatArray], settings: BoostedSettings, seed: int
    ) -> None:
        self._training, self._settings, self._seed = training, replace(settings, seeds=1), seed
        self._starts = {int(f): start(int(f)) for f in np.unique(training.fold)}

    def __call__(self, tried: dict[str, Any]) -> float:
        t, settings = self._training, replace(self._settings, **tried)
        z = np.empty(len(t.y))
        for f, start in self._starts.items():
            inside, held = t.fold != f, t.fold == f
            boosters = fit_boosters(
                t.inputs.matrix[inside], t.columns, t.y[inside], t.weight[inside], start[inside], settings, self._seed
            )
            z[held] = start[held] + averaged_output(boosters, t.inputs.matrix[held])
        return log_loss(z, t.y, t.weight)

    def name(self, settings: BoostedSettings) -> str:
        """Return the name of the study: the same for the same cases, signs, starts and settings, and for no others."""
        t, signs = self._training, [column.expected_sign for column in self._training.columns]
        said = hashlib.sha256(repr((settings, self._seed, signs)).encode())
        for values in (t.inputs.matrix, t.y, t.weight, t.fold, *self._starts.values()):
            said.update(np.ascontiguousarray(values).tobytes())
        return f"boosted-{said.hexdigest()[:24]}"
