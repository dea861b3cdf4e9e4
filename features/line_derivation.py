"""Lines of systemic therapy before the index date: stated, or derived from a list of dated regimens.

mCODE has no element for a line of therapy, so a number is often derived. The rules, in order of precedence:

1. ``prior_lines``, when the case gives it.
2. The highest ``line`` among the listed regimens, when any of them states one.
3. Derived from the list, and marked as derived:

   a. Drugs that treat no cancer (folinic acid, growth factors) are no regimen.
   b. A regimen of unknown setting counts as metastatic. One metastatic regimen is one line, dated or not; two or more
      need their start dates, or the number stays unknown.
   c. What starts within 28 days of the start of a line belongs to that line.
   d. Later, a new line begins with an agent that the line did not have, with a gap of 90 days or more since the line
      ended, or after the line was recorded as progression. Otherwise it goes on (maintenance, a stopped partner). An
      end that is not recorded makes no gap.
   e. Neoadjuvant, adjuvant and locally advanced treatment is no line of the metastatic setting, unless it ended less
      than 183 days before the first metastatic regimen (or the index date): then all of it together is one line.

4. Unknown. ``prior_systemic_therapy`` never implies a number, in either direction.

Sources: the window, the new agent and the gap are the convention of line-of-therapy algorithms on health records (28
days; 90 to 120 days); 183 days is how registration trials count a relapse on or soon after perioperative treatment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from features.line_sequence import lines_of_dated
from features.regimens import regimen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.batch import Batch, FloatArray, IntArray, Priors

CURATIVE_RELAPSE_DAYS = 183.0
"""Days (six months) after curative-intent treatment within which a relapse makes it count as a line."""

CURATIVE_SETTINGS = frozenset({"neoadjuvant", "adjuvant", "locally_advanced"})

UNKNOWN_SOURCE, GIVEN, STATED, DERIVED = range(4)
SOURCES = ("unknown", "given", "stated", "derived")
"""Where a number of lines came from: the case's own number, the lines stated in its list, or the rules above."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Systemic lines in the metastatic setting before the index date.

    Attributes
    ----------
    number
        Shape (n,): lines, not capped; NaN where unknown.
    source
        Shape (n,): index into :data:`SOURCES`.
    """

    number: FloatArray
    source: IntArray


@dataclass(frozen=True, slots=True)
class Counted:
    """The listed regimens, as the rules see them: one flag per listed regimen, one number per case."""

    systemic: NDArray[np.bool_]
    metastatic: NDArray[np.bool_]
    systemic_of_case: IntArray
    metastatic_of_case: IntArray


def counted(priors: Priors, n: int) -> Counted:
    """Tell which listed regimens are systemic cancer therapy, and which of them count as metastatic."""
    systemic = priors.regimen.gather(_systemic) > 0
    metastatic = systemic & (priors.setting.gather(_metastatic, unknown=1.0) > 0) if priors.setting.levels else systemic
    return Counted(
        systemic,
        metastatic,
        np.bincount(priors.row[systemic], minlength=n),
        np.bincount(priors.row[metastatic], minlength=n),
    )


@lru_cache(maxsize=16_384)
def _systemic(key: str) -> float:
    return float(regimen(key).systemic)


def _metastatic(setting: str) -> float:
    return float(setting not in CURATIVE_SETTINGS)


def lines_before(batch: Batch, listed: Counted, complete: NDArray[np.bool_]) -> Lines:
    """Return the number of lines of every case and where it came from.

    Parameters
    ----------
    batch
        The cases.
    listed
        What :func:`counted` says of their listed regimens.
    complete
        Shape (n,): the list of prior therapies was given and nothing else in the case says that it is short.
    """
    given = batch.numbers["prior_lines"]
    number, source = given.copy(), np.where(np.isnan(given), UNKNOWN_SOURCE, GIVEN)
    if batch.priors.row.size and np.isnan(given).any():
        stated = stated_lines(batch.priors, listed, batch.n)
        fill = (source == UNKNOWN_SOURCE) & ~np.isnan(stated)
        number[fill], source[fill] = stated[fill], STATED
    missing = (source == UNKNOWN_SOURCE) & complete
    if missing.any():
        derived = derived_lines(batch.priors, listed, missing)
        fill = missing & ~np.isnan(derived)
        number[fill], source[fill] = derived[fill], DERIVED
    return Lines(number, source)


def stated_lines(priors: Priors, listed: Counted, n: int) -> FloatArray:
    """Return the highest stated line of the metastatic regimens, NaN where none is stated."""
    use = listed.metastatic & ~np.isnan(priors.line)
    highest = np.zeros(n)
    np.maximum.at(highest, priors.row[use], priors.line[use])
    return np.where(highest > 0, highest, np.nan)


def derived_lines(priors: Priors, listed: Counted, wanted: NDArray[np.bool_]) -> FloatArray:
    """Return the derived number of lines, rules 3a to 3e.

    Parameters
    ----------
    priors
        Listed regimens of n cases.
    listed
        What :func:`counted` says of them.
    wanted
        Shape (n,): cases to derive; the others are NaN.

    Returns
    -------
    number
        Shape (n,); NaN where two or more metastatic regimens are listed and a start is not recorded.
    """
    number = np.where(wanted, np.minimum(listed.metastatic_of_case, 1).astype(np.float64), np.nan)
    several = wanted & (listed.metastatic_of_case > 1)
    if several.any():
        undated = np.zeros(wanted.size, dtype=np.bool_)
        undated[priors.row[listed.metastatic & np.isnan(priors.started_days)]] = True
        number[several & undated] = np.nan
        dated = several & ~undated
        number[dated] = lines_of_dated(priors, listed.metastatic & dated[priors.row], wanted.size)[dated]
    return number + _curative_line(priors, listed, wanted.size)


def _curative_line(priors: Priors, listed: Counted, n: int) -> FloatArray:
    """Return 1 where curative-intent treatment counts as a line (rule 3e), else 0."""
    curative = listed.systemic & ~listed.metastatic
    if not curative.any():
        return np.zeros(n)
    ended, follows = np.full(n, np.inf), np.zeros(n)
    np.minimum.at(ended, priors.row[curative], _known(priors.ended_days[curative], np.inf))
    np.maximum.at(follows, priors.row[listed.metastatic], _known(priors.started_days[listed.metastatic], np.inf))
    counts = (follows <= ended) & (ended < follows + CURATIVE_RELAPSE_DAYS)
    return counts.astype(np.float64)


def _known(days: FloatArray, instead: float) -> FloatArray:
    return np.where(np.isnan(days), instead, days)
