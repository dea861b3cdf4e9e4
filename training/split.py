"""Splits that judge a model: repeated grouped stratified folds, and leaving out a cohort, a histology or a class.

Patients are never split. Every split is a pure function of its arguments and the seed. Folds *inside* a fit
(calibrator, penalty) are another thing: :mod:`models.folds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

Rows = NDArray[np.int64]

REPEATS, FOLDS = 10, 5
"""Repeated stratified cross-validation of the protocol: 10 repeats of 5 folds."""


class InvalidSplit(Refusal):
    """A split that cannot be drawn: fewer patients than folds, or arrays of different lengths."""

    code = "invalid_split"


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to fit on and rows to judge; ``name`` says which fold, or what was left out."""

    name: str
    repeat: int
    train: Rows
    test: Rows


def repeated_folds(
    patients: ArrayLike,
    outcome: ArrayLike,
    cohorts: ArrayLike,
    *,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Iterator[Split]:
    """Yield ``repeats`` x ``folds`` splits, grouped by patient, stratified by cohort and response.

    Parameters
    ----------
    patients, outcome, cohorts
        Shape (n,). A patient's stratum is the cohort of the first case and whether any case responded.
    folds, repeats, seed
        Each repeat shuffles anew from the seed.

    Raises
    ------
    InvalidSplit
        With fewer patients than folds.

    Examples
    --------
    >>> splits = list(repeated_folds([1, 2, 3, 4], [0, 1, 0, 1], ["a"] * 4, folds=2, repeats=1))
    >>> [sorted(split.test.tolist()) for split in splits] != [[], []], len(splits)
    (True, 2)
    """
    who, y, where = np.asarray(patients), np.asarray(outcome, dtype=np.float64), np.asarray(cohorts)
    if not who.shape == y.shape == where.shape:
        raise InvalidSplit(f"{who.size} patients, {y.size} outcomes and {where.size} cohorts do not belong together")
    _, first, patient = np.unique(who, return_index=True, return_inverse=True)
    if len(first) < folds:
        raise InvalidSplit(f"{len(first)} patients cannot make {folds} folds", field="resampling.folds")
    responded = np.zeros(len(first))
    np.maximum.at(responded, patient, y)
    cohort = np.unique(where[first], return_inverse=True)[1]
    stratum = 2 * cohort + responded.astype(np.intp)
    for repeat in range(repeats):
        fold = _dealt(stratum, folds, np.random.default_rng([seed, repeat]))[patient]
        for k in range(folds):
            name = f"repeat {repeat + 1} fold {k + 1}"
            yield Split(name, repeat, np.flatnonzero(fold != k), np.flatnonzero(fold == k))


def _dealt(stratum: NDArray[np.intp], folds: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Deal patients like cards, stratum after stratum, each shuffled, so that folds differ by one at most."""
    shuffled = random.permutation(len(stratum))
    order = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    fold = np.empty(len(stratum), dtype=np.intp)
    fold[order] = np.arange(len(stratum)) % folds
    return random.permutation(folds)[fold]


def leave_one_out(levels: ArrayLike, *, fewest: int = 1) -> Iterator[Split]:
    """Yield one split per level (cohort, histology, therapy class) that has at least ``fewest`` cases.

    Examples
    --------
    >>> [(split.name, split.test.tolist()) for split in leave_one_out(["a", "b", "a"])]
    [('a', [0, 2]), ('b', [1])]
    """
    what = np.asarray(levels)
    for level, count in zip(*np.unique(what, return_counts=True), strict=True):
        if fewest <= count < what.size:
            yield Split(str(level), 0, np.flatnonzero(what != level), np.flatnonzero(what == level))
