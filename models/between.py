"""Variance between groups of cases: how far a histology, a setting or a hospital lies from a model without it.

Random intercepts on the log-odds, around z of fits that never saw the group (:mod:`models.cross_fitting`). Their
variance is the marginal-likelihood estimate (EM with Laplace's approximation for each group; Schall 1991,
doi:10.1093/biomet/78.4.719), drawn towards a published figure that counts as a few groups of its own: with two
hospitals the figure speaks, with thirty histologies the cases do. z out of fold by *patients* would not do: the other
patients of a group have told the fit about it, and the variance comes out near nought.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.inputs import logistic

if TYPE_CHECKING:
    from models.inputs import FloatArray, IntArray

STEPS = 200
"""EM steps at most."""

CONVERGED = 1e-4
"""Relative change of the variance at which EM has converged."""

INNER = 4
"""Newton steps for the groups' intercepts within one step of EM; they start where the last one ended."""

FOLDS_OF_GROUPS = 5
"""Fits in which groups are left out, several at a time: one for each setting would be a hundred fits."""


@dataclass(frozen=True)
class BetweenGroups:
    """What was found between groups.

    Attributes
    ----------
    variance
        In log-odds squared, the published figure counted in.
    groups
        Groups of the cases.
    level
        Mean of the groups' shifts from z, log-odds.
    """

    variance: float
    groups: int
    level: float


def between_groups(
    z: FloatArray, y: FloatArray, weight: FloatArray, group: IntArray, figure: float, figure_counts: float
) -> BetweenGroups:
    """Estimate the variance of random intercepts of groups around z.

    Parameters
    ----------
    z
        Shape (n,): log-odds from fits that did not see the case's group.
    y, weight
        Shape (n,): outcome or rate; how many cases each row stands for.
    group
        Shape (n,): number of the case's group; rows below 0 are left out.
    figure, figure_counts
        A published variance, and how many groups it counts as (a scaled inverse chi-square prior).

    Examples
    --------
    >>> z, y = np.zeros(400), np.tile([1.0, 0.0], 200)
    >>> alike = between_groups(z, y, np.ones(400), np.arange(400) // 20, 0.2, 5.0)
    >>> alike.groups, round(alike.variance, 2) < 0.2
    (20, True)
    >>> between_groups(z, y, np.ones(400), np.zeros(400, dtype=np.int64), 0.2, 5.0).variance
    0.2
    """
    held = group >= 0
    _, place = np.unique(group[held], return_inverse=True)
    count = int(place.max(initial=-1)) + 1
    if count < 2:
        return BetweenGroups(figure, count, 0.0)
    return _fitted(z[held], y[held], weight[held], place.astype(np.int64), count, figure, figure_counts)


def _fitted(
    z: FloatArray, y: FloatArray, weight: FloatArray, place: IntArray, count: int, figure: float, figure_counts: float
) -> BetweenGroups:
    shift, level, variance = np.zeros(count), 0.0, max(figure, 0.1)
    for _ in range(STEPS):
        for _ in range(INNER):
            p = logistic(z + level + shift[place])
            information = np.bincount(place, weight * p * (1 - p), count)
            gradient = np.bincount(place, weight * (y - p), count)
            shift = shift + np.clip((gradient - shift / variance) / (information + 1 / variance), -1.0, 1.0)
            level, shift = level + float(shift.mean()), shift - shift.mean()
        spread = 1 / (information + 1 / variance)
        found = float((figure_counts * figure + np.sum(shift**2 + spread)) / (figure_counts + count))
        if abs(found - variance) < CONVERGED * variance:
            break
        variance = found
    return BetweenGroups(variance, count, level)


def group_folds(group: IntArray, folds: int = FOLDS_OF_GROUPS) -> IntArray:
    """Return a fold for each case so that no group is split: the largest group first, into the emptiest fold.

    Rows of no group (below 0) stay in every fit: their fold is -1.

    Examples
    --------
    >>> group_folds(np.array([0, 0, 0, 1, 1, 2, -1]), folds=2).tolist()
    [0, 0, 0, 1, 1, 1, -1]
    """
    numbers, place, cases = np.unique(group[group >= 0], return_inverse=True, return_counts=True)
    fold_of, load = np.zeros(len(numbers), dtype=np.int64), np.zeros(min(folds, max(len(numbers), 1)))
    for one in np.argsort(-cases, kind="stable").tolist():
        fold_of[one] = int(np.argmin(load))
        load[fold_of[one]] += cases[one]
    found = np.full(len(group), -1, dtype=np.int64)
    found[group >= 0] = fold_of[place]
    return found
