"""The list as a file: every prediction that the filter finds, in its order, as CSV or Parquet.

Columns stand in the clear in the log, or follow from what was said later; of findings only those leave that are of a
known form, as :mod:`serving.audit.export` has it. Notes, ids and free text never leave in bulk.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, StreamingResponse

from features import genes
from serving.audit.export import PROTEIN
from serving.pages.log_query import Asked
from serving.pages.rendering import PAGE_HEADERS
from serving.spreadsheet_text import plain_cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.responses import Response

    from serving.pages.opening import Pages
    from serving.pages.visit import Visit

CLEAR = (
    *("record_id", "seq", "time", "caller", "model_name", "model_version", "model_digest", "vocabulary", "family"),
    *("therapy_class", "lineage", "status", "probability", "low", "high"),
)
LISTS = ("warnings", "reasons", "alterations", "disagrees")
LATER = ("outcome", "decision", "override", "review")
COLUMNS = (*CLEAR, *LISTS, *LATER)
"""Of an export, in their order; lists are joined by ``;`` in CSV."""

KINDS = frozenset({"mutation", "amplification", "deletion", "fusion", "expression"})


def add_routes(pages: Pages) -> None:
    """Add the two downloads."""
    pages.get("/audit/predictions.csv", as_csv)
    pages.get("/audit/predictions.parquet", as_parquet)


def as_csv(visit: Visit) -> Response:
    """Answer with CSV, written while it is sent."""
    blocks = visit.reader.matching(Asked.read(visit.asked))
    return StreamingResponse(_csv(blocks), media_type="text/csv; charset=utf-8", headers=_headers("csv"))


def as_parquet(visit: Visit) -> Response:
    """Answer with Parquet; it is written to a temporary file first, which is removed when it was sent."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(pa)
    with tempfile.NamedTemporaryFile(prefix="oncorespond-", suffix=".parquet", delete=False) as target:
        path = Path(target.name)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for block in visit.reader.matching(Asked.read(visit.asked)):
            writer.write_table(pa.Table.from_pylist([exported(one) for one in block], schema=schema))
    gone = BackgroundTask(path.unlink, missing_ok=True)
    media_type = "application/vnd.apache.parquet"
    return FileResponse(path, media_type=media_type, headers=_headers("parquet"), background=gone)


def exported(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return one prediction with the columns of an export."""
    codes = {name: json.loads(one[name] or "[]") for name in ("warnings", "reasons")}
    findings = [text for text in one["alterations"] if known_finding(text)]
    found = {**{name: one[name] for name in (*CLEAR, *LATER)}, **codes}
    return {**found, "alterations": findings, "disagrees": one["disagrees"]}


def known_finding(text: str) -> bool:
    """Tell whether a finding is of a known form: a gene of the vocabulary with a protein change or a kind.

    Examples
    --------
    >>> known_finding("BRAF p.V600E"), known_finding("ALK fusion"), known_finding("BRAF Mrs. Miller")
    (True, True, False)
    """
    gene, _, detail = text.partition(" ")
    return genes.row(gene) is not None and (detail in KINDS or PROTEIN.fullmatch(detail) is not None)


def _csv(blocks: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    yield _lines([list(COLUMNS)])
    for block in blocks:
        yield _lines([_cells(exported(one)) for one in block])


def _cells(one: Mapping[str, Any]) -> list[Any]:
    return [plain_cell(";".join(one[name]) if name in LISTS else one[name]) for name in COLUMNS]


def _lines(rows: list[list[Any]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()


def _schema(pa: Any) -> Any:
    kinds = {"seq": pa.int64(), "outcome": pa.bool_()}
    kinds |= dict.fromkeys(("probability", "low", "high"), pa.float64()) | dict.fromkeys(LISTS, pa.list_(pa.string()))
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


def _headers(ending: str) -> dict[str, str]:
    return {**PAGE_HEADERS, "content-disposition": f'attachment; filename="predictions.{ending}"'}
