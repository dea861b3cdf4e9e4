"""Which columns are idle: those that the training cases are likelier without, found on the curvature of one fit.

A coefficient is nothing with one prior probability and normal with the other (a spike and a slab: George & McCulloch
1993, doi:10.1080/01621459.1993.10476353). Near the best fit the log-likelihood is a quadratic form; on it the marginal
likelihood of any set of columns is a few sums, and what one column more or less changes is one number (Savage and
Dickey's ratio). From all columns, the step that raises posterior odds most is taken, in or out, until none does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.inputs import BoolArray, FloatArray, IntArray

STEPS = 10_000
"""Steps at most; each raises the posterior, so no set comes twice, and a few hundred are usual."""

GAIN = 1e-9
"""Gain in log posterior odds below which a step is rounding."""

TINY = 1e-9
"""Least information on a column that is not in: below, it repeats those that are."""


@dataclass(frozen=True, slots=True)
class Quadratic:
    """A log-likelihood around its best fit, with normal priors: ``pull' b - b' curvature b / 2``.

    ``curvature`` is (k, k) without the prior, ``pull`` (k,), ``precision`` (k,) the inverse prior variances.
    """

    curvature: FloatArray
    pull: FloatArray
    precision: FloatArray


class _Posterior:
    """Mean and covariance of the columns that are in; zero for the others."""

    def __init__(self, form: Quadratic, kept: BoolArray) -> None:
        self._form, self.kept = form, kept.copy()
        at = np.flatnonzero(kept)
        inner = form.curvature[np.ix_(at, at)] + np.diag(form.precision[at])
        self._covariance = np.zeros_like(form.curvature)
        self._covariance[np.ix_(at, at)] = np.linalg.inv(inner)
        self._mean = self._covariance @ form.pull

    def of_leaving(self, places: IntArray) -> FloatArray:
        """Return the change of the log marginal likelihood when each column is left out."""
        variance = np.diag(self._covariance)[places]
        return np.asarray(-0.5 * (np.log(self._form.precision[places] * variance) + self._mean[places] ** 2 / variance))

    def of_taking(self, places: IntArray) -> FloatArray:
        """Return the change of the log marginal likelihood when each column is taken in."""
        information, pull = self._beyond(places)
        precision = self._form.precision[places]
        return np.asarray(0.5 * (pull**2 / (information + precision) - np.log1p(information / precision)))

    def _beyond(self, places: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return information on columns, and pull, beyond the columns that are in."""
        rows = self._form.curvature[places]
        information = np.diag(self._form.curvature)[places] - np.einsum("ij,ij->i", rows @ self._covariance, rows)
        return np.maximum(information, TINY), self._form.pull[places] - rows @ self._mean

    def leave(self, place: int) -> None:
        column = self._covariance[:, place] / self._covariance[place, place]
        self._mean = self._mean - column * self._mean[place]
        self._covariance = self._covariance - np.outer(column, self._covariance[place])
        self._covariance[place], self._covariance[:, place], self._mean[place] = 0.0, 0.0, 0.0
        self.kept[place] = False

    def take(self, place: int) -> None:
        information, pull = (float(one[0]) for one in self._beyond(np.array([place])))
        variance = 1.0 / (information + float(self._form.precision[place]))
        beside = self._covariance @ self._form.curvature[:, place]
        self._covariance = self._covariance + variance * np.outer(beside, beside)
        self._covariance[place], self._covariance[:, place] = -variance * beside, -variance * beside
        self._covariance[place, place] = variance
        self._mean = self._mean - variance * pull * beside
        self._mean[place] = variance * pull
        self.kept[place] = True


def columns_kept(form: Quadratic, may_leave: BoolArray, log_odds: FloatArray, kept: BoolArray) -> BoolArray:
    """Return which columns the cases are likelier with, shape (k,).

    Parameters
    ----------
    form
        Of all columns.
    may_leave
        Shape (k,): columns that may be idle; the others stay.
    log_odds
        Shape (k,): prior log-odds that a column is not idle.
    kept
        Shape (k,): where the search starts.

    Examples
    --------
    >>> form = Quadratic(np.diag([100.0, 100.0]), np.array([50.0, 5.0]), np.array([4.0, 4.0]))
    >>> columns_kept(form, np.ones(2, dtype=bool), np.zeros(2), np.ones(2, dtype=bool)).tolist()
    [True, False]
    """
    posterior = _Posterior(form, kept)
    for _ in range(STEPS):
        inside, outside = np.flatnonzero(posterior.kept & may_leave), np.flatnonzero(~posterior.kept & may_leave)
        leaving = posterior.of_leaving(inside) - log_odds[inside]
        taking = posterior.of_taking(outside) + log_odds[outside]
        best = max(leaving.max(initial=0.0), taking.max(initial=0.0))
        if best <= GAIN:
            break
        if leaving.max(initial=0.0) == best:
            posterior.leave(int(inside[leaving.argmax()]))
        else:
            posterior.take(int(outside[taking.argmax()]))
    return posterior.kept
