"""What no fold changes, worked out once per set of cases: columns of builders that learn nothing, and the evidence.

A resampling fits on parts of the same cases over and over. Of a fold's matrix only the columns that were learned
(which histologies, which therapy classes have a column) are new; everything else is rows of what the whole pool has.
Builders give the same bits for a case alone and among others, and the evidence is worked out per profile, so that a
fold's forecasts are those of a fit on its cases laid out alone, bit for bit (tests hold it).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from features.batch_rows import rows_of
from features.contract import BuildsForFamily
from features.table import FeatureTable
from models.evidence import EvidenceValues

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from features.batch import Batch
    from features.contract import Builder, Column, Group, Shown
    from models.inputs import FloatArray, IntArray
    from models.response import EvidenceLike

    Learns = dict[str, Any]


@dataclass(eq=False)
class Whole:
    """All cases of a pool and what was worked out of them so far, by builder and family, and of the evidence."""

    batch: Batch
    columns_known: dict[tuple[str, str | None], FloatArray] = field(default_factory=dict)
    evidence_known: list[tuple[EvidenceLike, EvidenceValues]] = field(default_factory=list)

    def columns(self, builder: Builder, family: str | None) -> FloatArray:
        """Return the columns of a builder that learns nothing, of all cases."""
        key = (builder.name, family)
        if key not in self.columns_known:
            self.columns_known[key] = _built(builder, self.batch, family)
        return self.columns_known[key]

    def evidence(self, term: EvidenceLike) -> EvidenceValues:
        """Return the evidence of all cases."""
        known = next((values for one, values in self.evidence_known if one is term), None)
        if known is None:
            known = term.evaluate(self.batch)
            self.evidence_known.append((term, known))
        return known

    def work_out(self, table: FeatureTable, term: EvidenceLike | None) -> None:
        """Work out at once what folds with this unfitted table and this evidence will ask for."""
        for builder in table.builders:
            if builder.fit(self.batch) is builder:
                self.columns(builder, table.family)
        if term is not None:
            self.evidence(term)

    def part(self, rows: IntArray | None = None) -> Part:
        """Return some of the cases, or all of them."""
        return Part(self, self.batch if rows is None else rows_of(self.batch, rows), rows)


@dataclass(frozen=True, eq=False)
class Part:
    """Some cases of a whole; ``rows`` says which, None all of them."""

    whole: Whole
    batch: Batch
    rows: IntArray | None = None

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the entries of these cases of what was worked out for all."""
        return values if self.rows is None else values[self.rows]


def _built(builder: Builder, batch: Batch, family: str | None) -> FloatArray:
    return builder.build_for(batch, family) if isinstance(builder, BuildsForFamily) else builder.build(batch)


def _part_of(parts: Sequence[Part], batch: Batch) -> Part | None:
    return next((part for part in parts if part.batch is batch), None)


@dataclass(frozen=True, eq=False)
class KnownColumns:
    """A builder that learns nothing, and whose columns of certain batches are known already."""

    builder: Builder
    parts: Sequence[Part]

    @property
    def name(self) -> str:
        """Name of the builder."""
        return self.builder.name

    @property
    def group(self) -> Group:
        """Group of its features."""
        return self.builder.group

    def columns(self) -> tuple[Column, ...]:
        """Return the contract of the columns."""
        return self.builder.columns()

    def build_for(self, batch: Batch, family: str | None = None) -> FloatArray:
        """Return the columns of a batch: rows of what is known, or built where it is another batch."""
        part = _part_of(self.parts, batch)
        return (
            _built(self.builder, batch, family) if part is None else part.of(part.whole.columns(self.builder, family))
        )

    def build(self, batch: Batch) -> FloatArray:
        """Return the columns of a batch, for every family."""
        return self.build_for(batch)

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return how the features of one case are shown."""
        return self.builder.show(batch, row)

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:
        """Return the coded warnings about one case."""
        return self.builder.warnings(batch, row)

    def fit(self, batch: Batch) -> KnownColumns:  # noqa: ARG002  (the contract of all builders)
        """Return itself: nothing is learned."""
        return self

    def parameters(self) -> Learns:
        """Return an empty mapping: nothing is learned."""
        return {}

    @classmethod
    def from_parameters(cls, parameters: Learns) -> KnownColumns:
        """Refuse: what is known belongs to cases in memory and is never stored."""
        raise NotImplementedError(f"known columns are not stored: {sorted(parameters)}")


class RememberedTable(FeatureTable):
    """A fitted table that makes the matrix of each batch of a fold once.

    Parameters
    ----------
    unfitted, fitted
        The table before and after its fit: a builder that learns nothing returned itself.
    parts
        Batches of which much is known.
    """

    def __init__(self, unfitted: FeatureTable, fitted: FeatureTable, parts: Sequence[Part]) -> None:
        pairs = zip(unfitted.builders, fitted.builders, strict=True)
        known = (cast("Builder", KnownColumns(after, parts)) if before is after else after for before, after in pairs)
        super().__init__(tuple(known), fitted.family)
        object.__setattr__(self, "_made", [])

    def matrix(self, batch: Batch) -> FloatArray:
        """Return the matrix of a batch; callers only read it."""
        made: list[tuple[Batch, FloatArray]] = self.__dict__["_made"]
        known = next((matrix for one, matrix in made if one is batch), None)
        if known is None:
            known = super().matrix(batch)
            known.setflags(write=False)
            made.append((batch, known))
        return known


@dataclass(frozen=True, eq=False)
class KnownEvidence:
    """An evidence term whose values for certain batches are known already."""

    term: EvidenceLike
    parts: Sequence[Part]

    def evaluate(self, batch: Batch) -> EvidenceValues:
        """Return the evidence of a batch: rows of what is known, or worked out where it is another batch."""
        part = _part_of(self.parts, batch)
        if part is None:
            return self.term.evaluate(batch)  # type: ignore[no-any-return]
        whole = part.whole.evidence(self.term)
        return EvidenceValues(
            log_odds=part.of(whole.log_odds),
            variance=part.of(whole.variance),
            names=whole.names,
            parts=part.of(whole.parts),
            covered=part.of(whole.covered),
            between_trial_variance=whole.between_trial_variance,
        )

    def nearest_arms(self, batch: Batch, row: int, k: int = 5) -> list[dict[str, Any]]:
        """Return the arms that the evidence of one case leans on."""
        return self.term.nearest_arms(batch, row, k)

    def to_json(self) -> dict[str, Any]:
        """Return the stored form of the term."""
        return self.term.to_json()
