"""Some cases of a batch, as they would be had they been laid out alone; vectorised, for folds of a resampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.batch import UNKNOWN, Batch, Coded, Findings, Priors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from features.batch import IntArray


def rows_of(batch: Batch, rows: ArrayLike) -> Batch:
    """Return the cases of some rows, in the order asked for.

    Levels (texts, regimens, findings) are those the chosen cases have, in the order of their first appearance: the
    result is the batch that :func:`features.cohort_batch.batch_of_tables` makes of these cases, bit for bit.

    Parameters
    ----------
    rows
        Shape (k,): row numbers, each at most once.

    Examples
    --------
    >>> from features.case import read_case
    >>> from features.from_cases import batch_of
    >>> cases = [read_case({"histology": code, "therapy": {"class": "pd1_pdl1"}}) for code in ("LUAD", "MEL")]
    >>> rows_of(batch_of(cases), [1]).texts["histology"].levels
    ('MEL',)
    """
    chosen = np.asarray(rows, dtype=np.int64)
    new_row = np.full(batch.n, UNKNOWN, dtype=np.int64)
    new_row[chosen] = np.arange(len(chosen))
    return Batch(
        n=len(chosen),
        numbers={path: values[chosen] for path, values in batch.numbers.items()},
        texts={path: _texts(coded, chosen) for path, coded in batch.texts.items()},
        findings=_findings(batch.findings, new_row),
        findings_recorded=batch.findings_recorded[chosen],
        other_findings=_findings(batch.other_findings, new_row),
        priors=_priors(batch.priors, new_row, chosen),
    )


def _renumbered(codes: IntArray) -> tuple[IntArray, IntArray]:
    """Return codes counted anew in the order of their first appearance, and the old code of each; -1 stays."""
    old, first, place = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(np.where(old == UNKNOWN, len(codes), first), kind="stable")
    rank = np.empty(len(old), dtype=np.int64)
    rank[order] = np.arange(len(old))
    rank[old == UNKNOWN] = UNKNOWN
    return rank[place].astype(np.int64), old[order][old[order] != UNKNOWN]


def _texts(coded: Coded, places: IntArray) -> Coded:
    codes, old = _renumbered(coded.codes[places])
    return Coded(codes, tuple(coded.levels[code] for code in old.tolist()))


def _places(row: IntArray, new_row: IntArray) -> IntArray:
    """Return the entries of the chosen cases, those of a case together and in their order."""
    kept = np.flatnonzero(new_row[row] != UNKNOWN)
    return kept[np.argsort(new_row[row[kept]], kind="stable")]


def _findings(findings: Findings, new_row: IntArray) -> Findings:
    places = _places(findings.row, new_row)
    if not len(places):
        return Findings()
    codes, old = _renumbered(findings.codes[places])
    return Findings(
        new_row[findings.row[places]],
        codes,
        tuple(findings.levels[code] for code in old.tolist()),
        findings.vaf[places],
        findings.cancer_cell_fraction[places],
        findings.copies[places],
    )


def _priors(priors: Priors, new_row: IntArray, chosen: IntArray) -> Priors:
    places, recorded = _places(priors.row, new_row), priors.recorded[chosen]
    if not len(places):
        return Priors(recorded=recorded)
    return Priors(
        new_row[priors.row[places]],
        _texts(priors.regimen, places),
        priors.line[places],
        _texts(priors.setting, places),
        _texts(priors.best_response, places),
        priors.started_days[places],
        priors.ended_days[places],
        recorded,
    )
