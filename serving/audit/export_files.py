"""The export of the log as a file: JSON Lines, CSV or Parquet, as the ending of its name says.

One row per record, in order: the clear columns of the log, then ``case``, ``event`` and ``erased``, which are empty
unless values were asked for. Codes are lists, and groups and contributions maps of a name to log-odds; CSV, which has
neither, joins codes by ``;``, has a column ``group:<name>`` for each group, and writes contributions, cases and events
as JSON.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from features.contract import GROUPS
from features.errors import seen_text
from serving.audit.export import GROUP_COLUMNS
from serving.audit.refusals import UnknownExportFormat
from serving.audit.tables import RECORDS
from serving.spreadsheet_text import plain_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Exported = Iterator[dict[str, Any]]

CODES, MAPS, VALUES = ("reasons", "warnings"), ("groups", "contributions"), ("case", "event")

CLEAR = tuple(
    column.name
    for column in RECORDS.columns
    if column.name not in {"payload", "once", "once_digest", "contributions", *GROUP_COLUMNS}
)
"""Columns of the log that are written as they are, and codes."""

OF_GROUPS = {f"group:{group}": group for group in GROUPS}

CSV_COLUMNS = (*CLEAR, *OF_GROUPS, "contributions", *VALUES, "erased")
"""Of a CSV file, in their order; docs/audit.md says what they hold."""


def write_export(records: Exported, out: Path, form: str | None = None) -> int:
    """Write an export; return how many records.

    Parameters
    ----------
    records
        From :func:`serving.audit.export.exported`.
    out
        The file; it is written over.
    form
        ``jsonl``, ``csv`` or ``parquet``; by default what the ending of ``out`` says.

    Raises
    ------
    UnknownExportFormat
        The ending is none of the three; nothing is written.

    Examples
    --------
    >>> from pathlib import Path
    >>> write_export(iter(()), Path("log.xlsx"))
    Traceback (most recent call last):
    serving.audit.refusals.UnknownExportFormat: out: the ending of 'log.xlsx' is that of no format. Allowed: .jsonl,
    .csv, .parquet. End the file's name with one of these, or say --format.
    """
    named = form or out.suffix.removeprefix(".").lower()
    if named not in FORMATS:
        raise UnknownExportFormat(
            f"the ending of {seen_text(out.name)} is that of no format",
            field="out",
            allowed=[f".{name}" for name in FORMATS],
            way_out="End the file's name with one of these, or say --format.",
        )
    return FORMATS[named](records, out)


def write_jsonl(records: Exported, out: Path) -> int:
    """Write JSON Lines; return how many records."""
    count = 0
    with out.open("w", encoding="utf-8") as target:
        for record in records:
            target.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_csv(records: Exported, out: Path) -> int:
    """Write CSV with a line of :data:`CSV_COLUMNS` at the head; what is not known is an empty cell."""
    count = 0
    with out.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(CSV_COLUMNS)
        for record in records:
            cells = _cells(record)
            writer.writerow([plain_cell(cells.get(name)) for name in CSV_COLUMNS])
            count += 1
    return count


def _cells(record: Mapping[str, Any]) -> dict[str, Any]:
    groups = record["groups"] or {}
    codes = {name: ";".join(record[name] or ()) for name in CODES}
    objects = {
        name: json.dumps(record[name], ensure_ascii=False)
        for name in ("contributions", *VALUES)
        if record.get(name) is not None
    }
    values = {**dict.fromkeys(VALUES), **objects}
    return {**record, **codes, **values, **{column: groups.get(group) for column, group in OF_GROUPS.items()}}


def write_parquet(records: Exported, out: Path) -> int:
    """Write Parquet: codes as lists, groups and contributions as maps of name to log-odds, values as JSON text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(pa)
    count = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for block in _blocks(records):
            writer.write_table(pa.Table.from_pylist([_flat(record) for record in block], schema=schema))
            count += len(block)
    return count


FORMATS: Mapping[str, Callable[[Exported, Path], int]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}


def _schema(pa: Any) -> Any:
    from sqlalchemy import Double, Integer

    numbers = {Integer: pa.int64(), Double: pa.float64()}
    fields = []
    for column in RECORDS.columns:
        if column.name not in (*CLEAR, "contributions"):
            continue
        kind = next((arrow for sql, arrow in numbers.items() if isinstance(column.type, sql)), pa.string())
        kind = pa.list_(pa.string()) if column.name in CODES else kind
        kind = pa.map_(pa.string(), pa.float64()) if column.name in MAPS else kind
        fields.append(pa.field(column.name, kind))
    groups = pa.field("groups", pa.map_(pa.string(), pa.float64()))
    return pa.schema([*fields, groups, *((name, pa.string()) for name in VALUES), ("erased", pa.bool_())])


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    texts = {name: json.dumps(record[name]) for name in VALUES if record.get(name) is not None}
    maps = {name: list(record[name].items()) for name in MAPS if record[name] is not None}
    return {**record, **dict.fromkeys(VALUES), **texts, **maps}


def _blocks(records: Exported, size: int = 5_000) -> Iterator[list[dict[str, Any]]]:
    block: list[dict[str, Any]] = []
    for record in records:
        block.append(record)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block
