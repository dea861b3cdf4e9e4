"""Folds of patients for what is fitted inside a fit: out-of-fold steps and the choice of a penalty.

The resampling that judges a model is another thing (:mod:`training.split`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.inputs import FloatArray, IntArray


def patient_folds(groups: Sequence[str], y: FloatArray, folds: int, seed: int) -> IntArray:
    """Return the fold of each row: patients stay together, responders are spread evenly.

    Assumption: rows of one patient are alike; a patient counts as a responder when the mean outcome of the rows is
    0.5 or more. The fold depends on the patient's id, the seed and the other ids, never on the order of rows.

    Parameters
    ----------
    groups
        Patient id of each row.
    y
        Shape (n,): outcome or rate, 0 to 1.
    folds
        Number of folds.
    seed
        Changes the assignment.

    Examples
    --------
    >>> sorted(patient_folds(["a", "b", "c", "d"], np.array([1.0, 0, 1, 0]), 2, 1).tolist())
    [0, 0, 1, 1]
    """
    ids, place = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    responders = np.bincount(place, weights=y) / np.bincount(place) >= 0.5
    drawn = np.array([hashlib.sha256(f"{seed}|{one}".encode()).hexdigest() for one in ids])
    order = np.lexsort((drawn, responders))
    fold_of_patient = np.empty(len(ids), dtype=np.int64)
    fold_of_patient[order] = np.arange(len(ids)) % folds
    return fold_of_patient[place]


def canonical_order(groups: Sequence[str], y: FloatArray, weight: FloatArray, columns: FloatArray) -> IntArray:
    """Return an order of rows that depends on their content alone, so that a fit never depends on the order given.

    Examples
    --------
    >>> canonical_order(["b", "a"], np.zeros(2), np.ones(2), np.zeros((2, 1))).tolist()
    [1, 0]
    """
    return np.lexsort((*columns.T[::-1], weight, y, np.asarray(groups, dtype=np.str_)))
