"""Every forecast that was judged, as a table: what runs are compared by, and what a reproduction is held against.

Cases stand under a digest of cohort and case id, never under the id itself: the tracking store may be shared more
widely than the cohorts. Whoever holds the cohort finds the case again.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from experiments.outputs import Material
    from training.judged import Scene
    from training.pool import Pool

FORECASTS, CASES = "forecasts.parquet", "cases.parquet"
"""Tables of a run: one row per case, predictor and repeat; and one per case with the digest of all that is known."""

KEY_LENGTH = 16
"""Hexadecimal characters of a digest: one in 10^19 for two cases to share one."""

SCHEMA = pa.schema(
    [
        ("scene", pa.string()),
        ("cohort", pa.string()),
        ("case", pa.string()),
        ("outcome", pa.float64()),
        ("weight", pa.float64()),
        ("answered", pa.bool_()),
        ("predictor", pa.string()),
        ("repeat", pa.int32()),
        ("value", pa.float64()),
    ]
)


def case_key(cohort: str, case: str) -> str:
    """Return the digest that a case stands under.

    Examples
    --------
    >>> len(case_key("demo", "c-1"))
    16
    """
    return hashlib.sha256(f"{cohort}:{case}".encode()).hexdigest()[:KEY_LENGTH]


def own_ids(pool: Pool) -> list[tuple[str, str]]:
    """Return cohort and case id of each case of a pool, the id as the cohort itself has it."""
    pairs = zip(pool.source.tolist(), pool.cohort.case_ids, strict=True)
    return [(cohort, case.removeprefix(f"{cohort}:")) for cohort, case in pairs]


def case_digests(pool: Pool) -> dict[tuple[str, str], str]:
    """Return, by cohort and case id, the digest of everything recorded of a case, its outcome included."""
    rows: dict[str, dict[str, list[Any]]] = {case: {} for case in pool.cohort.case_ids}
    for name, table in pool.cohort.tables.items():
        for row in table.to_pylist():
            held = rows[row["case_id"]].setdefault(name, [])
            held.append({key: value for key, value in row.items() if key not in ("case_id", "patient_id")})
    said = {case: json.dumps(row, sort_keys=True, default=str) for case, row in rows.items()}
    ids = zip(own_ids(pool), pool.cohort.case_ids, strict=True)
    return {own: hashlib.sha256(said[case].encode()).hexdigest()[:KEY_LENGTH] for own, case in ids}


def write_forecasts(scenes: Sequence[Scene], material: Material, folder: Path) -> list[Path]:
    """Write both tables of a run into ``folder``; the same forecasts give the same bytes."""
    keys = {cohort: _keys(pool, cohort) for pool, _ in material.pools for cohort in set(pool.source.tolist())}
    forecasts = pa.concat_tables([_table(scene, keys) for scene in scenes] or [SCHEMA.empty_table()])
    digests = {own: digest for pool, _ in material.pools for own, digest in case_digests(pool).items()}
    cases = {
        "cohort": [cohort for cohort, _ in digests],
        "case": [case_key(*own) for own in digests],
        "digest": list(digests.values()),
    }
    pq.write_table(forecasts, folder / FORECASTS, compression="zstd")
    pq.write_table(pa.table(cases), folder / CASES, compression="zstd")
    return [folder / FORECASTS, folder / CASES]


def _keys(pool: Pool, cohort: str) -> dict[str, list[str]]:
    """Return the keys of a cohort's cases in order, by how a scene may list its patients."""
    held = np.flatnonzero(pool.source == cohort)
    ids = own_ids(pool)
    return {"keys": [case_key(*ids[row]) for row in held], "patients": [str(pool.patients[row]) for row in held]}


def _table(scene: Scene, keys: dict[str, dict[str, list[str]]]) -> pa.Table:
    case = _case_keys(scene, keys.get(scene.cohort))
    n, parts = len(scene.outcome), []
    for forecast in scene.forecasts:
        for repeat, values in enumerate(forecast.values):
            columns = {
                "scene": [scene.name] * n,
                "cohort": [scene.cohort] * n,
                "case": case,
                "outcome": scene.outcome,
                "weight": scene.weights,
                "answered": scene.answered,
                "predictor": [forecast.predictor] * n,
                "repeat": np.full(n, repeat),
                "value": values,
            }
            parts.append(pa.table(columns, schema=SCHEMA))
    return pa.concat_tables(parts)


def _case_keys(scene: Scene, known: dict[str, list[str]] | None) -> list[str]:
    """Return a scene's case keys; a scene of part of a cohort is matched by patient, one of arms by its place."""
    patients = [str(patient) for patient in scene.patients]
    if known is not None and known["patients"] == patients:
        return known["keys"]
    seen: dict[str, int] = {}
    found = []
    for patient in patients:
        seen[patient] = seen.get(patient, -1) + 1
        found.append(case_key(scene.cohort, f"{patient}#{seen[patient]}"))
    return found
