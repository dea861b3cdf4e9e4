"""A cohort as a folder: Parquet tables and ``cohort.json``; the same content gives the same bytes.

No clock, path or host is written. The content hash is over values, not over Parquet's bytes, and skips columns that
are null throughout: it stays when a release of Parquet packs differently, or when the case gains a field.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.cohort_columns import SCHEMAS
from features.cohort_refusals import CohortNotFound, ContentHashMismatch, RowCountMismatch, UnknownCohortFormat
from features.errors import seen_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1
"""Version of the folder's layout; a change that an older release cannot read adds one."""

COHORT_JSON = "cohort.json"
BUILD_JSON = "build.json"
TABLES = (*SCHEMAS, "truth")
"""Tables in the order in which they enter the hash; ``truth`` exists for synthetic cohorts only."""

_ALWAYS = ("case_id", "histology", "therapy")


def _known_columns(table: pa.Table) -> list[str]:
    """Return the columns that are written: those with any value, and the few that every case has."""
    return [name for name in table.column_names if name in _ALWAYS or table.column(name).null_count < table.num_rows]


def _column_bytes(column: pa.ChunkedArray) -> bytes:
    """Return values and nulls of a column in one canonical form, whatever its chunks and offsets."""
    nulls = np.packbits(np.asarray(pc.is_null(column).to_numpy(), dtype=np.bool_)).tobytes()
    if pa.types.is_string(column.type):
        filled = pc.fill_null(column, "")
        lengths = np.asarray(pc.binary_length(filled).to_numpy(), dtype="<i8").tobytes()
        return nulls + lengths + "".join(filled.to_pylist()).encode()
    plain = pc.fill_null(column.cast(pa.float64()), 0.0).to_numpy()
    return nulls + (np.asarray(plain, dtype="<f8") + 0.0).tobytes()


def content_hash(tables: Mapping[str, pa.Table], provenance: Mapping[str, Any]) -> str:
    """Return ``sha256:`` and the digest of a cohort's content: its tables and its provenance."""
    digest = hashlib.sha256(json.dumps(provenance, sort_keys=True, ensure_ascii=False).encode())
    for name in TABLES:
        if name not in tables:
            continue
        table = tables[name]
        digest.update(f"\0{name}\0{table.num_rows}".encode())
        for column in _known_columns(table):
            digest.update(f"\0{column}\0{table.schema.field(column).type}\0".encode())
            digest.update(_column_bytes(table.column(column)))
    return f"sha256:{digest.hexdigest()}"


def write_folder(
    folder: Path, tables: Mapping[str, pa.Table], provenance: Mapping[str, Any], build: Mapping[str, Any] | None
) -> None:
    """Write a cohort's folder; it is created, and files of an earlier cohort in it are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        path = folder / f"{name}.parquet"
        if name in tables:
            _write_table(path, tables[name])
        else:
            path.unlink(missing_ok=True)
    described = {
        "format": FORMAT,
        "content_hash": content_hash(tables, provenance),
        "rows": {name: tables[name].num_rows for name in TABLES if name in tables},
        "provenance": dict(provenance),
    }
    _write_json(folder / COHORT_JSON, described)
    if build is None:
        (folder / BUILD_JSON).unlink(missing_ok=True)
    else:
        _write_json(folder / BUILD_JSON, build)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_table(path: Path, table: pa.Table) -> None:
    written = table.select(_known_columns(table)).combine_chunks().replace_schema_metadata(None)
    pq.write_table(written, path, compression="zstd", version="2.6", use_dictionary=True, row_group_size=1 << 20)


def read_description(folder: Path) -> dict[str, Any]:
    """Read ``cohort.json``.

    Raises
    ------
    CohortNotFound, UnknownCohortFormat
    """
    path = folder / COHORT_JSON
    if not path.is_file():
        raise CohortNotFound(
            f"there is no {COHORT_JSON} in it",
            record=f"folder {folder.name}",
            way_out="Give a folder that `oncorespond cohort build` has written.",
        )
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UnknownCohortFormat(f"is not JSON: {error}", record=COHORT_JSON) from error
    found = described.get("format") if isinstance(described, dict) else None
    if found != FORMAT:
        raise UnknownCohortFormat(
            f"{seen_text(found)} is not a format that this release reads",
            field="format",
            record=COHORT_JSON,
            allowed=(FORMAT,),
            way_out="Build the cohort again, or use the release that wrote it.",
        )
    return dict(described)


def read_build(folder: Path) -> dict[str, Any] | None:
    """Return the build report that lies beside a cohort, or None."""
    path = folder / BUILD_JSON
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def read_tables(folder: Path, rows: Mapping[str, int]) -> dict[str, pa.Table]:
    """Read the tables that ``cohort.json`` lists, checking their row counts.

    Raises
    ------
    CohortNotFound, RowCountMismatch
    """
    tables = {}
    for name, expected in rows.items():
        path = folder / f"{name}.parquet"
        if name not in TABLES or not path.is_file():
            raise CohortNotFound(f"{name}.parquet is absent", record=f"folder {folder.name}")
        tables[name] = pq.read_table(path, memory_map=False)
        if tables[name].num_rows != expected:
            raise RowCountMismatch(
                f"{tables[name].num_rows} rows, and {COHORT_JSON} says {expected}", record=f"{name}.parquet"
            )
    return tables


def check_hash(tables: Mapping[str, pa.Table], described: Mapping[str, Any]) -> str:
    """Return the content hash, or refuse a cohort whose content is not what was hashed.

    Raises
    ------
    ContentHashMismatch
    """
    found = content_hash(tables, described["provenance"])
    if found != described.get("content_hash"):
        raise ContentHashMismatch(
            f"{found[:19]}... found, {str(described.get('content_hash'))[:19]}... written",
            record=COHORT_JSON,
            way_out="The tables or the provenance were changed by hand; build the cohort again.",
        )
    return found
