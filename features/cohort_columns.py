"""The tables of a cohort: which columns they have, of which type, and which names can never be among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from features.cohort_refusals import PostIndexColumn, UnknownCohortColumn, WrongColumnType
from features.flat import FLAT_FIELDS
from features.vocabulary import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

_ARROW = {"number": pa.float64(), "integer": pa.int64(), "truth": pa.bool_(), "text": pa.string()}

CASES = pa.schema(
    [
        *((field.path, _ARROW[field.kind]) for field in FLAT_FIELDS),
        ("therapy", pa.string()),
        ("assay.genes_tested", pa.string()),
        ("alterations_recorded", pa.bool_()),
        ("prior_therapies_recorded", pa.bool_()),
        ("specimens_recorded", pa.bool_()),
    ]
)
"""One row per case. ``therapy`` is a regimen key, ``assay.genes_tested`` symbols joined by ``|``; the flags say
whether a list was given at all: an empty list is not an unknown one."""

ALTERATIONS = pa.schema(
    [
        ("case_id", pa.string()),
        ("specimen", pa.int64()),
        ("gene", pa.string()),
        ("kind", pa.string()),
        ("status", pa.string()),
        ("protein_change", pa.string()),
        ("cdna_change", pa.string()),
        ("variant_classification", pa.string()),
        ("exon", pa.int64()),
        ("partner", pa.string()),
        ("copies", pa.float64()),
        ("level", pa.string()),
        ("vaf", pa.float64()),
        ("cancer_cell_fraction", pa.float64()),
        ("origin", pa.string()),
    ]
)
"""One row per finding; ``specimen`` is null for the one specimen of a case, else its place in ``specimens``."""

SPECIMENS = pa.schema(
    [
        ("case_id", pa.string()),
        ("specimen", pa.int64()),
        ("source", pa.string()),
        ("days_before_index", pa.float64()),
        ("tumor_purity", pa.float64()),
        ("panel", pa.string()),
        ("genes_tested", pa.string()),
        ("alterations_recorded", pa.bool_()),
    ]
)
"""One row per specimen of the cases that have several."""

PRIOR_THERAPIES = pa.schema(
    [
        ("case_id", pa.string()),
        ("therapy", pa.string()),
        ("line", pa.int64()),
        ("setting", pa.string()),
        ("best_response", pa.string()),
        ("started_days_before_index", pa.float64()),
        ("ended_days_before_index", pa.float64()),
    ]
)
"""One row per regimen before the index date; ``therapy`` is a regimen key."""

OUTCOMES = pa.schema(
    [
        ("case_id", pa.string()),
        ("objective_response", pa.float64()),
        ("best_response", pa.string()),
        ("reason", pa.string()),
        ("survival_months", pa.float64()),
        ("died", pa.float64()),
    ]
)
"""One row per case, in their order: 1, 0 or null; CR PR SD PD NE or null; why it is NE or null; months from the index
date to death (``died`` 1) or to the last contact (0), for control arms: evaluation only, as all of this table."""

SCHEMAS: dict[str, pa.Schema] = {
    "cases": CASES,
    "alterations": ALTERATIONS,
    "specimens": SPECIMENS,
    "prior_therapies": PRIOR_THERAPIES,
    "outcomes": OUTCOMES,
}

_POST_INDEX = re.compile(
    r"(^|[^a-z])(pfs|os|dfs|ttp|dor|overall[ _.]?survival|progression[ _.]?free|progressed|dead|death|deceased|vital"
    r"|time[ _.]?to[ _.]?(response|progression|br|best)|timetobr|post[ _.-]?\w+|cycles?(on)?\w*|on[ _.]?treatment"
    r"|tumou?r[ _.]?shrinkage|best[ _.]?change|last[ _.]?(follow|contact)\w*|follow[ _.-]?up|irpfs|irorr)([^a-z]|$)",
    re.IGNORECASE,
)


def is_post_index(name: str) -> bool:
    """Say whether a column name tells of something after the index date.

    Examples
    --------
    >>> [name for name in ("PFS_Months", "OS.CNSR", "postMAPKTx", "position", "Dose") if is_post_index(name)]
    ['PFS_Months', 'OS.CNSR', 'postMAPKTx']
    """
    return _POST_INDEX.search(re.sub(r"[_]", " ", name)) is not None


def check_column_name(name: str, known: Iterable[str], record: str) -> None:
    """Refuse a column that a cohort's table cannot have.

    Raises
    ------
    PostIndexColumn
        When the name tells of something after the index date.
    UnknownCohortColumn
        When it is no field, with the nearest.
    """
    known = tuple(known)
    if name in known:
        return
    if is_post_index(name):
        raise PostIndexColumn(
            "is dated after the index date and can never be a feature",
            field=name,
            record=record,
            way_out="Remove the column; an outcome belongs to `outcomes`.",
        )
    close = nearest(name, known)
    raise UnknownCohortColumn("is not a field of a case", field=name, record=record, allowed=close or known)


def conform(table: pa.Table, name: str) -> pa.Table:
    """Return the table with exactly the columns of its schema: absent ones null, types cast without loss.

    Raises
    ------
    PostIndexColumn, UnknownCohortColumn, WrongColumnType
    """
    schema = SCHEMAS[name]
    for column in table.column_names:
        check_column_name(column, schema.names, f"table {name}")
    return pa.table([_column(table, field, name) for field in schema], schema=schema)


def _column(table: pa.Table, field: pa.Field, name: str) -> pa.Array | pa.ChunkedArray:
    if field.name not in table.column_names:
        return pa.nulls(table.num_rows, field.type)
    column = table.column(field.name)
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise WrongColumnType(
            f"holds {column.type}, and the field is {field.type}", field=field.name, record=f"table {name}"
        ) from error
