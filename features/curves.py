"""Curves: hinges and steps beside the patient's numbers, so that an effect may bend where the clinic says it does.

They are columns of the patient builder's features (one contribution each) at cut-points that are used at the bedside,
never at one that was found in data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from features.contract import Column
from features.patient import measured_shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, FloatArray
    from features.contract import Group, Shown


@dataclass(frozen=True, slots=True)
class Bend:
    """One cut-point of one number: ``max(value - at, 0) / per``, or 1 from the cut-point on where ``per`` is 0.

    ``log``: doublings above the cut-point, ``log2(value / at)`` or 0, for what is spread over many of them.
    """

    feature: str
    at: float
    per: float
    unit: str
    sign: Literal[-1, 0, 1] = 0
    source: str = ""
    families: tuple[str, ...] = ("checkpoint", "targeted")
    log: bool = False

    @property
    def path(self) -> str:
        """Dotted path in a batch."""
        return f"patient.{self.feature}"

    def column(self) -> Column:
        """Return the contract of the column."""
        words = "from" if self.per == 0 else "above"
        name = f"{self.feature}_{words}_{self.at:g}"
        unit = "flag" if self.per == 0 else f"{self.per:g} {self.unit}"
        unit = f"log2({self.unit} / {self.at:g})" if self.log else unit
        return Column(name, self.feature, "patient", unit, self.sign, self.source, "indicator", self.families)


LABEL = "PMID 27718847"
"""Reck 2016 (KEYNOTE-024): a TPS of 50% or more; 1% is the label's other cut-point (PMID 26712084, KEYNOTE-010)."""

TARGETED = ("targeted",)

BENDS: tuple[Bend, ...] = (
    Bend("age_years", 50, 10, "years"),
    Bend("age_years", 65, 10, "years"),
    Bend("age_years", 75, 10, "years"),
    Bend("bmi_kg_per_m2", 25, 5, "kg/m2"),
    Bend("bmi_kg_per_m2", 30, 5, "kg/m2"),
    Bend("pdl1_tps_percent", 1, 0, "%", 1, "PMID 26712084", ("checkpoint",)),
    Bend("pdl1_tps_percent", 50, 0, "%", 1, LABEL, ("checkpoint",)),
    Bend("age_years", 40, 10, "years", families=TARGETED),
    Bend("bmi_kg_per_m2", 18.5, 5, "kg/m2", families=TARGETED),
    Bend("nlr", 3, 1, "ratio", families=TARGETED, log=True),
    Bend("nlr", 5, 1, "ratio", families=TARGETED, log=True),
    Bend("ldh_ratio_to_upper_limit", 1, 1, "ratio", families=TARGETED, log=True),
    Bend("ldh_ratio_to_upper_limit", 2, 1, "ratio", families=TARGETED, log=True),
)
"""Age: under 50 is early onset, 65 and 75 are where geriatric assessment and trial strata begin; BMI: overweight and
obese (WHO); TPS: the label's cut-points. For targeted therapy also: under 40 young adults end, BMI under 18.5 is
underweight (WHO), NLR 3 and 5 and LDH at and at twice the upper limit of normal are cut-points of prognostic scores.
On synthetic patients (seeds 101 to 105) they lower the error; checkpoint models of real patients keep their columns."""

_COLUMNS = tuple(bend.column() for bend in BENDS)
_PATHS = tuple(bend.path for bend in BENDS)
_AT = np.array([[bend.at] for bend in BENDS])
_PER = np.array([[bend.per or 1.0] for bend in BENDS])
_LOGS = [place for place, bend in enumerate(BENDS) if bend.log]
_STEPS = [place for place, bend in enumerate(BENDS) if bend.per == 0]
_FEATURES = frozenset(bend.feature for bend in BENDS)


@dataclass(frozen=True)
class CurvesBuilder:
    """Hinges and steps of the patient's numbers. Unknown is NaN, as the number itself. Learns nothing.

    Assumption: between two cut-points an effect is straight on the log-odds.
    """

    name: ClassVar[str] = "curves"
    group: ClassVar[Group] = "patient"

    def columns(self) -> tuple[Column, ...]:
        """Return one column per cut-point."""
        return _COLUMNS

    def build(self, batch: Batch) -> FloatArray:
        """Return the columns, shape (n, 13); NaN where unknown."""
        values = np.array([batch.numbers[path] for path in _PATHS])
        block = np.maximum(values - _AT, 0.0) / _PER
        block[_LOGS] = np.log2(np.maximum(values[_LOGS] / _AT[_LOGS], 1.0))
        steps = values[_STEPS]
        block[_STEPS] = np.where(np.isnan(steps), np.nan, steps >= _AT[_STEPS])
        columns: FloatArray = block.T.copy()
        return columns

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return the numbers themselves, as the patient builder shows them."""
        return measured_shown(batch, row, _FEATURES)

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:  # noqa: ARG002 - the patient builder warns
        """Return nothing."""
        return []

    def fit(self, batch: Batch) -> Self:  # noqa: ARG002 - nothing is learned
        """Return itself: nothing is learned."""
        return self

    def parameters(self) -> dict[str, Any]:
        """Return the cut-points, for the record."""
        return {"cut_points": [[bend.feature, bend.at] for bend in BENDS]}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:  # noqa: ARG003 - nothing is learned
        """Return the builder."""
        return cls()
