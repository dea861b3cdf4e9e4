"""Ridge logistic regression on a design matrix, and the root of its penalised covariance.

Solved by scikit-learn, then one Newton step of ours: the gradient at the result is zero to rounding, whatever the
solver's version stopped at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.declared_signs import next_held
from models.inputs import logistic

if TYPE_CHECKING:
    from models.inputs import BoolArray, FloatArray, IntArray

SOLVER_TOLERANCE = 1e-8
"""Largest gradient of the mean loss at which scikit-learn stops; one Newton step of ours follows, which squares it."""


def fit_ridge(
    design: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    penalties: FloatArray,
    believed: FloatArray | None = None,
    signs: IntArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return (intercept, coefficients) and a root of the coefficients' covariance, the intercept profiled out.

    Parameters
    ----------
    design
        Shape (n, k), no NaN, no intercept column.
    y
        Shape (n,): 0 or 1, or rates between them.
    weight
        Shape (n,): how many cases a row stands for.
    penalties
        Shape (k,): inverse prior variance of each coefficient; the intercept is not penalised.
    believed
        Shape (k,): penalties under which the covariance is worked out; the same when not given.
    signs
        Shape (k,): the sign that each coefficient has to keep, 0 where it is free (:mod:`models.declared_signs`). The
        covariance is that of all columns, those held at 0 among them: what their effect may be is still in doubt.

    Examples
    --------
    >>> beta, root = fit_ridge(np.array([[-1.0], [1.0]]), np.array([0.25, 0.75]), np.array([8.0, 8.0]), np.array([1.0]))
    >>> beta.round(3).tolist(), (root @ root.T).round(3).tolist()
    ([0.0, 0.836], [[0.229]])
    """
    with_intercept = np.column_stack([np.ones(len(design)), design])
    held = np.zeros(design.shape[1], dtype=np.bool_)
    beta, refits = _with_held(design, y, weight, penalties, held), 0
    while signs is not None and signs.any():
        pull = design.T @ (weight * (y - logistic(with_intercept @ beta))) / weight.sum()
        after = next_held(held, beta[1:], pull, signs, refits)
        if np.array_equal(after, held):
            break
        held, refits = after, refits + 1
        beta = _with_held(design, y, weight, penalties, held)
    return beta, _covariance_root(with_intercept, weight, penalties if believed is None else believed, beta)


def _with_held(
    design: FloatArray, y: FloatArray, weight: FloatArray, penalties: FloatArray, held: BoolArray
) -> FloatArray:
    """Return (intercept, coefficients), those of held columns 0."""
    beta = np.zeros(design.shape[1] + 1)
    free = np.flatnonzero(~held)
    every = len(free) == design.shape[1]
    beta[np.append(0, free + 1)] = _maximum(design if every else design[:, free], y, weight, penalties[free])
    return beta


def _maximum(design: FloatArray, y: FloatArray, weight: FloatArray, penalties: FloatArray) -> FloatArray:
    """Return (intercept, coefficients) of the largest penalised likelihood."""
    from sklearn.linear_model import LogisticRegression

    if not design.shape[1]:
        return np.array([_level(y, weight)])
    rows, outcome, count = _as_binary(design, y, weight)
    root_penalty = np.sqrt(penalties)
    solver = LogisticRegression(C=1.0, solver="newton-cholesky", tol=SOLVER_TOLERANCE, max_iter=200)
    solver.fit(rows / root_penalty, outcome, sample_weight=count)
    beta = np.append(solver.intercept_, solver.coef_[0] / root_penalty)
    with_intercept = np.column_stack([np.ones(len(design)), design])
    return _newton_step(with_intercept, y, weight, np.append(0.0, penalties), beta)


def _as_binary(design: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Split rows with a rate into a row of responders and one of non-responders, weights shared out."""
    if not np.any((y > 0) & (y < 1)):
        return design, y, weight
    outcome = np.repeat([1.0, 0.0], len(y))
    return np.vstack([design, design]), outcome, np.concatenate([weight * y, weight * (1 - y)])


def _hessian(design: FloatArray, weight: FloatArray, ridge: FloatArray, beta: FloatArray) -> FloatArray:
    p = logistic(design @ beta)
    curved: FloatArray = (design.T * (weight * p * (1 - p))) @ design
    curved[np.diag_indices_from(curved)] += ridge
    return curved


def _newton_step(
    design: FloatArray, y: FloatArray, weight: FloatArray, ridge: FloatArray, beta: FloatArray
) -> FloatArray:
    gradient = design.T @ (weight * (y - logistic(design @ beta))) - ridge * beta
    return np.asarray(beta + np.linalg.solve(_hessian(design, weight, ridge, beta), gradient), dtype=np.float64)


def _covariance_root(design: FloatArray, weight: FloatArray, penalties: FloatArray, beta: FloatArray) -> FloatArray:
    if not len(penalties):
        return np.zeros((0, 0))
    curved = _hessian(design, weight, np.append(0.0, penalties), beta)
    slopes = curved[1:, 1:] - np.outer(curved[1:, 0], curved[0, 1:]) / curved[0, 0]
    lower = np.linalg.cholesky((slopes + slopes.T) / 2)
    return np.asarray(np.linalg.inv(lower).T, dtype=np.float64)


def _level(y: FloatArray, weight: FloatArray) -> float:
    rate = float(np.average(y, weights=weight))
    return float(np.log(rate / (1 - rate)))
