"""Alterations: drivers, pathways, passengers, and what they mean for the therapy at hand.

Present, tested-and-absent and unknown are three things: 1, 0 and NaN. A gene is 0 only where an assay tested it and
its findings were recorded, or a negative was reported. Blood is less sensitive: its negatives count as 0 only when the
sample shows tumour DNA at all (a somatic finding outside the genes of clonal haematopoiesis), else they are unknown;
for the match with the therapy they are always ``not_detected``, never wild-type. ``findings_from_blood`` says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from features import histology
from features.alteration_columns import COLUMNS, MATCH_STATES, PLACE, STATUSES, TOGETHER
from features.alteration_shown import shown_of, warnings_of
from features.driver_classes import row, with_narrower
from features.finding_levels import (
    GENE_BITS,
    STATUS_GENE_MASKS,
    assays,
    facts_of,
    from_blood,
    tested_genes,
    tested_mask,
)
from features.matching import covers, negated_classes
from features.target_match import MatchColumns, match_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from features.batch import Batch, Findings, FloatArray, IntArray
    from features.contract import Column, Group, Shown
    from features.finding_levels import LevelFacts

SMALL_CELL = "SCLC"
"""OncoTree code of small-cell lung carcinoma, the histology that EGFR-mutant tumours may change to."""

_BITS: IntArray = np.arange(len(STATUSES), dtype=np.int64)
assert len(GENE_BITS) < 63, "more genes than fit a mask"  # noqa: S101  (a fact of the code, not of the input)


@dataclass(frozen=True, slots=True)
class Counted:
    """Findings of a batch gathered to cases.

    ``present``, ``negative`` and ``blocked`` are masks (n,) of statuses, genes ruled out and genes that stay unknown; ``of_tumour`` says that a case has a somatic
    finding outside clonal haematopoiesis; ``passengers`` and ``haematopoietic`` are counts.
    """

    present: IntArray
    negative: IntArray
    blocked: IntArray
    of_tumour: np.ndarray[Any, np.dtype[np.bool_]]
    passengers: FloatArray
    haematopoietic: FloatArray


def _by_level(facts: Sequence[LevelFacts]) -> IntArray:
    """Return one row per level: present, negative, passenger, haematopoietic, of_tumour, blocked."""
    rows = [(f.present, f.negative, f.passenger, f.haematopoietic, f.of_tumour, f.blocked) for f in facts]
    return np.array(rows, dtype=np.int64).reshape(-1, 6)


def counted(findings: Findings, facts: Sequence[LevelFacts], n: int, blood: FloatArray) -> Counted:
    """Gather the findings of each case: masks by union, counts by sum."""
    present, negative, blocked = (np.zeros(n, dtype=np.int64) for _ in range(3))
    if not facts:
        none = np.zeros(n)
        return Counted(present, negative, blocked, np.zeros(n, dtype=np.bool_), none, none)
    levels = _by_level(facts)
    rows, codes = findings.row, findings.codes
    for mask, column in ((present, 0), (negative, 1), (blocked, 5)):
        bits = levels[:, column]
        if bits.any():
            values = bits[codes]
            hit = values.nonzero()[0]
            np.bitwise_or.at(mask, rows[hit], values[hit])
    in_blood = blood[rows] == 1.0
    kept_apart = (levels[:, 3] == 1)[codes] & in_blood
    passenger = (levels[:, 2] == 1)[codes] & ~kept_apart
    tumour = np.bincount(rows[(levels[:, 4] == 1)[codes]], minlength=n) > 0
    return Counted(
        present,
        negative,
        blocked,
        tumour,
        np.bincount(rows[passenger], minlength=n).astype(np.float64),
        np.bincount(rows[kept_apart], minlength=n).astype(np.float64),
    )


def statuses(batch: Batch, found: Counted, blood: FloatArray) -> FloatArray:
    """Return the status columns, shape (n, len(STATUSES)): 1 present, 0 negative, NaN unknown."""
    which, kinds = assays(batch)
    by_assay = np.array([tested_mask(*kind) for kind in kinds], dtype=np.int64)[which]
    ruled_out = found.negative | np.where(batch.findings_recorded, by_assay, 0)
    ruled_out &= ~found.blocked
    ruled_out = np.where((blood == 1.0) & ~found.of_tumour, 0, ruled_out)[:, None]
    negative = (ruled_out & STATUS_GENE_MASKS) == STATUS_GENE_MASKS
    present = (found.present[:, None] >> _BITS) & 1 == 1
    found_columns: FloatArray = np.where(present, 1.0, np.where(negative, 0.0, np.nan))
    return found_columns


def _together(grid: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Yield columns for two alterations together: 0 when either is known to be absent, NaN when it hangs on the unknown."""
    for name, _, one, other, _, _ in TOGETHER:
        a, b = grid[:, PLACE[one]], grid[:, PLACE[other]]
        yield PLACE[name], np.where((a == 0) | (b == 0), 0.0, a * b)


def _transformed(batch: Batch) -> FloatArray:
    """Return 1 where a tumour that was not small-cell at diagnosis is small-cell now; 0 where no change is recorded."""
    now, then = batch.texts["histology"], batch.texts["histology_at_diagnosis"]
    if not then.levels:
        return np.zeros(batch.n)

    def small_cell(code: str) -> float:
        return float(SMALL_CELL in histology.lineage(code))

    return ((now.gather(small_cell) == 1.0) & (then.gather(small_cell) == 0.0)).astype(np.float64)


def _drivers(findings: Findings, ids: dict[str, int], n: int) -> IntArray:
    """Return each driver of each case once, as case + n * class."""
    facts = facts_of(findings.levels)
    pairs = [
        (code, ids.setdefault(one, len(ids)))
        for code, fact in enumerate(facts)
        if fact.status == "present" and not fact.haematopoietic
        for one in fact.reading.narrowest
        if row(one).effect != "passenger" and row(one).kind != "expression"
    ]
    keys = [findings.row[findings.codes == code] + n * place for code, place in pairs]
    return np.unique(np.concatenate(keys)) if keys else np.empty(0, dtype=np.int64)


def disagreement(batch: Batch) -> FloatArray:
    """Return 1 where another specimen has a driver that the counting one lacks, or lacks one; NaN without another."""
    others = batch.other_findings
    found = np.full(batch.n, np.nan)
    if not len(others.row):
        return found
    found[others.row] = 0.0
    ids: dict[str, int] = {}
    only_one = np.setxor1d(_drivers(others, ids, batch.n), _drivers(batch.findings, ids, batch.n))
    rows = only_one % batch.n
    found[rows[~np.isnan(found[rows])]] = 1.0
    found[~batch.findings_recorded] = np.nan
    return found


class AlterationsBuilder:
    """Columns about alterations; it learns nothing from training cases.

    Missing policy: NaN where untested or unknown. Unseen values: a gene or notation without a curated class is a
    passenger; a notation that cannot be read is neither driver nor passenger, and warns. Sources: the rows of
    ``driver_alterations.csv`` and ``match_levels.csv``.

    Examples
    --------
    >>> from features.case import read_case
    >>> from features.from_cases import batch_of
    >>> case = {"histology": "LUAD", "therapy": {"agents": ["osimertinib"]}, "assay": {"genes_tested": ["EGFR", "KRAS"]},
    ...         "alterations": [{"gene": "EGFR", "kind": "mutation", "protein_change": "L858R"}]}
    >>> builder = AlterationsBuilder()
    >>> values = dict(zip([c.name for c in builder.columns()], builder.build(batch_of([read_case(case)]))[0].tolist()))
    >>> values["egfr_driver"], values["kras_mutation"], values["stk11_loss"], values["target_matched"]
    (1.0, 0.0, nan, 1.0)
    """

    name: ClassVar[str] = "alterations"
    group: ClassVar[Group] = "alterations"

    def columns(self) -> tuple[Column, ...]:
        """Return the contract of the columns, in order."""
        return COLUMNS

    def build(self, batch: Batch) -> FloatArray:
        """Return the columns, shape (n, len(columns))."""
        grid = np.empty((batch.n, len(COLUMNS)))
        facts, blood = facts_of(batch.findings.levels), from_blood(batch)
        found = counted(batch.findings, facts, batch.n, blood)
        grid[:, : len(STATUSES)] = statuses(batch, found, blood)
        for place, values in _together(grid):
            grid[:, place] = values
        self._fill_match(grid, match_columns(batch, facts, blood, found.of_tumour))
        unknown = ~batch.findings_recorded
        grid[:, PLACE["passengers_log1p"]] = np.where(unknown, np.nan, np.log1p(found.passengers))
        in_blood = np.where(unknown | (blood != 1.0), np.nan, np.log1p(found.haematopoietic))
        grid[:, PLACE["clonal_haematopoiesis_log1p"]] = in_blood
        grid[:, PLACE["findings_from_blood"]] = np.where(unknown, np.nan, blood)
        grid[:, PLACE["specimens_disagree"]] = disagreement(batch)
        grid[:, PLACE["small_cell_transformation"]] = _transformed(batch)
        return grid

    @staticmethod
    def _fill_match(grid: FloatArray, match: MatchColumns) -> None:
        for name, state, _ in MATCH_STATES:
            grid[:, PLACE[name]] = match.states[state]
        grid[:, PLACE["resistance_present"]] = match.resistance
        grid[:, PLACE["match_evidence_level"]] = match.level
        grid[:, PLACE["match_clonality"]] = match.clonality

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return one :class:`~features.contract.Shown` per feature of one case."""
        return shown_of(batch, row, self.build(batch)[row])

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:
        """Return coded warnings: old specimen, unreadable notation, unknown panel genes, undone therapy, disagreement."""
        return warnings_of(batch, row)

    def fit(self, batch: Batch) -> Self:  # noqa: ARG002  (the contract of all builders)
        """Return itself: nothing is learned."""
        return self

    def parameters(self) -> dict[str, Any]:
        """Return an empty mapping: nothing is learned."""
        return {}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:  # noqa: ARG003
        """Return the builder."""
        return cls()


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
    tested = np.array([[_tested(one, tested_genes(*kind)) for one in ids] for kind in kinds], dtype=np.bool_)
    firm = batch.findings_recorded & ~blood
    grid[tested.reshape(-1, len(ids))[which] & firm[:, None]] = NEGATIVE
    facts, places = facts_of(batch.findings.levels), {one: place for place, one in enumerate(ids)}
    unread = [_of_gene(fact.reading.gene, ids) if fact.reading.unreadable else [] for fact in facts]
    grid[_cells(batch.findings, unread)] = UNKNOWN_CLASS
    for status, value in (("absent", NEGATIVE), ("present", PRESENT)):
        says = [_says(level, fact, status, places) for level, fact in zip(batch.findings.levels, facts, strict=True)]
        rows, columns = _cells(batch.findings, says)
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


def _cells(findings: Findings, says: list[list[int]]) -> tuple[IntArray, IntArray]:
    """Return the (case, class) cells that findings speak of, from the classes each level speaks of."""
    sizes = np.array([len(one) for one in says], dtype=np.int64)
    flat = np.array([place for one in says for place in one], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    hit = np.flatnonzero(sizes[findings.codes]) if len(says) else np.empty(0, dtype=np.int64)
    repeats = sizes[findings.codes[hit]]
    rows = np.repeat(findings.row[hit], repeats)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return rows, flat[np.repeat(starts[findings.codes[hit]], repeats) + within]


def _tested(class_id: str, tested: frozenset[str] | None) -> bool:
    """Return whether an assay would have seen a class: every gene of it tested, and not by expression."""
    if tested is None:
        return False
    members = [row(one) for one in with_narrower(class_id)]
    rules = [one for one in members if one.gene and one.rule and one.kind != "expression"]
    return bool(rules) and row(class_id).kind != "expression" and all(covers(tested, one.gene) for one in rules)
