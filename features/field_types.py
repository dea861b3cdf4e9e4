"""The kinds of field a case has: measured numbers with unit and range, closed vocabularies, resolved names.

A number outside its range is refused, and where another unit explains it the message says which. Nothing is clipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import PydanticCustomError, core_schema

from features.errors import CaseRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler


@dataclass(frozen=True)
class OtherUnit:
    """A range in which a value most likely came in another unit."""

    low: float
    high: float
    unit: str


@dataclass(frozen=True)
class Measure:
    """Unit and plausible range of a measured number, both ends included.

    The range is what a living adult can have, not what is healthy: it is there to catch other units and slips of
    the pen.
    """

    unit: str
    low: float
    high: float
    other_units: tuple[OtherUnit, ...] = ()

    def check(self, value: float) -> float:
        """Return the value, or refuse it with the range, the unit and the likely other unit."""
        if not math.isfinite(value):
            raise PydanticCustomError("not_finite", "is not a finite number; leave it out when it is unknown")
        if self.low <= value <= self.high:
            return value
        hint = next((o.unit for o in self.other_units if o.low <= value <= o.high), None)
        likely = f"; {value:g} looks like {hint}; this field is {self.unit}" if hint else ""
        raise PydanticCustomError(
            "out_of_range",
            "{seen} is outside {low} to {high} {unit}{likely}",
            {
                "seen": f"{value:g}",
                "low": f"{self.low:g}",
                "high": f"{self.high:g}",
                "unit": self.unit,
                "likely": likely,
            },
        )


@dataclass(frozen=True)
class Number:
    """Marks an optional number of a case: its measure and its meaning. Absent and null both mean unknown."""

    measure: Measure
    description: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = dict(handler(schema))
        found.update(
            {
                "description": f"{self.description} [{self.measure.unit}]",
                "unit": self.measure.unit,
                "minimum": self.measure.low,
                "maximum": self.measure.high,
            }
        )
        return found

    def _check(self, value: float | None) -> float | None:
        return value if value is None else self.measure.check(value)


@dataclass(frozen=True)
class Resolved:
    """Marks a text that a vocabulary resolves to its one canonical spelling."""

    resolve: Callable[[str], str]
    description: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._resolve, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "description": self.description}

    def _resolve(self, value: str) -> str:
        try:
            return self.resolve(value)
        except CaseRefusal as refusal:
            raise as_pydantic(refusal) from None


def as_pydantic(refusal: CaseRefusal) -> PydanticCustomError:
    """Return a refusal in the form that pydantic gathers; :mod:`features.case_refusals` turns it back."""
    return PydanticCustomError(
        refusal.code,
        "{message}",
        {
            "message": refusal.message,
            "allowed": refusal.allowed,
            "nearest": refusal.nearest,
            "way_out": refusal.way_out,
        },
    )


Truth = bool | None
"""True, false, or unknown (absent or null). Records are strict: neither 0 nor 1 nor "yes" is taken for it."""

SpecimenSource = Literal["tissue", "blood"]
AlterationKind = Literal["mutation", "amplification", "deletion", "fusion", "expression"]
AlterationStatus = Literal["present", "absent", "not_detected"]
Origin = Literal["somatic", "germline"]
ExpressionLevel = Literal["0", "1+", "2+", "3+", "low", "high", "positive", "negative"]
MmrResult = Literal["deficient", "proficient", "equivocal"]
ProteinResult = Literal["lost", "retained", "equivocal"]
MsiResult = Literal["MSI-H", "MSI-L", "MSS", "indeterminate"]
Response = Literal["CR", "PR", "SD", "PD", "NE"]
Setting = Literal["metastatic", "adjuvant", "neoadjuvant", "locally_advanced"]
