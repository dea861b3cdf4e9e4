"""Harrell's concordance: of two patients, does the one with the higher score live longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import Refusal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from training.judged import FloatArray

ROWS_AT_ONCE = 500
"""Patients compared with all others in one go; bounds the memory."""


class InvalidSurvival(Refusal):
    """Times, deaths and scores that do not belong together, or times that are negative."""

    code = "invalid_survival"


def concordance(months: ArrayLike, died: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """Return Harrell's c (JAMA 1982, doi:10.1001/jama.1982.03320430047030): 0.5 is chance.

    A pair counts when the earlier time is a death; at equal times, a death counts against whoever was censored. Equal
    scores are worth a half.

    Parameters
    ----------
    months, died, score
        Shape (n,): time to death or last contact, 1 for death, and the score; higher means longer life.
    weight
        Shape (n,) or (resamples, n): how often each patient is counted.

    Returns
    -------
    float or array of shape (resamples,)
        NaN when no pair can be compared.

    Raises
    ------
    InvalidSurvival
        When shapes differ, or something is not finite or negative.

    Examples
    --------
    >>> round(concordance([2, 4, 6, 8], [1, 1, 0, 1], [0.1, 0.4, 0.3, 0.9]), 4)
    0.8
    """
    t, d, s = (np.asarray(one, dtype=np.float64) for one in (months, died, score))
    if not t.shape == d.shape == s.shape or not np.isfinite([t, d, s]).all() or (t < 0).any():
        raise InvalidSurvival(f"{t.size} times, {d.size} deaths and {s.size} scores", way_out="Leave unknown ones out.")
    w = np.atleast_2d(np.ones_like(t) if weight is None else np.asarray(weight, dtype=np.float64))
    wins, pairs = np.zeros(len(w)), np.zeros(len(w))
    for start in range(0, len(t), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        comparable = _comparable(t, d, rows)
        better = (s[None, :] > s[rows, None]) + 0.5 * (s[None, :] == s[rows, None])
        pairs += ((w[:, rows] @ comparable) * w).sum(axis=1)
        wins += ((w[:, rows] @ (comparable * better)) * w).sum(axis=1)
    found = np.divide(wins, pairs, out=np.full(len(w), np.nan), where=pairs > 0)
    return float(found[0]) if weight is None or np.ndim(weight) == 1 else found


def _comparable(t: FloatArray, d: FloatArray, rows: slice) -> FloatArray:
    """Return 1 where the first of a pair is known to have died before the second (rows against all)."""
    earlier = t[rows, None] < t[None, :]
    outlived = (t[rows, None] == t[None, :]) & (d[None, :] == 0)
    return np.asarray((d[rows, None] == 1) & (earlier | outlived), dtype=np.float64)
