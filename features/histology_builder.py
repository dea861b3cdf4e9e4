"""Histology as columns: one per code or ancestor with enough training cases, all of them one feature.

The columns are nested: a lung adenocarcinoma has 1 in ``LUAD``, ``NSCLC`` and ``LUNG`` as far as each exists. Ridge on
nested columns is partial pooling: a code with few cases is drawn towards its parents, a code without a column *is*
its parents.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from features import histology
from features.contract import Column, Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, Coded, FloatArray
    from features.contract import Group

LEAST_CASES = 20
"""Training cases below which a level has no column of its own: with 20 cases a response rate near 0.25 has a standard
error of 0.1, and reports show no subgroup that is smaller."""

CHANGE_SOURCE = "PMID 21430269"
"""Sequist 2011: small-cell transformation as a route of resistance to EGFR inhibitors."""


@dataclass(frozen=True)
class HistologyBuilder:
    """Histology and whether it changed since diagnosis.

    Assumption: what is known of a code's parents holds for the code, more or less. Histology is never missing.
    A code that was not seen at fit falls to its ancestors' columns and is warned about.

    Attributes
    ----------
    least_cases
        Training cases a level needs for a column.
    levels
        Codes with a column, sorted; empty before ``fit``.
    cases
        Training cases by code and ancestor, all of them: what applicability asks.
    """

    name: ClassVar[str] = "histology"
    group: ClassVar[Group] = "histology"

    least_cases: int = LEAST_CASES
    levels: tuple[str, ...] = ()
    cases: Mapping[str, int] = field(default_factory=dict)

    def fit(self, batch: Batch) -> Self:
        """Return the builder with the levels of these training cases.

        A level that holds the same cases as its parent gives way to the parent; one that holds all cases tells
        nothing and has no column.
        """
        cases = _cases_by_level(batch.texts["histology"])
        enough = {code for code, n in cases.items() if self.least_cases <= n < batch.n}
        same_as_parent = {code for code in enough if cases.get(histology.row(code).parent) == cases[code]}
        return type(self)(self.least_cases, tuple(sorted(enough - same_as_parent)), dict(sorted(cases.items())))

    @cached_property
    def _columns(self) -> tuple[Column, ...]:
        nested = [Column(f"histology_{code}", "histology", "histology") for code in self.levels]
        changed = Column(
            "histology_changed",
            "histology_changed",
            "histology",
            expected_sign=-1,
            sign_source=CHANGE_SOURCE,
            families=("targeted",),
        )
        return (*nested, changed)

    def columns(self) -> tuple[Column, ...]:
        """Return one column per level, then the change since diagnosis."""
        return self._columns

    @cached_property
    def _rows(self) -> dict[str, tuple[float, ...]]:
        return {}

    def _row(self, code: str) -> tuple[float, ...]:
        row = self._rows.get(code)
        if row is None:
            ancestry = histology.lineage(code)
            row = self._rows[code] = tuple(float(level in ancestry) for level in self.levels)
        return row

    def build(self, batch: Batch) -> FloatArray:
        """Return 0/1 columns, shape (n, levels + 1); never NaN."""
        block = np.zeros((batch.n, len(self.levels) + 1))
        if self.levels:
            block[:, :-1] = batch.texts["histology"].gather_rows(self._row, len(self.levels), unknown=0.0)
        before = batch.texts["histology_at_diagnosis"]
        if before.levels:
            block[:, -1] = _differs(batch.texts["histology"], before)
        return block

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return the histology with the levels it counts as, and the change since diagnosis."""
        code = _text(batch.texts["histology"], row)
        known = self._levels_of(code)
        counted = (f"counted as {', '.join(known)}",) if known else ()
        unknown = () if known or not self.cases else ("no level of it has enough training cases",)
        before = _text(batch.texts["histology_at_diagnosis"], row)
        changed = bool(before) and before != code
        change = f"change from {_named(before)} at diagnosis" if changed else "no change of histology recorded"
        return (
            Shown("histology", "histology", code or None, "", _named(code), (*_sources(code), *counted), unknown),
            Shown("histology_changed", "histology", changed, "", change, (CHANGE_SOURCE,) if changed else ()),
        )

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:
        """Warn when a code has no column of its own and when it changed since diagnosis."""
        code = _text(batch.texts["histology"], row)
        found = []
        if self.cases and self.cases.get(code, 0) < self.least_cases:
            known = ", ".join(self._levels_of(code))
            counted = f"counted as {known}" if known else "tissue too rare as well, histology says nothing"
            found.append(f"histology_sparse: {code} has {self.cases.get(code, 0)} training cases; {counted}")
        before = _text(batch.texts["histology_at_diagnosis"], row)
        if before and before != code:
            found.append(f"histology_changed: {before} at diagnosis, {code} now")
        return found

    def _levels_of(self, code: str) -> tuple[str, ...]:
        return tuple(level for level in histology.lineage(code) if level in self.levels) if code else ()

    def parameters(self) -> dict[str, Any]:
        """Return the threshold, the levels and the training cases by level."""
        return {"least_cases": self.least_cases, "levels": list(self.levels), "cases": dict(self.cases)}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Return the builder that :meth:`parameters` came from."""
        return cls(parameters["least_cases"], tuple(parameters["levels"]), dict(parameters["cases"]))


def _cases_by_level(coded: Coded) -> Counter[str]:
    """Count cases by code and by every ancestor."""
    found: Counter[str] = Counter()
    by_code = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.levels)).tolist()
    for code, n in zip(coded.levels, by_code, strict=True):
        if n:
            found.update(dict.fromkeys(histology.lineage(code), n))
    return found


def _differs(now: Coded, before: Coded) -> FloatArray:
    """Return 1 where both are known and differ; levels of the two columns are not the same codes."""
    place = {code: i for i, code in enumerate(now.levels)}
    same_codes = before.gather(lambda code: place.get(code, len(place)))
    return np.asarray((before.codes >= 0) & (now.codes >= 0) & (same_codes != now.codes), dtype=np.float64)


def _text(coded: Coded, row: int) -> str:
    place = int(coded.codes[row])
    return coded.levels[place] if place >= 0 else ""


def _named(code: str) -> str:
    return f"{histology.row(code).name} ({code})" if code else "histology not known"


def _sources(code: str) -> tuple[str, ...]:
    return (f"histologies.csv:{code}",) if code else ()
