"""Patient: age, sex, performance, blood values, PD-L1 and spread of disease.

PD-L1 scores of different readings (TPS, CPS, IC, the SP142 class) are features of their own and never one number.
Race is never read here. Values beyond a cap count as the cap, and are shown with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from features.contract import Column, Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, FloatArray
    from features.contract import Group

LORIS = "doi 10.1038/s43018-024-00772-7"
"""Chang 2024: six inputs and their signs in 2,881 patients; its caps are those below."""

BOTH = ("checkpoint", "targeted")
CHECKPOINT = ("checkpoint",)

PERCENT = "{label} {value:g}%"
_UNIT_SAID = {"grade": "", "ratio": "", "points": "", "flag": "", "sites": ""}
"""Units that a reader does without."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of a patient as a column: capped, then as it is or as log2(1 + value); ``said`` puts it in words."""

    feature: str
    unit: str
    label: str
    said: str = "{label} {value:g}"
    cap: float = math.inf
    log: bool = False
    sign: Literal[-1, 0, 1] = 0
    source: str = ""
    families: tuple[str, ...] = BOTH

    @property
    def path(self) -> str:
        """Dotted path in a batch."""
        return f"patient.{self.feature}"

    def column(self) -> Column:
        """Return the contract of the column."""
        unit = f"log2(1+{self.unit})" if self.log else self.unit
        name = f"{self.feature}_log2" if self.log else self.feature
        return Column(name, self.feature, "patient", unit, self.sign, self.source, "indicator", self.families)


@dataclass(frozen=True, slots=True)
class Graded:
    """One text of a patient as an ordered number."""

    feature: str
    column_name: str
    label: str
    grades: Mapping[str, float]
    said: str
    sign: Literal[-1, 0, 1] = 0
    source: str = ""
    families: tuple[str, ...] = BOTH

    @property
    def path(self) -> str:
        """Dotted path in a batch."""
        return f"patient.{self.feature}"

    def column(self) -> Column:
        """Return the contract of the column."""
        return Column(
            self.column_name, self.feature, "patient", "grade", self.sign, self.source, "indicator", self.families
        )


MEASURED: tuple[Measured, ...] = (
    Measured("age_years", "years", "age", "{label} {value:g} years", cap=85),
    Measured("ecog", "grade", "ECOG"),
    Measured("albumin_g_per_dl", "g/dL", "albumin", "{label} {value:g} g/dL", sign=1, source=LORIS),
    Measured("nlr", "ratio", "neutrophil-to-lymphocyte ratio", cap=25, log=True, sign=-1, source=LORIS),
    Measured("ldh_ratio_to_upper_limit", "ratio", "LDH", "{label} {value:g} times the upper limit", log=True),
    Measured("hemoglobin_g_per_dl", "g/dL", "haemoglobin", "{label} {value:g} g/dL"),
    Measured("platelets_per_nl", "10^9/L", "platelets", "{label} {value:g} x 10^9/L", log=True),
    Measured("bmi_kg_per_m2", "kg/m2", "BMI", "{label} {value:g} kg/m2"),
    Measured("pdl1_tps_percent", "%", "PD-L1 TPS", PERCENT, sign=1, source="PMID 25891174", families=CHECKPOINT),
    Measured("pdl1_cps", "points", "PD-L1 CPS", sign=1, source="PMID 29543932", families=CHECKPOINT),
    Measured("pdl1_ic_percent", "%", "PD-L1 IC", PERCENT, sign=1, source="PMID 26952546", families=CHECKPOINT),
    Measured("brain_metastases", "flag", "brain metastases"),
    Measured("liver_metastases", "flag", "liver metastases", sign=-1, source="PMID 28411193", families=CHECKPOINT),
    Measured("bone_metastases", "flag", "bone metastases"),
    Measured("metastatic_sites", "sites", "number of organs with metastases"),
)
"""Signs: Garon 2015 (TPS), Fuchs 2018 (CPS), Rosenberg 2016 (IC), Tumeh 2017 (liver). Without a source: sign 0."""

GRADED: tuple[Graded, ...] = (
    Graded("sex", "sex_female", "sex", {"female": 1.0, "male": 0.0}, "{value} sex"),
    Graded(
        "pdl1_tc_ic",
        "pdl1_tc_ic_class",
        "PD-L1 class of SP142",
        {"TC0/IC0": 0.0, "TC1+/IC1+": 1.0, "TC2+/IC2+": 2.0, "TC3/IC3": 3.0},
        "PD-L1 {value} (SP142)",
        sign=1,
        source="PMID 26970723",
        families=CHECKPOINT,
    ),
    Graded(
        "imdc_risk",
        "imdc_risk_grade",
        "IMDC risk",
        {"favorable": 0.0, "intermediate": 1.0, "poor": 2.0},
        "IMDC {value} risk",
    ),
    Graded(
        "smoking",
        "ever_smoker",
        "smoking history",
        {"never": 0.0, "former": 1.0, "current": 1.0, "ever": 1.0},
        "{value} smoker",
    ),
)
"""Sign of the TC/IC class: Fehrenbacher 2016 (POPLAR)."""

_PATHS = tuple(measured.path for measured in MEASURED)
_CAPS = np.array([[measured.cap] for measured in MEASURED])
_LOGS = [place for place, measured in enumerate(MEASURED) if measured.log]
_COLUMNS = (*(item.column() for item in MEASURED), *(item.column() for item in GRADED))


@dataclass(frozen=True)
class PatientBuilder:
    """What is known of the patient at the index date. Unknown is NaN; nothing is imputed. Learns nothing.

    Assumption: each number acts monotonically on the log-odds; no U-shape is declared, since none has a source.
    """

    name: ClassVar[str] = "patient"
    group: ClassVar[Group] = "patient"

    def columns(self) -> tuple[Column, ...]:
        """Return the measured columns, then the graded ones."""
        return _COLUMNS

    def build(self, batch: Batch) -> FloatArray:
        """Return the columns, shape (n, 19); NaN where unknown."""
        numbers = batch.numbers
        block = np.full((len(_COLUMNS), batch.n), np.nan)
        measured = block[: len(MEASURED)]
        np.minimum([numbers[path] for path in _PATHS], _CAPS, out=measured)
        measured[_LOGS] = np.log2(measured[_LOGS] + 1.0)
        for place, graded in enumerate(GRADED, start=len(MEASURED)):
            coded = batch.texts[graded.path]
            if coded.levels:
                block[place] = coded.gather(graded.grades.__getitem__)
        return np.ascontiguousarray(block.T)

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return every value as it was given, and the cap where it counts."""
        measured = [_shown_number(item, float(batch.numbers[item.path][row])) for item in MEASURED]
        return (*measured, *(_shown_text(item, batch, row) for item in GRADED))

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:
        """Warn when several PD-L1 readings are given: they are not one number."""
        given = [
            item.label for item in MEASURED if "pdl1" in item.feature and not np.isnan(batch.numbers[item.path][row])
        ]
        if batch.texts["patient.pdl1_tc_ic"].codes[row] >= 0:
            given.append(GRADED[1].label)
        return [f"pdl1_several: {', '.join(given)} are read apart"] if len(given) > 1 else []

    def fit(self, batch: Batch) -> Self:  # noqa: ARG002 - nothing is learned
        """Return itself: nothing is learned."""
        return self

    def parameters(self) -> dict[str, Any]:
        """Return the caps, for the record."""
        return {"caps": {item.feature: item.cap for item in MEASURED if math.isfinite(item.cap)}}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:  # noqa: ARG003 - nothing is learned
        """Return the builder."""
        return cls()


def measured_shown(batch: Batch, row: int, features: frozenset[str]) -> list[Shown]:
    """Return how some of the measured features of one case are shown."""
    return [_shown_number(item, float(batch.numbers[item.path][row])) for item in MEASURED if item.feature in features]


def _shown_number(item: Measured, value: float) -> Shown:
    sources, unit = (item.source,) if item.source else (), _UNIT_SAID.get(item.unit, item.unit)
    if math.isnan(value):
        return Shown(item.feature, "patient", None, unit, f"{item.label} not known", sources, (item.path,))
    if item.unit == "flag":
        return Shown(item.feature, "patient", bool(value), unit, item.label if value else f"no {item.label}", sources)
    capped = f" (counted as {item.cap:g}, the cap)" if value > item.cap else ""
    text = item.said.format(label=item.label, value=value) + capped
    return Shown(item.feature, "patient", int(value) if value.is_integer() else value, unit, text, sources)


def _shown_text(item: Graded, batch: Batch, row: int) -> Shown:
    coded = batch.texts[item.path]
    sources = (item.source,) if item.source else ()
    if coded.codes[row] < 0:
        return Shown(item.feature, "patient", None, "", f"{item.label} not known", sources, (item.path,))
    value = coded.levels[coded.codes[row]]
    return Shown(item.feature, "patient", value, "", item.said.format(value=value), sources)
