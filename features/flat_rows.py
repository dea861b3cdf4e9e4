"""One flat row (a Parquet row, a DataFrame row) to the JSON object of a case.

Columns are the dotted paths of :mod:`features.flat`; ``therapy.agents`` (a list, or text joined by ``+``) or
``therapy.class`` name the therapy; ``alterations``, ``prior_therapies`` and ``specimens`` are lists of objects or JSON
text. NaN, None and missing columns are unknown. A whole number that a table stored as 2.0 is read as 2.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from features.flat import FLAT_FIELDS, nest

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTS = ("alterations", "prior_therapies", "specimens", "assay.genes_tested")

_KINDS = {field.path: field.kind for field in FLAT_FIELDS}


def case_of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested object of one flat row; it is validated by :func:`features.case.read_case`, not here.

    Examples
    --------
    >>> case_of_row({"histology": "LUAD", "prior_lines": 2.0, "stage": float("nan"), "therapy.agents": "nivolumab"})
    {'histology': 'LUAD', 'prior_lines': 2, 'therapy': {'agents': ['nivolumab']}}
    """
    known: dict[str, Any] = {}
    for path, value in row.items():
        if not _unknown(value):
            known[path] = _read(path, value)
    return nest(known)


def _unknown(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _read(path: str, value: Any) -> Any:
    if path == "therapy.agents" and isinstance(value, str):
        return value.split("+")
    if path in LISTS:
        return _without_null(json.loads(value) if isinstance(value, str) else value)
    kind = _KINDS.get(path)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value.item() if hasattr(value, "item") else value


def _without_null(found: Any) -> Any:
    """Arrow gives every struct all its keys; null ones are left out."""
    if isinstance(found, dict):
        return {key: _without_null(value) for key, value in found.items() if not _unknown(value)}
    return [_without_null(entry) for entry in found] if isinstance(found, list) else found
