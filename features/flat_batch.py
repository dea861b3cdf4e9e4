"""Flat rows (an Arrow table, one row per case) as batches: the door of bulk scoring and of training beyond memory.

Columns are those of :mod:`features.flat_rows`. What the record's own rules vouch for is laid out by column, each
distinct text, regimen and finding looked at once; every other row is read by :func:`features.case.read_case`, which
takes it or refuses it with its reasons. So a table gives one batch of rows that were certainly good, another of rows
that were read one by one, and the refusals; the two paths hold the same bits (property tests).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.batch import UNKNOWN, Batch, Coded, Findings
from features.case import Case, read_case
from features.errors import InvalidCase
from features.flat import NUMBER_PATHS, TEXT_PATHS
from features.flat_lists import (
    findings_of_lists,
    free_texts,
    joined_texts,
    key_of_tested,
    known,
    numbers_of,
    priors_of_lists,
    regimens_of,
    texts_of,
)
from features.flat_rows import case_of_row
from features.flat_rules import rules_of
from features.from_cases import batch_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from features.batch import IntArray

    BoolArray = NDArray[np.bool_]

LISTS = ("therapy.agents", "therapy.class", "alterations", "prior_therapies", "specimens", "assay.genes_tested")
COLUMNS = (*NUMBER_PATHS, *TEXT_PATHS, *LISTS)
"""Every column of a flat table."""


@dataclass(frozen=True)
class Part:
    """Some rows of a table, ascending, as a batch."""

    rows: IntArray
    batch: Batch


@dataclass(frozen=True)
class FlatBatch:
    """A table of flat rows as it was read.

    Attributes
    ----------
    n
        Rows.
    parts
        Batches that hold every row that is a case, once.
    refused
        Row to why it is none.
    case_ids
        Per row; None where there is none or the row was refused.
    """

    n: int
    parts: tuple[Part, ...]
    refused: Mapping[int, InvalidCase]
    case_ids: list[str | None]


@dataclass(frozen=True)
class _Laid:
    batch: Batch
    good: BoolArray


def read_flat(table: pa.Table) -> FlatBatch:
    """Read a table of flat rows.

    Examples
    --------
    >>> rows = [{"case_id": "a", "histology": "LUAD", "therapy.class": "pd1_pdl1", "patient.age_years": 63},
    ...         {"case_id": "b", "histology": "LUAD", "therapy.class": "pd1_pdl1", "patient.age_years": 630}]
    >>> found = read_flat(pa.Table.from_pylist(rows))
    >>> found.parts[0].rows.tolist(), [str(refusal.problems[0].field) for refusal in found.refused.values()]
    ([0], ['patient.age_years'])
    """
    laid = laid_out(table)
    if laid.good.all():
        rows = np.arange(table.num_rows)
        return FlatBatch(table.num_rows, (Part(rows, laid.batch),), {}, laid.batch.texts["case_id"].texts())
    good = np.flatnonzero(laid.good)
    parts = [Part(good, laid_out(table.take(pa.array(good))).batch)] if len(good) else []
    read, refused = _one_by_one(table, np.flatnonzero(~laid.good))
    if read:
        parts.append(Part(np.array(list(read), dtype=np.int64), batch_of(list(read.values()))))
    ids: list[str | None] = [None] * table.num_rows
    for part in parts:
        for row, name in zip(part.rows.tolist(), part.batch.texts["case_id"].texts(), strict=True):
            ids[row] = name
    return FlatBatch(table.num_rows, tuple(parts), refused, ids)


def _one_by_one(table: pa.Table, rows: IntArray) -> tuple[dict[int, Case], dict[int, InvalidCase]]:
    read: dict[int, Case] = {}
    refused: dict[int, InvalidCase] = {}
    for row, values in zip(rows.tolist(), table.take(pa.array(rows)).to_pylist(), strict=True):
        try:
            read[row] = read_case(_case_of(values))
        except InvalidCase as refusal:
            refused[row] = refusal
    return read, refused


def _case_of(values: dict[str, Any]) -> dict[str, Any]:
    try:
        return case_of_row(values)
    except (ValueError, TypeError, AttributeError):  # text that is no JSON, or a column that is also another's parent
        return {**{name: value for name, value in values.items() if value is not None}}


@dataclass
class _Reading:
    """Columns that are being laid out, and which rows are still certainly good."""

    table: pa.Table
    good: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        self.good = np.ones(self.table.num_rows, dtype=np.bool_)

    def column(self, name: str) -> pa.Array | None:
        if name not in self.table.column_names:
            return None
        column = self.table.column(name)
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole

    def numbers(self) -> dict[str, Any]:
        rules, n = rules_of(Case), self.table.num_rows
        unknown, found = np.full(n, np.nan), {}
        for path in NUMBER_PATHS:
            column = self.column(path)
            found[path] = unknown
            if column is not None:
                found[path], good = numbers_of(column, rules[path])
                self.good &= good
        return found

    def texts(self) -> dict[str, Coded]:
        rules, n = rules_of(Case), self.table.num_rows
        none, found = Coded(np.full(n, UNKNOWN), ()), {}
        for path in TEXT_PATHS:
            column = self.column(path)
            found[path] = none
            if column is not None:
                rule = rules[path]
                found[path], good = free_texts(column, rule) if rule.free else texts_of(column, rule.text)
                self.good &= good
        self.good &= found["histology"].codes != UNKNOWN
        return found

    def derived(self) -> dict[str, Coded]:
        n = self.table.num_rows
        agents, classes, tested = map(self.column, ("therapy.agents", "therapy.class", "assay.genes_tested"))
        nothing = pa.nulls(n)
        therapy, good = regimens_of(
            _as_lists(nothing if agents is None else agents), nothing if classes is None else classes
        )
        joined, joinable = joined_texts(nothing if tested is None else tested)
        genes, resolved = texts_of(joined, key_of_tested)
        self.good &= good & joinable & resolved
        return {"therapy": therapy, "assay.genes_tested": genes}

    def no_others(self) -> None:
        """Doubt the rows with several specimens, or with a value in a column that is no field."""
        for name in self.table.column_names:
            if name not in COLUMNS or name == "specimens":
                column = self.column(name)
                self.good &= ~_given(column)


def _given(column: pa.Array | None) -> BoolArray:
    """Return where a value is given: neither null nor NaN."""
    if column is None:
        return np.zeros(0, dtype=np.bool_)
    given = known(column)
    return given & ~np.isnan(pc.fill_null(column, 0.0).to_numpy()) if pa.types.is_floating(column.type) else given


def _as_lists(agents: pa.Array) -> pa.Array:
    """Return agents that are text joined by ``+`` as lists."""
    if pa.types.is_dictionary(agents.type):
        agents = agents.cast(agents.type.value_type)
    return pc.split_pattern(agents, "+") if pa.types.is_string(agents.type) else agents


def laid_out(table: pa.Table) -> _Laid:
    """Lay a table out by column; rows that are not ``good`` must not be used."""
    reading = _Reading(table)
    if len(set(table.column_names)) != len(table.column_names):
        reading.good[:] = False
    numbers, texts = reading.numbers(), reading.texts() | reading.derived()
    reading.no_others()
    findings, of_findings = findings_of_lists(reading.column("alterations"), table.num_rows)
    priors, of_priors = priors_of_lists(reading.column("prior_therapies"), table.num_rows)
    listed = np.bincount(priors.row, minlength=table.num_rows) > 0
    untreated = numbers["prior_systemic_therapy"] == 0
    contradicts = untreated & (listed | (numbers["prior_lines"] > 0))
    good = reading.good & of_findings.good & of_priors.good & ~contradicts
    batch = Batch(
        n=table.num_rows,
        numbers=numbers,
        texts=texts,
        findings=findings,
        findings_recorded=of_findings.recorded,
        other_findings=Findings(),
        priors=priors,
    )
    return _Laid(batch, good)
