"""Cases as flat tables, as a warehouse would hold them: one row per case, dotted columns, lists of structs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from features.sources.synthetic import draw

LISTS = ("alterations", "prior_therapies", "specimens")
ENTRY = {
    "alterations": pa.list_(
        pa.struct(
            [
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
    ),
    "prior_therapies": pa.list_(
        pa.struct(
            [
                ("agents", pa.list_(pa.string())),
                ("class", pa.string()),
                ("line", pa.int64()),
                ("setting", pa.string()),
                ("best_response", pa.string()),
                ("started_days_before_index", pa.float64()),
                ("ended_days_before_index", pa.float64()),
            ]
        )
    ),
}
"""Arrow types of the lists."""


def flat_row(raw: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """One nested case as one flat row; lists stay lists."""
    found: dict[str, Any] = {}
    for name, value in raw.items():
        if isinstance(value, Mapping):
            found |= flat_row(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def flat_table(raws: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Nested cases as a flat table; a column that mixes kinds of values is not laid out and raises."""
    rows = [flat_row(raw) for raw in raws]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows], ENTRY.get(name)) for name in names})


def synthetic_table(n: int, seed: int, start: int = 0, family: Any = "checkpoint") -> pa.Table:
    """A partition of the endless synthetic cohort as a flat table; several thousand cases a second."""
    return of_cohort(draw(family, n, seed, start=start))


def of_cohort(cohort: Any) -> pa.Table:
    """A cohort without further specimens as a flat table, column by column."""
    cases = cohort.cases
    columns = {
        name: cases.column(name)
        for name in cases.column_names
        if not name.endswith("_recorded") and name not in ("therapy", "assay.genes_tested")
    }
    keys = cases.column("therapy").to_pylist()
    columns["therapy.agents"] = pa.array(
        [None if key.startswith("class:") else key.split("+") for key in keys], pa.list_(pa.string())
    )
    columns["therapy.class"] = pa.array([key[6:] if key.startswith("class:") else None for key in keys], pa.string())
    tested = cases.column("assay.genes_tested").to_pylist()
    columns["assay.genes_tested"] = pa.array(
        [None if genes is None else genes.split("|") for genes in tested], pa.list_(pa.string())
    )
    for name in ("alterations", "prior_therapies"):
        columns[name] = _lists(cohort, name)
    return pa.table(columns)


def _lists(cohort: Any, name: str) -> pa.Array:
    table, cases = getattr(cohort, name), cohort.cases
    place = {case_id: row for row, case_id in enumerate(cohort.case_ids)}
    rows = np.array([place[case_id] for case_id in table.column("case_id").to_pylist()], dtype=np.int64)
    order = np.argsort(rows, kind="stable")
    table = table.take(pa.array(order))
    kind = ENTRY[name].value_type
    fields = {field.name: table.column(field.name) for field in kind if field.name in table.column_names}
    if name == "prior_therapies":
        keys = table.column("therapy").to_pylist()
        fields["agents"] = pa.array([None if k.startswith("class:") else k.split("+") for k in keys], kind[0].type)
        fields["class"] = pa.array([k[6:] if k.startswith("class:") else None for k in keys], pa.string())
    arrays = [pa.chunked_array([a]) if isinstance(a, pa.Array) else a for a in (fields[f.name] for f in kind)]
    entries = pa.StructArray.from_arrays([a.combine_chunks() for a in arrays], fields=list(kind))
    ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(cohort)))]).astype(np.int32)
    recorded = np.asarray(cases.column(f"{name}_recorded").to_numpy(), dtype=bool)
    return pa.ListArray.from_arrays(pa.array(ends), entries, mask=pa.array(~recorded))
