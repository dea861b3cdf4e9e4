"""From cases to a :class:`~features.batch.Batch`: which specimen counts, and cases laid out as columns.

Of several specimens the latest before the index date counts (smallest ``days_before_index``; one without a date is
taken last, ties in the order given); the findings of the others are kept beside it, for disagreement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from features.batch import Batch, Coded, Findings, Priors, regimen_key
from features.flat import NUMBER_PATHS, TEXT_PATHS, flatten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from features.batch import FloatArray
    from features.case import Alteration, Assay, Case, PriorTherapy, SpecimenFindings

DERIVED_TEXTS = ("therapy", "assay.genes_tested")
"""Text columns of a batch that are not scalar fields of a case."""

_NUMBER_ROW = {path: place for place, path in enumerate(NUMBER_PATHS)}
_ALL_TEXTS = (*TEXT_PATHS, *DERIVED_TEXTS)
LEVEL_FIELDS = (
    "gene",
    "kind",
    "status",
    "protein_change",
    "cdna_change",
    "variant_classification",
    "exon",
    "partner",
    "level",
    "origin",
)
"""What makes two findings one level; cohorts and cases must agree on it, so it stands here alone."""


@dataclass(frozen=True, slots=True)
class CaseRows:
    """One case taken apart: scalars by dotted path, and its lists.

    ``findings`` is None when no list of alterations was given (unknown, not wild-type); ``others`` are the findings
    of the specimens that do not count; ``priors`` is None when no list of prior therapies was given.
    """

    scalars: dict[str, Any]
    findings: tuple[Alteration, ...] | None
    others: tuple[Alteration, ...]
    priors: tuple[PriorTherapy, ...] | None


def latest(specimens: Sequence[SpecimenFindings]) -> int:
    """Return the place of the specimen that counts: the latest before the index date."""
    ages = [math.inf if s.days_before_index is None else s.days_before_index for s in specimens]
    return ages.index(min(ages))


def rows_of(case: Case) -> CaseRows:
    """Take a case apart into scalars and lists; see :class:`CaseRows`."""
    scalars = flatten(case)
    findings, assay = case.alterations, case.assay
    others: tuple[Alteration, ...] = ()
    if case.specimens:
        place = latest(case.specimens)
        current = case.specimens[place]
        findings, assay = current.alterations, current.assay
        others = tuple(a for i, s in enumerate(case.specimens) if i != place for a in s.alterations or ())
        scalars.update(_specimen_scalars(current, assay))
    scalars["therapy"] = regimen_key(case.therapy.agents, case.therapy.regimen_class)
    if assay is not None and assay.genes_tested is not None:
        scalars["assay.genes_tested"] = "|".join(sorted(set(assay.genes_tested)))
    return CaseRows(scalars, findings, others, case.prior_therapies)


def _specimen_scalars(specimen: SpecimenFindings, assay: Assay | None) -> dict[str, Any]:
    found = {
        "specimen.source": specimen.source,
        "specimen.days_before_index": specimen.days_before_index,
        "specimen.tumor_purity": specimen.tumor_purity,
        "assay.panel": None if assay is None else assay.panel,
    }
    return {path: value for path, value in found.items() if value is not None}


def batch_of(cases: Sequence[Case]) -> Batch:
    """Lay cases out as a batch, in their order.

    Examples
    --------
    >>> from features.case import read_case
    >>> batch = batch_of([read_case({"histology": "LUAD", "prior_lines": 2, "therapy": {"class": "pd1_pdl1"}})])
    >>> batch.n, float(batch.numbers["prior_lines"][0]), batch.texts["therapy"].levels
    (1, 2.0, ('class:pd1_pdl1',))
    """
    rows = [rows_of(case) for case in cases]
    return Batch(
        n=len(rows),
        numbers=_numbers(rows),
        texts=_texts(rows),
        findings=findings_of([row.findings or () for row in rows]),
        findings_recorded=np.array([row.findings is not None for row in rows], dtype=np.bool_),
        other_findings=findings_of([row.others for row in rows]),
        priors=priors_of([row.priors for row in rows]),
    )


def _numbers(rows: Sequence[CaseRows]) -> dict[str, FloatArray]:
    grid = np.full((len(NUMBER_PATHS), len(rows)), np.nan)
    for i, row in enumerate(rows):
        for path, value in row.scalars.items():
            place = _NUMBER_ROW.get(path)
            if place is not None:
                grid[place, i] = value
    return dict(zip(NUMBER_PATHS, grid, strict=True))


_FIRST, _NONE = Coded.of(["-"]).codes, Coded.of([None])


def _texts(rows: Sequence[CaseRows]) -> dict[str, Coded]:
    if len(rows) == 1:  # the same result without a list per column: this is every request's path
        known = rows[0].scalars
        return {path: Coded(_FIRST, (known[path],)) if path in known else _NONE for path in _ALL_TEXTS}
    return {path: Coded.of([row.scalars.get(path) for row in rows]) for path in _ALL_TEXTS}


_key_of, _measured_of = itemgetter(*LEVEL_FIELDS), itemgetter("vaf", "cancer_cell_fraction", "copies")


def finding_key(alteration: Alteration) -> tuple[Any, ...]:
    """Return what makes two findings the same level: all but allele fraction, clonality and copies."""
    key: tuple[Any, ...] = _key_of(alteration.__dict__)
    return key


def findings_of(per_case: Sequence[Iterable[Alteration]]) -> Findings:
    """Lay the alterations of several cases out one after another, distinct findings once."""
    levels: dict[tuple[Any, ...], int] = {}
    first: list[Alteration] = []
    rows: list[int] = []
    codes: list[int] = []
    measured: list[float | None] = []
    for row, alterations in enumerate(per_case):
        for alteration in alterations:
            values = alteration.__dict__
            code = levels.setdefault(_key_of(values), len(levels))
            if code == len(first):
                first.append(alteration)
            rows.append(row)
            codes.append(code)
            measured.extend(_measured_of(values))
    if not rows:
        return Findings()
    numbers = np.array(measured, dtype=np.float64).reshape(-1, 3).T
    return Findings(np.array(rows, dtype=np.int64), np.array(codes, dtype=np.int64), tuple(first), *numbers)


def priors_of(per_case: Sequence[Sequence[PriorTherapy] | None]) -> Priors:
    """Lay the prior therapies of several cases out one after another."""
    recorded = np.array([priors is not None for priors in per_case], dtype=np.bool_)
    flat = [(row, prior) for row, priors in enumerate(per_case) for prior in priors or ()]
    if not flat:
        return Priors(recorded=recorded)
    numbers = np.array(
        [(p.line, p.started_days_before_index, p.ended_days_before_index) for _, p in flat], dtype=np.float64
    )
    return Priors(
        row=np.array([row for row, _ in flat], dtype=np.int64),
        regimen=Coded.of([regimen_key(p.agents, p.regimen_class) for _, p in flat]),
        line=numbers[:, 0],
        setting=Coded.of([p.setting for _, p in flat]),
        best_response=Coded.of([p.best_response for _, p in flat]),
        started_days=numbers[:, 1],
        ended_days=numbers[:, 2],
        recorded=recorded,
    )
