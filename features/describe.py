"""What is in a cohort: responders both ways, histologies, missingness, findings, panels, lines, as plain values."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from features import histology
from features.counts import is_silent, share_of
from features.driver_classes import read
from features.flat import NUMBER_PATHS, TEXT_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.batch import Batch, FloatArray
    from features.case import Alteration
    from features.cohort import Cohort

MOST_GENES = 25
"""Genes and driver classes that a description lists, the most frequent first."""

_NOT_DESCRIBED = ("case_id", "patient_id", "histology")


def describe(cohort: Cohort) -> dict[str, Any]:
    """Return the description of a cohort, JSON-ready.

    Shares are exact: responders of n with the Clopper-Pearson interval. ``estimand`` counts NE as no response where
    the cohort records it, ``evaluable`` leaves NE out.
    """
    batch = cohort.batch()
    return {
        "provenance": cohort.provenance.to_dict(),
        "content_hash": cohort.content_hash,
        "cases": len(cohort),
        "patients": len(set(cohort.patient_ids)),
        "response": _response(cohort),
        "therapies": _shares(cohort, batch.texts["therapy"].texts()),
        "histologies": _histologies(cohort, batch),
        "missing": missing(batch),
        "numbers": _numbers(batch),
        "panels": dict(_counted(batch.texts["assay.panel"].texts())),
        "specimens": dict(_counted(batch.texts["specimen.source"].texts())),
        "prior_lines": _lines(cohort, batch),
        "sequenced": int(batch.findings_recorded.sum()),
        "genes": _genes(batch),
        "driver_classes": _driver_classes(batch),
        "notations": _notations(batch),
        "build": cohort.build,
    }


def _response(cohort: Cohort) -> dict[str, Any]:
    best = cohort.outcomes.column("best_response").to_pylist()
    reasons = [reason for reason in cohort.outcomes.column("reason").to_pylist() if reason is not None]
    return {
        "estimand": share_of(cohort.response).to_dict(),
        "evaluable": share_of(cohort.response_if_evaluable).to_dict(),
        "best_response": dict(_counted(best)),
        "reasons": dict(_counted(reasons)),
        "without_outcome": int(np.isnan(cohort.response).sum()),
    }


def _counted(values: Iterable[str | None]) -> list[tuple[str, int]]:
    """Return values with counts, the most frequent first, then by name; None is ``unknown``."""
    counts = Counter("unknown" if value is None else value for value in values)
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


def _shares(cohort: Cohort, groups: list[str | None]) -> list[dict[str, Any]]:
    of_group = np.array(["unknown" if group is None else group for group in groups], dtype=object)
    return [_group(name, n, of_group == name, cohort) for name, n in _counted(groups)]


def _group(name: str, n: int, chosen: Any, cohort: Cohort) -> dict[str, Any]:
    return {
        "name": name,
        "cases": n,
        "estimand": share_of(cohort.response, chosen).to_dict(),
        "evaluable": share_of(cohort.response_if_evaluable, chosen).to_dict(),
    }


def _histologies(cohort: Cohort, batch: Batch) -> list[dict[str, Any]]:
    rows = _shares(cohort, batch.texts["histology"].texts())
    return [{**row, "title": histology.row(row["name"]).name} for row in rows]


def missing(batch: Batch) -> dict[str, int]:
    """Return how many cases lack each field, for the fields that some case has, in the order of the record."""
    found = {path: int(np.isnan(batch.numbers[path]).sum()) for path in NUMBER_PATHS}
    found |= {path: int((batch.texts[path].codes < 0).sum()) for path in TEXT_PATHS if path not in _NOT_DESCRIBED}
    found |= {
        "alterations": int((~batch.findings_recorded).sum()),
        "prior_therapies": int((~batch.priors.recorded).sum()),
    }
    return {path: times for path, times in found.items() if times < batch.n}


def _numbers(batch: Batch) -> dict[str, dict[str, float]]:
    return {path: _quartiles(values) for path, values in batch.numbers.items() if not np.isnan(values).all()}


def _quartiles(values: FloatArray) -> dict[str, float]:
    known = values[~np.isnan(values)]
    marks = np.quantile(known, [0, 0.25, 0.5, 0.75, 1])
    names = ("least", "lower_quartile", "median", "upper_quartile", "most")
    return {"n": len(known), **{name: round(float(mark), 4) for name, mark in zip(names, marks, strict=True)}}


def _lines(cohort: Cohort, batch: Batch) -> list[dict[str, Any]]:
    lines = batch.numbers["prior_lines"]
    before = batch.numbers["prior_systemic_therapy"]
    names = [_line_text(line, prior) for line, prior in zip(lines.tolist(), before.tolist(), strict=True)]
    return sorted(_shares(cohort, list(names)), key=lambda row: str(row["name"]))


def _line_text(lines: float, before: float) -> str:
    if not np.isnan(lines):
        return str(int(lines))
    return {1.0: "some, number unknown", 0.0: "none"}.get(before, "unknown")


def _genes(batch: Batch) -> list[dict[str, Any]]:
    """Return the genes with most altered cases; synonymous calls are no alteration here."""

    def names(alteration: Alteration) -> tuple[str, ...]:
        return () if is_silent(alteration) else (alteration.gene,)

    return _altered(batch, names)


def _driver_classes(batch: Batch) -> list[dict[str, Any]]:
    return _altered(batch, lambda alteration: read(alteration).classes)


def _notations(batch: Batch) -> dict[str, int]:
    """Return how many findings could be read, and how many could not (their notation is kept as it stands)."""
    unreadable = np.array([bool(read(level).unreadable) for level in batch.findings.levels], dtype=np.bool_)
    lost = int(unreadable[batch.findings.codes].sum()) if len(unreadable) else 0
    return {"read": len(batch.findings.codes) - lost, "unreadable": lost}


def _altered(batch: Batch, names: Any) -> list[dict[str, Any]]:
    """Count cases per name: each case once per name, findings read once per distinct one."""
    found = batch.findings
    of_level = [names(level) if level.status == "present" else () for level in found.levels]
    pairs = {
        (row, name)
        for row, code in zip(found.row.tolist(), found.codes.tolist(), strict=True)
        for name in of_level[code]
    }
    counts = _counted(name for _, name in pairs)
    return [{"name": name, "cases": times} for name, times in counts[:MOST_GENES]]
