"""Class matrix: which driver classes each case of a batch has, for whoever speaks of classes (the evidence of arms)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from features.driver_classes import row, with_narrower
from features.finding_levels import assays, cells_of, facts_of, from_blood, genes_tested_by
from features.matching import covers, negated_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch
    from features.finding_levels import LevelFacts

PRESENT, NEGATIVE, UNKNOWN_CLASS = 1, 0, 255
"""Cells of :func:`class_matrix`."""


def class_matrix(batch: Batch, ids: Sequence[str]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return which driver classes each case has, shape (n, len(ids)): 1 present, 0 tested negative, 255 unknown.

    A class is negative where all its genes were tested in tissue (expression classes: only where reported negative),
    or a negative finding rules it out. Negatives of blood are unknown here: evidence speaks only from what is firm.
    """
    grid = np.full((batch.n, len(ids)), UNKNOWN_CLASS, dtype=np.uint8)
    blood = from_blood(batch) == 1.0
    which, kinds = assays(batch)
    tested = np.array([[_tested(one, genes_tested_by(*kind)) for one in ids] for kind in kinds], dtype=np.bool_)
    firm = batch.findings_recorded & ~blood
    grid[tested.reshape(-1, len(ids))[which] & firm[:, None]] = NEGATIVE
    facts, places = facts_of(batch.findings.levels), {one: place for place, one in enumerate(ids)}
    unread = [_of_gene(fact.reading.gene, ids) if fact.reading.unreadable else [] for fact in facts]
    grid[cells_of(batch.findings, unread)] = UNKNOWN_CLASS
    for status, value in (("absent", NEGATIVE), ("present", PRESENT)):
        says = [_says(level, fact, status, places) for level, fact in zip(batch.findings.levels, facts, strict=True)]
        rows, columns = cells_of(batch.findings, says)
        if value == NEGATIVE:
            keep = ~blood[rows]
            rows, columns = rows[keep], columns[keep]
        grid[rows, columns] = value
    return grid


def _of_gene(gene: str, ids: Sequence[str]) -> list[int]:
    """Return the places of the classes that a change of a gene could belong to."""
    return [at for at, one in enumerate(ids) if any(row(part).gene == gene for part in with_narrower(one))]


def _says(level: Any, fact: LevelFacts, status: str, places: Mapping[str, int]) -> list[int]:
    if fact.status != status:
        return []
    ids = fact.reading.classes if status == "present" else negated_classes(level)
    return sorted(places[one] for one in ids if one in places)


def _tested(class_id: str, tested: frozenset[str] | None) -> bool:
    """Return whether an assay would have seen a class: every gene of it tested, and not by expression."""
    if tested is None:
        return False
    members = [row(one) for one in with_narrower(class_id)]
    rules = [one for one in members if one.gene and one.rule and one.kind != "expression"]
    return bool(rules) and row(class_id).kind != "expression" and all(covers(tested, one.gene) for one in rules)
