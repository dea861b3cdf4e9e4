"""The sign that biology declares of a column, held in the linear fit: no coefficient may lie against it.

The maximum of the penalised likelihood among coefficients of the declared signs: the mode under a prior that gives
none to the other side. Found by an active set. A column whose coefficient lies against its sign is held at 0 and the
rest are refitted; a held column that would rise on its own side beside the others is let go again. The likelihood with
a ridge has one maximum, so where the search starts changes nothing but its length.

Columns of one feature may split one effect into two of opposite sign (TMB, and TMB above 10), each within its error,
and their sum then falls where every trial says that it rises. Which groups keep the rule is a setting, with its reason
in the experiment file (``model: {linear: {signs: [tmb]}}``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract import Column
    from models.inputs import BoolArray, FloatArray, IntArray
    from models.settings import LinearSettings

PULL = 1e-9
"""Gradient of the mean loss above which a held column would rise on its own side; below, it is 0 to rounding."""

RELEASES = 20
"""Refits after which columns are only held and none let go, so that the search ends; two or three refits are usual."""


def declared_signs(columns: Sequence[Column], settings: LinearSettings) -> IntArray:
    """Return the sign that each coefficient has to keep, shape (p,): 0 where it is free.

    Examples
    --------
    >>> from features.contract import Column
    >>> from models.settings import LinearSettings
    >>> columns = [Column("tmb_log2", "tmb", "tmb", "1", 1), Column("ecog", "ecog", "patient", "1", -1)]
    >>> declared_signs(columns, LinearSettings(signs=("tmb",))).tolist()
    [1, 0]
    >>> declared_signs(columns, LinearSettings()).tolist()
    [0, 0]
    """
    kept = frozenset(settings.signs)
    return np.array([column.expected_sign if column.group in kept else 0 for column in columns], dtype=np.int64)


def next_held(held: BoolArray, beta: FloatArray, pull: FloatArray, signs: IntArray, refits: int) -> BoolArray:
    """Return which columns the next refit holds at 0; the same as ``held`` when the fit is the maximum.

    Parameters
    ----------
    held
        Shape (k,): the columns held in the fit at hand.
    beta
        Shape (k,): its coefficients, 0 where held.
    pull
        Shape (k,): the gradient of its mean log-likelihood; what would move a held column.
    signs
        Shape (k,): -1, 0 or 1.
    refits
        How many there were before.

    Examples
    --------
    >>> none, signs = np.zeros(2, dtype=bool), np.array([1, -1])
    >>> next_held(none, np.array([-0.2, -0.1]), np.zeros(2), signs, 0).tolist()
    [True, False]
    >>> next_held(np.array([True, False]), np.array([0.0, -0.1]), np.array([0.01, 0.0]), signs, 1).tolist()
    [False, False]
    """
    against = signs * beta < 0
    if against.any() or refits >= RELEASES:
        return np.asarray(held | against)
    return np.asarray(held & ~(signs * pull > PULL))
