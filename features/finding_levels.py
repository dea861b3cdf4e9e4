"""Finding levels: what each distinct finding means for the columns of alterations, worked out once and kept.

A column that is a status of genes is a bit; what a case has is the union of its findings' bits, so that order and
repetition of findings never matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from features import genes, panel_scale, panels
from features.alteration_columns import STATUSES, Status
from features.driver_classes import Reading, classes, read, row, with_narrower
from features.kept_levels import KeptLevels
from features.matching import EVERY_GENE, covers, negated_classes
from features.remembered import MOST_FINDINGS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from features.batch import Batch, Findings, IntArray
    from features.case import Alteration


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """What one distinct finding means.

    Attributes
    ----------
    reading
        Its classes.
    status
        ``present``, ``absent`` or ``not_detected``.
    present
        Bits of :data:`features.alteration_columns.STATUSES` it sets.
    negative
        Bits of :data:`GENE_BITS` it rules out.
    blocked
        Bits of :data:`GENE_BITS` that stay unknown: the finding is in that gene and cannot be read.
    passenger, haematopoietic
        Whether it counts as a passenger; whether its gene is one of clonal haematopoiesis.
    of_tumour
        Present, somatic and not in such a gene: it shows that blood carries tumour DNA.
    counted
        Whether it counts towards TMB (:func:`features.panel_scale.counted`).
    numbers
        The three masks (present, negative, blocked) and the four flags (of tumour, passenger, haematopoietic, counted).
    """

    reading: Reading
    status: str
    present: int = 0
    negative: int = 0
    blocked: int = 0
    passenger: bool = False
    haematopoietic: bool = False
    of_tumour: bool = False
    counted: bool = False
    numbers: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        masks = (self.present, self.negative, self.blocked)
        flags = (self.of_tumour, self.passenger, self.haematopoietic, self.counted)
        object.__setattr__(self, "numbers", (*masks, *map(int, flags)))


GENE_BITS: tuple[tuple[int, str], ...] = tuple(
    (place, gene) for place, status in enumerate(STATUSES) for gene in status.genes
)
"""Bit i stands for gene ``GENE_BITS[i][1]`` of status ``GENE_BITS[i][0]``; fewer than 63, so a mask is one int64."""

STATUS_GENE_MASKS: IntArray = np.array(
    [sum(1 << bit for bit, (place, _) in enumerate(GENE_BITS) if place == at) for at in range(len(STATUSES))],
    dtype=np.int64,
)
"""For each status the bits of all its genes: it may say 0 only when all of them are ruled out."""


def facts_of(levels: Sequence[Alteration]) -> list[LevelFacts]:
    """Return the facts of distinct findings, in their order."""
    return _KEPT.facts(levels)


def numbers_of(levels: Sequence[Alteration]) -> IntArray:
    """Return the numbers of distinct findings, shape (7, levels): three masks to unite, four flags to count."""
    return _KEPT.numbers(levels) if levels else np.empty((7, 0), dtype=np.int64)


def _facts(level: Alteration) -> LevelFacts:
    reading = read(level)
    listed = genes.row(reading.gene)
    haematopoietic = listed is not None and listed.clonal_haematopoiesis
    haematopoietic = haematopoietic or "CHIP_ALTERATION" in reading.classes
    if level.status != "present":
        return LevelFacts(reading, level.status, negative=_negative_bits(level), haematopoietic=haematopoietic)
    somatic = level.origin != "germline"
    counted = bool(reading.classes) or reading.changes_protein
    return LevelFacts(
        reading,
        level.status,
        present=status_bits(reading),
        blocked=gene_bits(reading.gene) if reading.unreadable else 0,
        passenger=somatic and reading.changes_protein and not reading.classes,
        haematopoietic=haematopoietic and somatic and counted,
        of_tumour=somatic and counted and not haematopoietic and level.kind != "expression",
        counted=panel_scale.counted(level),
    )


_KEPT = KeptLevels(_facts, MOST_FINDINGS)


def remember(level: Alteration) -> None:
    """Work the facts of a finding out now, and know this very object when it comes again."""
    _KEPT.remember(level)


def gene_bits(gene: str) -> int:
    """Return all bits of one gene."""
    return sum(1 << bit for bit, (_, one) in enumerate(GENE_BITS) if one == gene)


@lru_cache(maxsize=MOST_FINDINGS)
def status_bits(reading: Reading) -> int:
    """Return the statuses a finding sets."""
    if not reading.classes:
        return 0
    found = frozenset(reading.classes)
    drives = frozenset(row(one).pathway for one in reading.narrowest if row(one).effect != "passenger")
    return sum(
        1 << place
        for place, status in enumerate(STATUSES)
        if found.intersection(status.classes) or status.pathway in drives
    )


def _negative_bits(level: Alteration) -> int:
    """Return the gene bits a tested negative rules out: all classes of a status in that gene."""
    gone = negated_classes(level)
    if not gone:
        return 0
    return sum(1 << bit for bit, (place, gene) in enumerate(GENE_BITS) if _needed(STATUSES[place], gene) <= gone)


@lru_cache(maxsize=256)
def _needed(status: Status, gene: str) -> frozenset[str]:
    """Return what must be ruled out in a gene: its members of the status's classes, or of the pathway its mutations."""
    named = status.classes or tuple(one.id for one in classes().values() if one.pathway == status.pathway)
    members = frozenset().union(*(with_narrower(one) for one in named))
    return frozenset(one for one in members if row(one).gene == gene and "_GERMLINE_" not in one)


@lru_cache(maxsize=4096)
def genes_tested_by(listed: str | None, panel: str | None) -> frozenset[str] | None:
    """Return the genes an assay tested: those listed, else those of its panel; None when neither is known."""
    if listed is not None:
        return frozenset(listed.split("|")) if listed else frozenset()
    known = panels.find(panel) if panel else None
    if known is None:
        return None
    return EVERY_GENE if known.exome else known.genes


@lru_cache(maxsize=4096)
def mask_tested_by(listed: str | None, panel: str | None) -> int:
    """Return the bits of :data:`GENE_BITS` that an assay tested."""
    tested = genes_tested_by(listed, panel)
    if tested is None:
        return 0
    return sum(1 << bit for bit, (_, gene) in enumerate(GENE_BITS) if covers(tested, gene))


_FEW = 64
"""Up to this many keys a dictionary is faster than sorting them."""


def distinct(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Return the different keys, in any order, and for each key its place among them."""
    if keys.size <= _FEW:
        places: dict[int, int] = {}
        found = [places.setdefault(key, len(places)) for key in keys.tolist()]
        return np.array(list(places), dtype=np.int64), np.array(found, dtype=np.int64)
    different, inverse = np.unique(keys, return_inverse=True)
    return different, inverse.astype(np.int64)


Assays = tuple["IntArray", list[tuple[str | None, str | None]]]
"""For each case which assay it has, and the distinct assays: genes listed and panel."""


def assays(batch: Batch) -> Assays:
    """Return the distinct assays of a batch and, for each case, which one it has."""
    listed, panel = batch.texts["assay.genes_tested"], batch.texts["assay.panel"]
    width = len(panel.levels) + 1
    codes, inverse = distinct((listed.codes + 1) * width + panel.codes + 1)
    genes_of, panel_of = (None, *listed.levels), (None, *panel.levels)
    return inverse, [(genes_of[code // width], panel_of[code % width]) for code in codes.tolist()]


def from_blood(batch: Batch) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return 1 where the findings come from blood, 0 from tissue, NaN unknown: the specimen, else the panel's own."""

    def of_source(source: str) -> float:
        return float(source == "blood")

    def of_panel(name: str) -> float:
        known = panels.find(name)
        return float("nan") if known is None else float(known.specimen == "blood")

    source = batch.texts["specimen.source"].gather(of_source)
    return np.where(np.isnan(source), batch.texts["assay.panel"].gather(of_panel), source)


def cells_of(findings: Findings, says: list[list[int]]) -> tuple[IntArray, IntArray]:
    """Return the (case, class) cells that findings speak of, from the classes each level speaks of."""
    sizes = np.array([len(one) for one in says], dtype=np.int64)
    flat = np.array([place for one in says for place in one], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    hit = np.flatnonzero(sizes[findings.codes]) if len(says) else np.empty(0, dtype=np.int64)
    repeats = sizes[findings.codes[hit]]
    rows = np.repeat(findings.row[hit], repeats)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return rows, flat[np.repeat(starts[findings.codes[hit]], repeats) + within]
