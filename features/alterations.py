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
from features.alteration_columns import COLUMNS, MATCH_FAMILIES, MATCH_STATES, PLACE, STATUSES, TOGETHER
from features.alteration_shown import shown_of, warnings_of
from features.class_matrix import class_matrix
from features.driver_classes import row
from features.finding_levels import (
    GENE_BITS,
    STATUS_GENE_MASKS,
    assays,
    cells_of,
    facts_of,
    from_blood,
    mask_tested_by,
    numbers_of,
)
from features.runs import Runs
from features.target_match import MatchColumns, match_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from features.batch import Batch, Findings, FloatArray, IntArray
    from features.contract import Column, Group, Shown
    from features.finding_levels import Assays

    BoolArray = NDArray[np.bool_]

__all__ = ["AlterationsBuilder", "class_matrix"]

SMALL_CELL = "SCLC"
"""OncoTree code of small-cell lung carcinoma, the histology that EGFR-mutant tumours may change to."""

_OF_FINDINGS = [PLACE[name] for name in ("passengers_log1p", "clonal_haematopoiesis_log1p", "findings_from_blood")]
"""Columns that are unknown where findings were not recorded."""

_MATCH = slice(PLACE[MATCH_STATES[0][0]], PLACE["match_clonality"] + 1)

_BITS: IntArray = 1 << np.arange(len(STATUSES), dtype=np.int64)
_STATUS_OF = np.array([np.nan, 0.0, 1.0, 1.0])
"""By negative + 2 * present."""
assert len(GENE_BITS) < 63, "more genes than fit a mask"  # noqa: S101  (a fact of the code, not of the input)


@dataclass(frozen=True, slots=True)
class Counted:
    """Findings of a batch gathered to cases.

    ``present``, ``negative`` and ``blocked`` are masks (n,) of statuses, of genes ruled out and of genes that stay
    unknown; ``of_tumour`` says that a case has a somatic finding outside clonal haematopoiesis; ``passengers`` and
    ``haematopoietic`` are counts.
    """

    present: IntArray
    negative: IntArray
    blocked: IntArray
    of_tumour: np.ndarray[Any, np.dtype[np.bool_]]
    passengers: IntArray
    haematopoietic: IntArray


def counted(findings: Findings, n: int, blood: FloatArray) -> Counted:
    """Gather the findings of each case: masks by union, counts by sum."""
    each, rows, runs = numbers_of(findings.levels)[:6, findings.codes], findings.row, Runs.of(findings.row, n)
    each[5] &= blood[rows] == 1.0
    each[4] &= 1 - each[5]
    present, negative, blocked = runs.union(each[:3])
    tumour, passengers, haematopoietic = runs.total(each[3:])
    return Counted(present, negative, blocked, tumour > 0, passengers, haematopoietic)


def statuses(batch: Batch, found: Counted, blood: FloatArray, assayed: Assays) -> FloatArray:
    """Return the status columns, shape (n, len(STATUSES)): 1 present, 0 negative, NaN unknown."""
    which, kinds = assayed
    by_assay = np.array([mask_tested_by(*kind) for kind in kinds], dtype=np.int64)[which]
    ruled_out = (found.negative | by_assay * batch.findings_recorded) & ~found.blocked
    ruled_out[(blood == 1.0) & ~found.of_tumour] = 0
    negative = (ruled_out[:, None] & STATUS_GENE_MASKS) == STATUS_GENE_MASKS
    present = found.present[:, None] & _BITS > 0
    columns: FloatArray = _STATUS_OF[negative + 2 * present]
    return columns


_PAIRS = np.array([[PLACE[one], PLACE[other]] for _, _, one, other, _, _ in TOGETHER]).T
_TOGETHER = slice(PLACE[TOGETHER[0][0]], PLACE[TOGETHER[-1][0]] + 1)


def together(grid: FloatArray) -> FloatArray:
    """Return columns for two alterations together: 0 when either is known to be absent, NaN when unknown."""
    one, other = grid[:, _PAIRS[0]], grid[:, _PAIRS[1]]
    product = one * other
    product[(one == 0.0) | (other == 0.0)] = 0.0
    return product


def _transformed(batch: Batch) -> FloatArray:
    """Return 1 where a tumour not small-cell at diagnosis is small-cell now; 0 where no change is recorded."""
    now, then = batch.texts["histology"], batch.texts["histology_at_diagnosis"]
    if not then.levels:
        return np.zeros(batch.n)

    def small_cell(code: str) -> float:
        return float(SMALL_CELL in histology.lineage(code))

    changed: FloatArray = ((now.gather(small_cell) == 1.0) & (then.gather(small_cell) == 0.0)).astype(np.float64)
    return changed


def _drivers(findings: Findings, ids: dict[str, int], n: int) -> IntArray:
    """Return each driver of each case once, as case + n * class; ``ids`` numbers the classes and grows."""
    says = [
        [ids.setdefault(one, len(ids)) for one in fact.reading.narrowest if _of_a_specimen(one)]
        if fact.status == "present" and not fact.haematopoietic
        else []
        for fact in facts_of(findings.levels)
    ]
    rows, places = cells_of(findings, says)
    return np.unique(rows + n * places)


def _of_a_specimen(class_id: str) -> bool:
    return row(class_id).effect != "passenger" and row(class_id).kind != "expression"


def disagreement(batch: Batch) -> FloatArray:
    """Return 1 where another specimen has a driver that the counting one lacks, or lacks one; NaN without another.

    What the other assay could see is not known here: a gene it did not test is read as a difference too.
    """
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
    >>> case = {"histology": "LUAD", "therapy": {"agents": ["osimertinib"]},
    ...         "assay": {"genes_tested": ["EGFR", "KRAS"]},
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
        return self.build_for(batch)

    def build_for(self, batch: Batch, family: str | None = None) -> FloatArray:
        """Return the columns; those on the match with the therapy are NaN for a family that does not use them.

        The cases of a small batch are shown as well as scored, so what was worked out is kept and added to.
        """
        if family is None or family in MATCH_FAMILIES:
            return batch.reading("columns of alterations", self._matched)
        return batch.reading("alterations without a match", self._unmatched)[0]

    def _matched(self, batch: Batch) -> FloatArray:
        unmatched, blood, of_tumour, assayed = batch.reading("alterations without a match", self._unmatched)
        grid, facts = unmatched.copy(), facts_of(batch.findings.levels)
        self._fill_match(grid, match_columns(batch, facts, blood, of_tumour, assayed))
        return grid

    @staticmethod
    def _unmatched(batch: Batch) -> tuple[FloatArray, FloatArray, BoolArray, Assays]:
        """Return the columns but those on the match, and what that needs: blood, tumour DNA and assays."""
        grid = np.empty((batch.n, len(COLUMNS)))
        blood, assayed = from_blood(batch), assays(batch)
        found = counted(batch.findings, batch.n, blood)
        grid[:, : len(STATUSES)] = statuses(batch, found, blood, assayed)
        grid[:, _TOGETHER] = together(grid)
        grid[:, _MATCH] = np.nan
        grid[:, _OF_FINDINGS[0]] = np.log1p(found.passengers)
        grid[:, _OF_FINDINGS[1]] = np.where(blood == 1.0, np.log1p(found.haematopoietic), np.nan)
        grid[:, _OF_FINDINGS[2]] = blood
        if not batch.findings_recorded.all():
            grid[(~batch.findings_recorded).nonzero()[0][:, None], _OF_FINDINGS] = np.nan
        grid[:, PLACE["specimens_disagree"]] = disagreement(batch)
        grid[:, PLACE["small_cell_transformation"]] = _transformed(batch)
        return grid, blood, found.of_tumour, assayed

    @staticmethod
    def _fill_match(grid: FloatArray, match: MatchColumns) -> None:
        for name, state, _ in MATCH_STATES:
            grid[:, PLACE[name]] = match.states[state]
        grid[:, PLACE["resistance_present"]] = match.resistance
        grid[:, PLACE["match_evidence_level"]] = match.level
        grid[:, PLACE["match_clonality"]] = match.clonality

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return one :class:`~features.contract.Shown` per feature of one case."""
        near, place = batch.near(row)
        return shown_of(near, place, self.build(near)[place])

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:
        """Return coded warnings: old specimen, unreadable notation, a therapy undone or not met."""
        return warnings_of(*batch.near(row))

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
