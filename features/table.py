"""FeatureTable: ordered builders, the matrix they make of a batch, and the contract of its columns.

The matrix holds the builders' columns in order and, behind them, one 0/1 column for every feature that can be
unknown (``<feature>__missing``). Columns of one feature are one contribution in every explanation.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from features.alterations import AlterationsBuilder
from features.contract import BuildsForFamily, Column
from features.curves import CurvesBuilder
from features.errors import Refusal
from features.histology_builder import HistologyBuilder
from features.in_tissue import AlterationsInTissueBuilder, BurdenInTissueBuilder, MismatchRepairInTissueBuilder
from features.mismatch_repair import MismatchRepairBuilder
from features.mutational_burden import MutationalBurdenBuilder
from features.patient import PatientBuilder
from features.prior_lines import PriorLinesBuilder
from features.therapy import TherapyBuilder
from features.therapy_context import TherapyContextBuilder
from features.therapy_in_histology import TherapyInHistologyBuilder
from features.therapy_interactions import TherapyInteractionsBuilder
from features.vocabulary import version as vocabulary_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from features.batch import Batch, FloatArray, IntArray
    from features.contract import Builder, Group, Shown

BUILDERS: tuple[type[Builder], ...] = (
    HistologyBuilder,
    AlterationsBuilder,
    AlterationsInTissueBuilder,
    MutationalBurdenBuilder,
    BurdenInTissueBuilder,
    MismatchRepairBuilder,
    MismatchRepairInTissueBuilder,
    PriorLinesBuilder,
    TherapyBuilder,
    TherapyInHistologyBuilder,
    TherapyInteractionsBuilder,
    TherapyContextBuilder,
    PatientBuilder,
    CurvesBuilder,
)
"""All registered builders, in the order of the table; the contract tests run over each of them."""

MISSING_SUFFIX = "__missing"


class ContractBroken(Refusal):
    """A stored feature contract is not the one that this code builds."""

    code = "contract_broken"
    exit_code = 3


@dataclass(frozen=True)
class Feature:
    """What one contribution of an answer is about: one or several columns."""

    name: str
    group: Group
    columns: tuple[int, ...]


@dataclass(frozen=True)
class FeatureTable:
    """Ordered builders for one model family.

    Attributes
    ----------
    builders
        Fitted or unfitted builders, in order.
    family
        ``checkpoint`` or ``targeted``; columns that name other families only are left out.
    """

    builders: tuple[Builder, ...]
    family: str

    @classmethod
    def for_family(cls, family: str, leave_out: Iterable[str] = ()) -> FeatureTable:
        """Return the unfitted table of a family, without the builders named in ``leave_out``."""
        without = set(leave_out)
        return cls(tuple(kind() for kind in BUILDERS if kind.name not in without), family)

    def fit(self, batch: Batch) -> FeatureTable:
        """Return the table with every builder fitted on training cases; outcomes are never seen."""
        return FeatureTable(tuple(builder.fit(batch) for builder in self.builders), self.family)

    @cached_property
    def _kept(self) -> tuple[tuple[IntArray | slice, tuple[Column, ...]], ...]:
        """Return, by builder, which of its columns this family uses, and their contracts."""
        kept = []
        for builder in self.builders:
            columns = builder.columns()
            places = [i for i, column in enumerate(columns) if self.family in column.families]
            chosen = slice(None) if len(places) == len(columns) else np.array(places, dtype=np.int64)
            kept.append((chosen, tuple(columns[i] for i in places)))
        return tuple(kept)

    @cached_property
    def _blocks(self) -> list[tuple[Callable[[Batch], FloatArray], IntArray | slice, slice]]:
        """Return how this family's blocks are built, which columns it uses, and where those stand in the matrix."""
        ends = np.cumsum([len(columns) for _, columns in self._kept]).tolist()
        return [
            (self._build_of(builder), chosen, slice(end - len(columns), end))
            for builder, (chosen, columns), end in zip(self.builders, self._kept, ends, strict=True)
            if columns
        ]

    def _build_of(self, builder: Builder) -> Callable[[Batch], FloatArray]:
        return partial(builder.build_for, family=self.family) if isinstance(builder, BuildsForFamily) else builder.build

    @cached_property
    def value_columns(self) -> tuple[Column, ...]:
        """The builders' own columns, in order; those with policy ``indicator`` may be NaN."""
        return tuple(column for _, columns in self._kept for column in columns)

    @cached_property
    def _indicators(self) -> tuple[tuple[str, Group, tuple[int, ...]], ...]:
        places: dict[str, list[int]] = {}
        groups: dict[str, Group] = {}
        for i, column in enumerate(self.value_columns):
            if column.missing == "indicator":
                places.setdefault(column.feature, []).append(i)
                groups[column.feature] = column.group
        return tuple((feature, groups[feature], tuple(found)) for feature, found in places.items())

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns of the matrix: values, then missing indicators."""
        indicators = (
            Column(feature + MISSING_SUFFIX, feature, group, families=(self.family,))
            for feature, group, _ in self._indicators
        )
        return (*self.value_columns, *indicators)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The features in order of their first column, each with all its columns."""
        places: dict[str, list[int]] = {}
        groups: dict[str, Group] = {}
        for i, column in enumerate(self.columns):
            places.setdefault(column.feature, []).append(i)
            groups.setdefault(column.feature, column.group)
        return tuple(Feature(name, groups[name], tuple(found)) for name, found in places.items())

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(feature.name for feature in self.features)

    @cached_property
    def _first_of_indicator(self) -> IntArray:
        return np.array([places[0] for _, _, places in self._indicators], dtype=np.int64)

    def matrix(self, batch: Batch) -> FloatArray:
        """Return the matrix of a batch, shape (batch.n, len(columns)); NaN is unknown.

        An indicator is 1 where the first column of its feature is NaN: all columns of one feature are unknown
        together, which the contract tests check.
        """
        matrix = np.empty((batch.n, len(self.columns)))
        for build, chosen, block in self._blocks:
            matrix[:, block] = build(batch)[:, chosen]
        matrix[:, len(self.value_columns) :] = np.isnan(matrix[:, self._first_of_indicator])
        return matrix

    def show(self, batch: Batch, row: int) -> dict[str, Shown]:
        """Return, by feature name, how the features of one case are shown to a person."""
        near, place = batch.near(row)
        shown = [item for builder in self.builders for item in builder.show(near, place)]
        return {item.feature: item for item in shown if item.feature in self._names}

    def readings(self, batch: Batch, row: int) -> dict[str, Shown]:
        """Return how a case is read before any training: every feature of the family, learned levels or not."""
        near, place = batch.near(row)
        of_others = {column.feature for builder in self.builders for column in builder.columns()} - self._names
        shown = (item for builder in self.builders for item in builder.show(near, place))
        return {item.feature: item for item in shown if item.feature not in of_others}

    def warnings(self, batch: Batch, row: int) -> list[str]:
        """Return the coded warnings of all builders about one case."""
        near, place = batch.near(row)
        return [warning for builder in self.builders for warning in builder.warnings(near, place)]

    def to_dict(self) -> dict[str, Any]:
        """Return the contract and the fitted parameters: the artefact's ``features.json``."""
        return {
            "family": self.family,
            "vocabulary": vocabulary_version(),
            "builders": [{"name": b.name, "parameters": b.parameters()} for b in self.builders],
            "columns": [column.to_dict() for column in self.columns],
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the contract and the fitted parameters."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FeatureTable:
        """Return the table a contract was stored from.

        Raises
        ------
        ContractBroken
            When a builder is unknown, or the columns this code builds are not those that were stored.
        """
        kinds = {kind.name: kind for kind in BUILDERS}
        unknown = [entry["name"] for entry in stored["builders"] if entry["name"] not in kinds]
        if unknown:
            raise ContractBroken(f"the builders {unknown} are not known to this version", allowed=kinds)
        builders = (kinds[e["name"]].from_parameters(e["parameters"]) for e in stored["builders"])
        table = cls(tuple(builders), stored["family"])
        _same_columns([c.to_dict() for c in table.columns], stored["columns"])
        return table


def _same_columns(built: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]]) -> None:
    """Refuse an artefact of another version; the first column that differs is named, with what differs in it."""
    way_out = "Use the version that made the artefact, or train it anew (`make demo` for the demo's)."
    for ours, theirs in zip(built, stored, strict=False):
        if ours["name"] != theirs["name"]:
            text = f"column {theirs['name']!r} was stored where this version builds {ours['name']!r}"
            raise ContractBroken(text, way_out=way_out)
        if differs := [key for key in theirs if theirs[key] != ours.get(key)]:
            said = ", ".join(f"{key} {theirs[key]!r}, now {ours.get(key)!r}" for key in differs)
            raise ContractBroken(f"column {theirs['name']!r} was stored with {said}", way_out=way_out)
    if len(built) != len(stored):
        text = f"{len(stored)} columns were stored, this version builds {len(built)}"
        raise ContractBroken(text, way_out=way_out)
