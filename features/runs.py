"""Runs: what the listed things of a case (findings, earlier regimens) come to, case by case, without a loop over cases.

Lists of all cases lie one after another, those of a case together, so that each case is one run of the list. Unions,
sums of whole numbers and extremes do not depend on the order within a run: neither do the columns made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from features.batch import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Runs:
    """Where the run of each case begins; a case without a run keeps what the methods say of none.

    Attributes
    ----------
    starts
        Place of the first entry of each run.
    cases
        The case of each run.
    n
        Number of cases.

    Examples
    --------
    >>> runs = Runs.of(np.array([0, 0, 2]), 3)
    >>> runs.union(np.array([[1, 2, 4]])).tolist(), runs.highest(np.array([0.5, 0.1, 0.2])).tolist()
    ([[3, 0, 4]], [0.5, -inf, 0.2])
    """

    starts: IntArray
    cases: IntArray
    n: int

    @classmethod
    def of(cls, rows: IntArray, n: int) -> Runs:
        """Return the runs of an ascending list of case numbers."""
        begins = np.empty(rows.size, dtype=np.bool_)
        begins[:1] = True
        np.not_equal(rows[1:], rows[:-1], out=begins[1:])
        starts = begins.nonzero()[0]
        return cls(starts, rows[starts], n)

    def union(self, bits: IntArray) -> IntArray:
        """Return the bits any entry of a case has; ``bits`` has shape (k, m), the result (k, n); none is 0."""
        found = np.zeros((len(bits), self.n), dtype=np.int64)
        found[:, self.cases] = np.bitwise_or.reduceat(bits, self.starts, axis=1)
        return found

    def total(self, counts: IntArray) -> IntArray:
        """Return sums of whole numbers; ``counts`` has shape (k, m), the result (k, n); none is 0."""
        found = np.zeros((len(counts), self.n), dtype=np.int64)
        found[:, self.cases] = np.add.reduceat(counts, self.starts, axis=1)
        return found

    def highest(self, values: FloatArray) -> FloatArray:
        """Return the highest value of each case; shape (..., m) gives (..., n); none is minus infinity, NaN wins."""
        found = np.empty((*values.shape[:-1], self.n))
        found.fill(-np.inf)
        found[..., self.cases] = np.maximum.reduceat(values, self.starts, axis=-1)
        return found
