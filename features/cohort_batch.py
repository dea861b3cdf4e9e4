"""From the tables of a cohort to a :class:`~features.batch.Batch`, vectorised: distinct values are looked at once.

The result equals :func:`features.from_cases.batch_of` on the same cases, bit for bit (a property test holds it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.batch import UNKNOWN, Batch, Coded, Findings, Priors
from features.case import Alteration
from features.flat import NUMBER_PATHS, TEXT_PATHS
from features.from_cases import LEVEL_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from features.batch import FloatArray, IntArray

_SPECIMEN_COLUMNS = {
    "specimen.source": "source",
    "assay.panel": "panel",
    "assay.genes_tested": "genes_tested",
}
_SPECIMEN_NUMBERS = {
    "specimen.days_before_index": "days_before_index",
    "specimen.tumor_purity": "tumor_purity",
}


def floats(column: pa.ChunkedArray | pa.Array) -> FloatArray:
    """Return a column as float64 with NaN for null; truth values become 1 and 0."""
    return np.asarray(
        pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
        if isinstance(column, pa.Array)
        else pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy(),
        dtype=np.float64,
    )


def coded(column: pa.ChunkedArray | pa.Array) -> Coded:
    """Return a text column as codes and levels; levels keep the order of their first appearance.

    Examples
    --------
    >>> coded(pa.array(["LUAD", None, "LUAD"])).codes.tolist()
    [0, -1, 0]
    """
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = whole.dictionary_encode()
    codes = pc.fill_null(encoded.indices.cast(pa.int64()), UNKNOWN).to_numpy(zero_copy_only=False)
    return Coded(np.asarray(codes, dtype=np.int64), tuple(encoded.dictionary.to_pylist()))


def _truths(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(column, False).to_numpy(), dtype=np.bool_)


def _rows(of: pa.Table, case_ids: pa.ChunkedArray) -> IntArray:
    """Return the row of the case that each row of a table belongs to."""
    found = pc.index_in(of.column("case_id"), value_set=case_ids.combine_chunks())
    return np.asarray(found.to_numpy(), dtype=np.int64)


def batch_of_tables(tables: Mapping[str, pa.Table]) -> Batch:
    """Lay the tables of a cohort out as a batch.

    Parameters
    ----------
    tables
        ``cases``, ``alterations``, ``specimens`` and ``prior_therapies``, as :mod:`features.cohort_columns` has them.
    """
    cases, specimens = tables["cases"], tables["specimens"]
    ids = cases.column("case_id")
    numbers = {path: floats(cases.column(path)) for path in NUMBER_PATHS}
    columns = {path: cases.column(path) for path in (*TEXT_PATHS, "therapy", "assay.genes_tested")}
    current = np.full(cases.num_rows, UNKNOWN, dtype=np.int64)
    if specimens.num_rows:
        place = _current_specimens(specimens, _rows(specimens, ids), cases.num_rows)
        current = _of_current(specimens.column("specimen"), place)
        columns |= _specimen_texts(columns, specimens, place)
        numbers |= _specimen_numbers(numbers, specimens, place)
    findings, others = _findings(tables["alterations"], ids, current)
    return Batch(
        n=cases.num_rows,
        numbers=numbers,
        texts={path: coded(column) for path, column in columns.items()},
        findings=findings,
        findings_recorded=_findings_recorded(cases, specimens, current, ids),
        other_findings=others,
        priors=_priors(tables["prior_therapies"], cases, ids),
    )


def _current_specimens(specimens: pa.Table, rows: IntArray, n: int) -> IntArray:
    """Return per case the row (of the specimens table) of the specimen that counts, -1 where it has none."""
    days = floats(specimens.column("days_before_index"))
    order = np.lexsort((np.arange(len(rows)), np.where(np.isnan(days), np.inf, days), rows))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = rows[order][1:] != rows[order][:-1]
    place = np.full(n, UNKNOWN, dtype=np.int64)
    place[rows[order][first]] = order[first]
    return place


def _of_current(column: pa.ChunkedArray, place: IntArray) -> IntArray:
    values = np.asarray(column.to_numpy(), dtype=np.int64)
    return np.where(place == UNKNOWN, UNKNOWN, values[place])


def _taken(column: pa.ChunkedArray, place: IntArray) -> pa.Array:
    return column.combine_chunks().take(pa.array(place, mask=place == UNKNOWN))


def _specimen_texts(
    columns: Mapping[str, pa.ChunkedArray], specimens: pa.Table, place: IntArray
) -> dict[str, pa.Array]:
    return {
        path: pc.coalesce(_taken(specimens.column(name), place), columns[path].combine_chunks())
        for path, name in _SPECIMEN_COLUMNS.items()
    }


def _specimen_numbers(numbers: Mapping[str, FloatArray], specimens: pa.Table, place: IntArray) -> dict[str, FloatArray]:
    found = {path: floats(_taken(specimens.column(name), place)) for path, name in _SPECIMEN_NUMBERS.items()}
    return {path: np.where(np.isnan(values), numbers[path], values) for path, values in found.items()}


def _findings_recorded(
    cases: pa.Table, specimens: pa.Table, current: IntArray, ids: pa.ChunkedArray
) -> NDArray[np.bool_]:
    recorded = _truths(cases.column("alterations_recorded"))
    if not specimens.num_rows:
        return recorded
    rows = _rows(specimens, ids)
    counts = np.asarray(specimens.column("specimen").to_numpy(), dtype=np.int64) == current[rows]
    found = recorded.copy()
    found[rows[counts]] = _truths(specimens.column("alterations_recorded"))[counts]
    return found


def _findings(alterations: pa.Table, ids: pa.ChunkedArray, current: IntArray) -> tuple[Findings, Findings]:
    if not alterations.num_rows:
        return Findings(), Findings()
    rows = _rows(alterations, ids)
    own = pc.fill_null(alterations.column("specimen"), UNKNOWN).to_numpy()
    counts = own == current[rows]
    return _laid_out(alterations, rows, counts), _laid_out(alterations, rows, ~counts)


def _laid_out(alterations: pa.Table, rows: IntArray, chosen: NDArray[np.bool_]) -> Findings:
    """Return the chosen rows, those of a case together, distinct findings once."""
    place = np.flatnonzero(chosen)
    if not len(place):
        return Findings()
    place = place[np.argsort(rows[place], kind="stable")]
    taken = alterations.take(pa.array(place))
    codes, first = _distinct(taken)
    levels = _levels(taken.select(LEVEL_FIELDS).take(pa.array(first)))
    measured = (floats(taken.column(name)) for name in ("vaf", "cancer_cell_fraction", "copies"))
    return Findings(rows[place], codes, levels, *measured)


_FIELDS_SET = set(LEVEL_FIELDS)
"""Shared by all levels: a set of its own would be a third of what each takes (a cohort has 100,000)."""


def _levels(rows: pa.Table) -> tuple[Alteration, ...]:
    """Return one alteration per row; equal texts are one object."""
    columns = []
    for name in LEVEL_FIELDS:
        encoded = rows.column(name).combine_chunks().dictionary_encode()
        values = (*encoded.dictionary.to_pylist(), None)
        places = pc.fill_null(encoded.indices.cast(pa.int64()), len(values) - 1).to_numpy(zero_copy_only=False)
        columns.append([values[place] for place in places.tolist()])
    return tuple(
        Alteration.model_construct(_fields_set=_FIELDS_SET, **dict(zip(LEVEL_FIELDS, row, strict=True)))
        for row in zip(*columns, strict=True)
    )


def _distinct(taken: pa.Table) -> tuple[IntArray, IntArray]:
    """Return each row's level and each level's first row, levels in the order of their first appearance."""
    key = np.zeros(taken.num_rows, dtype=np.int64)
    for name in LEVEL_FIELDS:
        column = taken.column(name)
        codes = coded(column if column.type == pa.string() else column.cast(pa.string()))
        combined = key * (len(codes.levels) + 1) + codes.codes + 1
        _, key = np.unique(combined, return_inverse=True)
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse].astype(np.int64), first[order].astype(np.int64)


def _priors(priors: pa.Table, cases: pa.Table, ids: pa.ChunkedArray) -> Priors:
    recorded = _truths(cases.column("prior_therapies_recorded"))
    if not priors.num_rows:
        return Priors(recorded=recorded)
    rows = _rows(priors, ids)
    order = np.argsort(rows, kind="stable")
    taken = priors.take(pa.array(order))
    arguments: dict[str, Any] = {
        "regimen": coded(taken.column("therapy")),
        "line": floats(taken.column("line")),
        "setting": coded(taken.column("setting")),
        "best_response": coded(taken.column("best_response")),
        "started_days": floats(taken.column("started_days_before_index")),
        "ended_days": floats(taken.column("ended_days_before_index")),
    }
    return Priors(row=rows[order], recorded=recorded, **arguments)
