"""Probable same patients between the cohorts of one pool: kept in one fold, left out before their twin is scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.overlap import overlap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from features.overlap import Overlap
    from training.pool import Pool


@dataclass(frozen=True)
class Twins:
    """Pairs of rows of a pool that are probably one patient recorded by two cohorts, and what was found in words."""

    pairs: tuple[tuple[int, int], ...]
    sentences: tuple[str, ...]

    def of(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return the rows outside ``rows`` that are probably the same patients, sorted.

        Examples
        --------
        >>> Twins(((0, 5), (1, 6)), ()).of(np.array([5, 7])).tolist()
        [0]
        """
        inside = set(np.asarray(rows).tolist())
        either = [pair for one in self.pairs for pair in (one, one[::-1])]
        return np.array(sorted({a for a, b in either if b in inside and a not in inside}), dtype=np.int64)

    def groups(self, patients: Sequence[str]) -> NDArray[Any]:
        """Return one id per case under which twins count as one patient; the first row's id stands for all.

        Examples
        --------
        >>> Twins(((0, 2),), ()).groups(["a", "b", "c", "c"]).tolist()
        ['a', 'b', 'a', 'a']
        """
        leader = {patient: patient for patient in patients}

        def first(patient: str) -> str:
            while leader[patient] != patient:
                patient = leader[patient]
            return patient

        for a, b in self.pairs:
            leader[first(patients[b])] = first(patients[a])
        return np.array([first(patient) for patient in patients], dtype=np.str_)


def twins_between_cohorts(pool: Pool) -> Twins:
    """Compare every two cohorts of a pool; pairs count only where there are more of them than chance explains.

    Some of the pairs are chance all the same (``expected`` in the sentence): leaving a few more out is the safe side.
    """
    pairs: list[tuple[int, int]] = []
    sentences = []
    rows = {name: np.flatnonzero(pool.source == name) for name in np.unique(pool.source).tolist()}
    parts = {name: pool.take(held).cohort for name, held in rows.items()}
    names = sorted(rows)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            found = overlap(parts[one], parts[other])
            if found.probable:
                pairs += _places(found, parts[one].case_ids, rows[one], parts[other].case_ids, rows[other])
                sentences.append(_sentence(found, one, other))
    return Twins(tuple(pairs), tuple(sentences))


def _places(
    found: Overlap, ours: list[str], our_rows: NDArray[Any], theirs: list[str], their_rows: NDArray[Any]
) -> list[tuple[int, int]]:
    here = dict(zip(ours, our_rows.tolist(), strict=True))
    there = dict(zip(theirs, their_rows.tolist(), strict=True))
    return [(here[pair.case], there[pair.against]) for pair in found.pairs]


def _sentence(found: Overlap, one: str, other: str) -> str:
    return (
        f"{one} and {other}: {found.matched} of {found.cases} cases of the first agree in {', '.join(found.fields)} "
        f"({found.expected:.1f} expected by chance); they count as the same patients."
    )
