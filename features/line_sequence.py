"""Dated regimens of many cases walked through in time at once, counting the lines each case went through.

The rules are 3c and 3d of :mod:`features.line_derivation`. :func:`lines_of_one` says them for one case. In a cohort all
cases take their first event together, then their second, and so on, so that the work is one pass per event of the
longest history, not one per case; a test holds the two to the same number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from features.agents import agents
from features.regimens import regimen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from features.batch import FloatArray, IntArray, Priors

REGIMEN_WINDOW_DAYS = 28.0
"""Days from the start of a line within which drugs belong to it. Convention of line-of-therapy algorithms."""

GAP_DAYS = 90.0
"""Days without treatment after which the same drugs are a new line. Convention of line-of-therapy algorithms."""

FEW_REGIMENS = 32
"""Up to this many dated regimens are walked through case by case, which is then the faster way."""

_WORD = 64
_PROGRESSION = "PD"


class Started(NamedTuple):
    """One dated regimen; ``ended`` is minus infinity where the end is not recorded. Days before the index date."""

    started: float
    ended: float
    drugs: frozenset[str]
    progressed: bool


def lines_of_one(history: Iterable[Started]) -> int:
    """Return the number of lines of one case.

    Examples
    --------
    >>> first = Started(400, 200, frozenset({"carboplatin", "pemetrexed"}), False)
    >>> maintenance = Started(195, 150, frozenset({"pemetrexed"}), False)
    >>> lines_of_one([first, maintenance]), lines_of_one([first, maintenance._replace(started=100, ended=20)])
    (1, 2)
    """
    lines, line = 0, Started(0.0, 0.0, frozenset(), False)
    for event in _joined(history):
        apart = line.started - event.started > REGIMEN_WINDOW_DAYS
        another = not event.drugs <= line.drugs or line.ended - event.started >= GAP_DAYS or line.progressed
        if not lines or (apart and another):
            lines, line = lines + 1, event
        else:
            line = Started(
                line.started,
                min(line.ended, event.ended),
                line.drugs | event.drugs,
                line.progressed or event.progressed,
            )
    return lines


def _joined(history: Iterable[Started]) -> list[Started]:
    """Return the regimens in time, those that started on one day joined, so that the order given never matters."""
    days: dict[float, Started] = {}
    for one in history:
        other = days.get(one.started, one)
        days[one.started] = Started(
            one.started, min(one.ended, other.ended), one.drugs | other.drugs, one.progressed or other.progressed
        )
    return [days[day] for day in sorted(days, reverse=True)]


@dataclass(frozen=True, slots=True)
class _Events:
    """What started on one day in one case, cases together, earliest first.

    ``drugs`` has one bit per drug of the batch; ``ended`` is minus infinity where an end is not recorded.
    """

    row: IntArray
    started: FloatArray
    ended: FloatArray
    drugs: NDArray[np.uint64]
    progressed: NDArray[np.bool_]

    def in_step(self) -> Iterator[IntArray]:
        """Yield the places of all first events, then of all second events, and so on."""
        first = np.flatnonzero(np.diff(self.row, prepend=-1))
        place = np.arange(self.row.size) - np.repeat(first, np.diff(np.append(first, self.row.size)))
        order = np.argsort(place, kind="stable")
        yield from np.split(order, np.cumsum(np.bincount(place))[:-1])


def lines_of_dated(priors: Priors, use: NDArray[np.bool_], n: int) -> FloatArray:
    """Return the number of lines of each case.

    Parameters
    ----------
    priors
        Listed regimens of n cases; all in use have a start.
    use
        Shape (m,): which of them to count.
    n
        Number of cases.

    Returns
    -------
    number
        Shape (n,): lines; 0 for cases none of whose regimens is in use.
    """
    if np.count_nonzero(use) <= FEW_REGIMENS:
        return _case_by_case(priors, use, n)
    return _all_in_step(_events(priors, use), n)


def _case_by_case(priors: Priors, use: NDArray[np.bool_], n: int) -> FloatArray:
    histories: dict[int, list[Started]] = {}
    for place in np.flatnonzero(use).tolist():
        response, ended = int(priors.best_response.codes[place]), float(priors.ended_days[place])
        regimen_level = priors.regimen.levels[int(priors.regimen.codes[place])]
        event = Started(
            float(priors.started_days[place]),
            -math.inf if math.isnan(ended) else ended,
            _drugs(regimen_level),
            response >= 0 and priors.best_response.levels[response] == _PROGRESSION,
        )
        histories.setdefault(int(priors.row[place]), []).append(event)
    number = np.zeros(n)
    for row, history in histories.items():
        number[row] = lines_of_one(history)
    return number


def _all_in_step(events: _Events, n: int) -> FloatArray:
    number, started, ended = np.zeros(n), np.zeros(n), np.zeros(n)
    drugs = np.zeros((n, events.drugs.shape[1]), dtype=np.uint64)
    progressed = np.zeros(n, dtype=np.bool_)
    for step, at in enumerate(events.in_step()):
        case, start = events.row[at], events.started[at]
        added = (events.drugs[at] & ~drugs[case]).any(axis=1)
        gap = ended[case] - start >= GAP_DAYS
        apart = started[case] - start > REGIMEN_WINDOW_DAYS
        new = apart & (added | gap | progressed[case]) if step else np.ones(at.size, dtype=np.bool_)
        number[case] += new
        started[case] = np.where(new, start, started[case])
        ended[case] = np.where(new, events.ended[at], np.minimum(ended[case], events.ended[at]))
        drugs[case] = np.where(new[:, None], events.drugs[at], drugs[case] | events.drugs[at])
        progressed[case] = events.progressed[at] | (progressed[case] & ~new)
    return number


def _events(priors: Priors, use: NDArray[np.bool_]) -> _Events:
    """Join what started on the same day, so that the order of the list never matters."""
    row, started = priors.row[use], priors.started_days[use]
    order = np.lexsort((-started, row))
    row, started = row[order], started[order]
    first = np.flatnonzero((np.diff(row, prepend=-1) != 0) | (np.diff(started, prepend=np.inf) != 0))
    ended = priors.ended_days[use][order]
    progressed = priors.best_response.gather(lambda level: float(level == _PROGRESSION), unknown=0.0) > 0
    return _Events(
        row[first],
        started[first],
        np.minimum.reduceat(np.where(np.isnan(ended), -np.inf, ended), first),
        np.bitwise_or.reduceat(_drug_bits(priors.regimen.levels)[priors.regimen.codes[use][order]], first, axis=0),
        np.logical_or.reduceat(progressed[use][order], first),
    )


def _drug_bits(levels: tuple[str, ...]) -> NDArray[np.uint64]:
    """Return one bit per drug for every regimen level, shape (levels, words)."""
    places: dict[str, int] = {}
    for level in levels:
        for drug in sorted(_drugs(level)):
            places.setdefault(drug, len(places))
    bits = np.zeros((len(levels), len(places) // _WORD + 1), dtype=np.uint64)
    for i, level in enumerate(levels):
        for drug in _drugs(level):
            word, bit = divmod(places[drug], _WORD)
            bits[i, word] |= np.uint64(1 << bit)
    return bits


@lru_cache(maxsize=16_384)
def _drugs(key: str) -> frozenset[str]:
    """Return the cancer drugs of a regimen; a regimen known by its class stands for one drug of its own."""
    facts = regimen(key)
    return frozenset(name for name in facts.agents if agents()[name].systemic) if facts.agents else frozenset({key})
