"""Many ridge fits on the same cases: every penalty starts from the fit of the one before.

The choice of a penalty and the out-of-fold steps need dozens of fits of which only the value matters. Columns that are
the same in all cases are merged (exact: see :func:`merged`), the curvature of one fit is kept for the next as long as
it still leads down, and no covariance is made. The result is that of :func:`models.linear_fit.fit_linear` to rounding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models.declared_signs import declared_signs, next_held
from models.inputs import log_loss, logistic
from models.linear_fit import EVIDENCE_SCALE, NO_SPREAD, LinearFit, alike, factors_of, live_columns, scaling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract import Column
    from models.inputs import BoolArray, FloatArray, IntArray
    from models.settings import LinearSettings

TOLERANCE = 1e-10
"""Largest gradient of the mean loss at which a fit has converged."""

STEPS = 200
"""Steps at most; a handful is usual, a few dozen when curvature is kept."""

SLOW = 0.2
"""Share of the gradient that a step may leave before the curvature is worked out again."""


class RidgePath:
    """The cases of one fit, scaled and merged once, to be fitted under many penalties.

    Parameters
    ----------
    matrix, columns, y, weight, evidence
        As for :func:`models.linear_fit.fit_linear`.
    """

    def __init__(
        self,
        matrix: FloatArray,
        columns: Sequence[Column],
        y: FloatArray,
        weight: FloatArray,
        evidence: FloatArray | None,
    ) -> None:
        self._columns, self._y, self._weight = columns, y, weight
        self._scaled = scaling(matrix, columns, weight, 0.0)
        standardised = self._scaled.standardised(matrix)
        self._live = live_columns(standardised)
        design = standardised[:, self._live]
        self._alike = alike(design)
        self._first, self._member = merged(design, [columns[place].expected_sign for place in self._live])
        parts = [np.ones((len(y), 1)), design[:, self._first]]
        self._mean, self._per_unit = 0.0, 0.0
        self._flat_evidence = evidence is not None
        if evidence is not None:
            self._mean = float(np.average(evidence, weights=weight))
            spread = float(np.sqrt(np.average((evidence - self._mean) ** 2, weights=weight)))
            if spread >= NO_SPREAD:
                self._flat_evidence, self._per_unit = False, EVIDENCE_SCALE / spread
                parts.append((evidence - self._mean)[:, None] * self._per_unit)
        self._descent = Descent(np.concatenate(parts, axis=1), y, weight)
        self._without: Descent | None = None

    def fit(self, penalty: float, settings: LinearSettings) -> LinearFit:
        """Return the fit under one penalty; its covariance is left out (shape (0, 0))."""
        penalties = penalty * factors_of(self._columns, settings)[self._live] * self._alike
        together = 1.0 / np.bincount(self._member, weights=1.0 / penalties)
        beta, found = self._solved(together, penalty, declared_signs(self._columns, settings)[self._live[self._first]])
        coefficients = np.zeros(len(self._columns))
        coefficients[self._live] = beta[1:][self._member] * together[self._member] / penalties
        term = replace(self._scaled, coefficients=coefficients, penalty=penalty)
        return LinearFit(term, float(beta[0]) - found * self._mean, found, np.zeros((0, 0)))

    def _solved(self, penalties: FloatArray, penalty: float, signs: IntArray) -> tuple[FloatArray, float]:
        """Return (intercept at mean evidence, merged coefficients) and the weight of evidence."""
        ridge, signs = np.append(0.0, penalties), np.append(0, signs)
        if not self._per_unit:
            return self._descent.to(ridge, signs), 1.0 if self._flat_evidence else 0.0
        beta = self._descent.to(np.append(ridge, penalty), np.append(signs, 0))
        if beta[-1] >= 0:
            return beta[:-1], float(beta[-1] * self._per_unit)
        if self._without is None:
            self._without = Descent(self._descent.design[:, :-1], self._y, self._weight)
        return self._without.to(ridge, signs), 0.0


class Descent:
    """Newton's method on one design, its start, curvature and held columns kept from fit to fit."""

    def __init__(self, design: FloatArray, y: FloatArray, weight: FloatArray) -> None:
        self.design, self._y, self._weight = np.ascontiguousarray(design), y, weight
        self._beta = np.zeros(design.shape[1])
        self._held = np.zeros(design.shape[1], dtype=np.bool_)
        self._curved: FloatArray | None = None

    def to(self, ridge: FloatArray, signs: IntArray) -> FloatArray:
        """Return the coefficients under a ridge that keep their signs, shape (k,); the first one is the intercept."""
        refits, after = 0, self._held & (signs != 0)
        while True:
            self._hold(after)
            pull = self._descended(ridge) / float(self._weight.sum())
            after = next_held(self._held, self._beta, pull, signs, refits)
            if np.array_equal(after, self._held):
                return self._beta
            refits += 1

    def _hold(self, held: BoolArray) -> None:
        self._held = held
        self._beta = np.where(held, 0.0, self._beta)

    def _descended(self, ridge: FloatArray) -> FloatArray:
        """Descend to the best coefficients, held ones at 0; return the whole gradient there."""
        beta, size = self._beta, TOLERANCE * float(self._weight.sum())
        loss, gradient, p = self._at(beta, ridge)
        factor = self._factor(ridge, p, anew=False)
        for _ in range(STEPS):
            free = np.where(self._held, 0.0, gradient)
            before = float(np.abs(free).max())
            if before <= size:
                break
            beta, loss, gradient, p, halved = self._stepped(beta, cho_solve(factor, free), ridge, loss)
            if halved or float(np.abs(gradient[~self._held]).max()) > SLOW * before:
                factor = self._factor(ridge, p, anew=True)
        self._beta = beta
        return gradient

    def _at(self, beta: FloatArray, ridge: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        log_odds = self.design @ beta
        p = logistic(log_odds)
        gradient = self.design.T @ (self._weight * (self._y - p)) - ridge * beta
        total = log_loss(log_odds, self._y, self._weight) * float(self._weight.sum())
        return total + 0.5 * float(ridge @ beta**2), gradient, p

    def _factor(self, ridge: FloatArray, p: FloatArray, *, anew: bool) -> tuple[FloatArray, bool]:
        if anew or self._curved is None:
            root = np.sqrt(self._weight * p * (1 - p))[:, None] * self.design
            self._curved = root.T @ root
        curved = self._curved.copy()
        curved[np.diag_indices_from(curved)] += ridge
        curved[self._held], curved[:, self._held] = 0.0, 0.0  # a held column neither moves nor moves others
        curved[self._held, self._held] = 1.0
        factor: tuple[FloatArray, bool] = cho_factor(curved, check_finite=False)
        return factor

    def _stepped(
        self, beta: FloatArray, step: FloatArray, ridge: FloatArray, loss: float
    ) -> tuple[FloatArray, float, FloatArray, FloatArray, bool]:
        """Take a step, halved until the loss does not rise beyond rounding."""
        share = 1.0
        while True:
            tried = beta + share * step
            found, gradient, p = self._at(tried, ridge)
            if found <= loss * (1 + 1e-12) or share < 1e-6:
                return tried, found, gradient, p, share < 1.0
            share /= 2


def merged(design: FloatArray, signs: Sequence[int]) -> tuple[IntArray, IntArray]:
    """Return the first of each set of columns of the same values and sign, and for every one the place of its set.

    Equal columns with penalties ``p_i`` and coefficients ``b_i`` act as one with the coefficient ``B = sum b_i``; at
    the optimum ``b_i`` is proportional to ``1 / p_i``, so the one has the penalty ``1 / sum(1 / p_i)``.

    Examples
    --------
    >>> first, member = merged(np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0]]), [0, 0, 0])
    >>> first.tolist(), member.tolist()
    ([0, 1], [0, 1, 0])
    """
    places: dict[tuple[bytes, int], int] = {}
    first: list[int] = []
    member: list[int] = []
    for j, (column, sign) in enumerate(zip(np.ascontiguousarray(design.T), signs, strict=True)):
        content = (column.tobytes(), sign)
        if content not in places:
            places[content] = len(first)
            first.append(j)
        member.append(places[content])
    return np.array(first, dtype=np.int64), np.array(member, dtype=np.int64)
