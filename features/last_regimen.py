"""The last regimen before the index date: how the tumour answered it, and how long ago it ended.

Which regimen was last follows from the only one listed, else from the highest stated line when every systemic regimen
states one, else from the latest date when every one has a date. Regimens that tie are taken together: their best
response, their latest end. Otherwise it is unknown which was last, and so are both features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.batch import FloatArray, Priors
    from features.line_derivation import Counted

RANK = {"PD": 1.0, "SD": 2.0, "PR": 3.0, "CR": 4.0}
"""Best response as an order; NE and unknown have no rank."""


@dataclass(frozen=True, slots=True)
class LastRegimen:
    """Shape (n,) each: rank of the best response to the last regimen, days since it ended; NaN where unknown."""

    response_rank: FloatArray
    days_since_end: FloatArray


def last_regimen(priors: Priors, listed: Counted, n: int) -> LastRegimen:
    """Return what is known of the last systemic regimen of every case.

    Parameters
    ----------
    priors
        Listed regimens of n cases.
    listed
        Which of them are systemic cancer therapy; the others are passed over.
    n
        Number of cases.
    """
    unknown = np.full(n, np.nan)
    if not listed.systemic.any():
        return LastRegimen(unknown, unknown)
    row = priors.row[listed.systemic]
    ago = _how_long_ago(priors, listed, row, n)
    latest = np.full(n, np.inf)
    np.minimum.at(latest, row, ago)
    last = (ago == latest[row]) & (ago > -np.inf)
    row = row[last]
    ended = priors.ended_days[listed.systemic][last]
    return LastRegimen(_best(priors, listed, last, row, n), _latest_end(ended, row, n))


def _how_long_ago(priors: Priors, listed: Counted, row: NDArray[np.int64], n: int) -> FloatArray:
    """Return one number per systemic regimen, smallest for the last; minus infinity where it could be any."""
    line = priors.line[listed.systemic]
    date = np.fmin(priors.ended_days[listed.systemic], priors.started_days[listed.systemic])
    several = listed.systemic_of_case[row] > 1
    unstated = np.bincount(row, weights=np.isnan(line), minlength=n)[row] > 0
    ago = np.where(several, np.where(unstated, date, -line), 0.0)
    return np.where(np.isnan(ago), -np.inf, ago)


def _best(priors: Priors, listed: Counted, last: NDArray[np.bool_], row: NDArray[np.int64], n: int) -> FloatArray:
    rank = priors.best_response.gather(lambda level: RANK.get(level, 0.0), unknown=0.0)
    best = np.zeros(n)
    np.maximum.at(best, row, rank[listed.systemic][last])
    return np.where(best > 0, best, np.nan)


def _latest_end(ended: FloatArray, row: NDArray[np.int64], n: int) -> FloatArray:
    latest = np.full(n, np.inf)
    np.minimum.at(latest, row, np.where(np.isnan(ended), -np.inf, ended))
    return np.where(np.isfinite(latest), latest, np.nan)
