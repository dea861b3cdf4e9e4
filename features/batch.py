"""Batch: the numpy columns that every builder reads; the one path for a single case and for a cohort.

A batch holds *distinct values once*: texts, regimens and findings are levels, and the cases hold codes into them, so
that anything expensive (resolving a regimen, reading a notation) is done once per level and gathered by code.
Unknown is NaN in numbers and -1 in codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from features.case import Alteration

Reading = TypeVar("Reading")

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

UNKNOWN = -1
"""Code of a text that is not known."""

MOST_KEPT = 128
"""Cases up to which a batch keeps what was read of it: a round of requests, whose every case is then put into words."""

_NO_FLOATS: FloatArray = np.empty(0, dtype=np.float64)
_NO_INTS: IntArray = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Coded:
    """A text column: ``codes[i]`` points into ``levels``; -1 is unknown."""

    codes: IntArray
    levels: tuple[str, ...]

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Coded:
        """Code a sequence of texts; levels keep the order of their first appearance.

        Examples
        --------
        >>> Coded.of(["LUAD", None, "LUAD"]).codes.tolist()
        [0, -1, 0]
        """
        seen: dict[str, int] = {}
        codes = [UNKNOWN if value is None else seen.setdefault(value, len(seen)) for value in values]
        return cls(np.array(codes, dtype=np.int64), tuple(seen))

    def gather(self, of_level: Callable[[str], float], unknown: float = np.nan) -> FloatArray:
        """Return one number per case: ``of_level`` is called once per level, unknown cases get ``unknown``."""
        return np.array([*map(of_level, self.levels), unknown], dtype=np.float64)[self.codes]

    def gather_rows(
        self, of_level: Callable[[str], Sequence[float]], width: int, unknown: float = np.nan
    ) -> FloatArray:
        """Return ``width`` numbers per case, shape (n, width); see :meth:`gather`."""
        rows = [*(of_level(level) for level in self.levels), [unknown] * width]
        return np.array(rows, dtype=np.float64)[self.codes]

    def texts(self) -> list[str | None]:
        """Return the texts, one per case, None where unknown."""
        table = (*self.levels, None)
        return [table[code] for code in self.codes.tolist()]

    def text(self, row: int) -> str | None:
        """Return the text of one case, None where unknown."""
        code = int(self.codes[row])
        return None if code == UNKNOWN else self.levels[code]

    def at(self, places: IntArray | slice) -> Coded:
        """Return some of the texts, with only those levels that they have."""
        found = self.codes[places].tolist()
        return Coded.of([None if code == UNKNOWN else self.levels[code] for code in found])


@dataclass(frozen=True, slots=True)
class Findings:
    """The alterations of all cases, one after another, those of a case together.

    Attributes
    ----------
    row
        Shape (m,): the case each finding belongs to, ascending.
    codes
        Shape (m,): index into ``levels``.
    levels
        Distinct findings, stripped of the three numbers below (they are per case).
    vaf, cancer_cell_fraction, copies
        Shape (m,), NaN where unknown. Fractions 0 to 1; total copies.
    """

    row: IntArray = field(default_factory=lambda: _NO_INTS)
    codes: IntArray = field(default_factory=lambda: _NO_INTS)
    levels: tuple[Alteration, ...] = ()
    vaf: FloatArray = field(default_factory=lambda: _NO_FLOATS)
    cancer_cell_fraction: FloatArray = field(default_factory=lambda: _NO_FLOATS)
    copies: FloatArray = field(default_factory=lambda: _NO_FLOATS)

    def levels_of(self, row: int) -> tuple[Alteration, ...]:
        """Return the distinct findings of one case, in the order of their first appearance."""
        first, last = np.searchsorted(self.row, (row, row + 1)).tolist()
        return tuple(self.levels[code] for code in dict.fromkeys(self.codes[first:last].tolist()))

    def only(self, row: int) -> Findings:
        """Return the findings of one case, as those of case 0."""
        here = slice(*np.searchsorted(self.row, [row, row + 1]).tolist())
        places: dict[int, int] = {}
        codes = [places.setdefault(code, len(places)) for code in self.codes[here].tolist()]
        return Findings(
            np.zeros(len(codes), dtype=np.int64),
            np.array(codes, dtype=np.int64),
            tuple(self.levels[code] for code in places),
            self.vaf[here],
            self.cancer_cell_fraction[here],
            self.copies[here],
        )


@dataclass(frozen=True, slots=True)
class Priors:
    """The regimens before the index date of all cases, one after another, those of a case together.

    ``regimen`` holds regimen keys (see :func:`regimen_key`); ``line`` and days are NaN where unknown; ``recorded`` is
    one flag per *case*: False means the list of prior therapies was not given, which is not the same as none.
    """

    row: IntArray = field(default_factory=lambda: _NO_INTS)
    regimen: Coded = field(default_factory=lambda: Coded(_NO_INTS, ()))
    line: FloatArray = field(default_factory=lambda: _NO_FLOATS)
    setting: Coded = field(default_factory=lambda: Coded(_NO_INTS, ()))
    best_response: Coded = field(default_factory=lambda: Coded(_NO_INTS, ()))
    started_days: FloatArray = field(default_factory=lambda: _NO_FLOATS)
    ended_days: FloatArray = field(default_factory=lambda: _NO_FLOATS)
    recorded: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))

    def only(self, row: int) -> Priors:
        """Return the regimens of one case, as those of case 0."""
        here = slice(*np.searchsorted(self.row, [row, row + 1]).tolist())
        return Priors(
            self.row[here] - row,
            self.regimen.at(here),
            self.line[here],
            self.setting.at(here),
            self.best_response.at(here),
            self.started_days[here],
            self.ended_days[here],
            self.recorded[row : row + 1],
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Cases as columns.

    Attributes
    ----------
    n
        Number of cases.
    numbers
        Dotted path of a field (``tmb.mut_per_mb``, ``patient.brain_metastases``) to float64 (n,); truth values are
        1, 0 and NaN. Every number and truth field of :class:`features.case.Case` is there.
    texts
        Dotted path to :class:`Coded`: ``histology``, ``stage``, ``assay.panel``, ``mmr.ihc``, ``patient.sex``, ...
        Three are derived: ``therapy`` (regimen keys), ``assay.genes_tested`` (symbols joined by ``|``, sorted) and
        ``case_id``.
    findings
        The alterations of the specimen that counts: the latest before the index date.
    findings_recorded
        Shape (n,): False means no list of alterations was given: unknown, not wild-type.
    other_findings
        Those of the other specimens, for disagreement; ``row`` as in ``findings``.
    priors
        Regimens before the index date.
    read
        What :meth:`reading` keeps; not part of what the batch is.
    """

    n: int
    numbers: Mapping[str, FloatArray]
    texts: Mapping[str, Coded]
    findings: Findings
    findings_recorded: NDArray[np.bool_]
    other_findings: Findings
    priors: Priors
    read: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def reading(self, what: str, make: Callable[[Batch], Reading]) -> Reading:
        """Return what is read of the cases; a small batch keeps it, for it is served, shown and warned about.

        A batch never changes, so a reading cannot grow stale; a changed copy starts without any. Batches of more than
        :data:`MOST_KEPT` cases keep nothing.

        Examples
        --------
        >>> from features.case import read_case
        >>> from features.from_cases import batch_of
        >>> batch = batch_of([read_case({"histology": "LUAD", "therapy": {"class": "pd1_pdl1"}})])
        >>> batch.reading("cases", lambda one: one.n), batch.reading("cases", lambda one: 2 * one.n)
        (1, 1)
        """
        if self.n > MOST_KEPT:
            return make(self)
        if what not in self.read:
            self.read[what] = make(self)
        found: Reading = self.read[what]
        return found

    def near(self, row: int) -> tuple[Batch, int]:
        """Return a small batch that holds a case, and the case's row there: this one, or that of the case alone.

        What is read of a small batch is kept, and costs little for each of its cases; of a large one it would be read
        anew for every case that is shown.
        """
        return (self, row) if self.n <= MOST_KEPT else (self.only(row), 0)

    def only(self, row: int) -> Batch:
        """Return the batch of one case: what it would be had that case been laid out alone."""
        if self.n == 1:
            return self
        here = slice(row, row + 1)
        return Batch(
            n=1,
            numbers={path: values[here] for path, values in self.numbers.items()},
            texts={path: coded.at(here) for path, coded in self.texts.items()},
            findings=self.findings.only(row),
            findings_recorded=self.findings_recorded[here],
            other_findings=self.other_findings.only(row),
            priors=self.priors.only(row),
        )


def regimen_key(agents: Iterable[str] | None, regimen_class: str | None) -> str:
    """Return the one text that stands for a regimen: agents sorted and joined, or ``class:`` and the class.

    Examples
    --------
    >>> regimen_key(("trametinib", "dabrafenib"), None)
    'dabrafenib+trametinib'
    >>> regimen_key(None, "pd1_pdl1")
    'class:pd1_pdl1'
    """
    return f"class:{regimen_class}" if agents is None else "+".join(sorted(set(agents)))
