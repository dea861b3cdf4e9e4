"""Over which range each input of a case is varied when a page asks what would change the answer.

The ranges are what a clinic sees in most of its patients, set by hand and rounded; they are neither limits of validity
(:mod:`features.measures` has those) nor intervals of anything. A value that does not fit the rest of the case is left
out. Histology and therapy are not varied: another histology is another patient, another therapy is the ranking's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

STEPS = 9
"""Values of a number that are tried, both ends included."""


@dataclass(frozen=True)
class PlausibleRange:
    """One input and the values it is given.

    Attributes
    ----------
    path
        Dotted path of the case.
    name, unit
        As a clinician reads them.
    values
        What is tried, in order.
    whole
        Whether they are ends and steps of a number, or all there is.
    """

    path: str
    name: str
    unit: str
    values: tuple[Any, ...]
    whole: bool = False


def _even(low: float, high: float) -> tuple[float, ...]:
    step = (high - low) / (STEPS - 1)
    return tuple(round(low + k * step, 4) for k in range(STEPS))


def _log(low: float, high: float) -> tuple[float, ...]:
    """Return values with equal ratios, for numbers whose effect goes with their logarithm."""
    ratio = math.log(high / low) / (STEPS - 1)
    return tuple(float(f"{low * math.exp(k * ratio):.3g}") for k in range(STEPS))


def _number(path: str, name: str, unit: str, values: tuple[Any, ...]) -> PlausibleRange:
    return PlausibleRange(path, name, unit, values, whole=False)


def _all(path: str, name: str, *values: Any) -> PlausibleRange:
    return PlausibleRange(path, name, "", values, whole=True)


RANGES: tuple[PlausibleRange, ...] = (
    _number("tmb.mut_per_mb", "TMB", "mut/Mb", _log(1, 50)),
    _number("tmb.exome_nonsynonymous_count", "Exome TMB", "mutations", _log(10, 1500)),
    _number("tmb.blood_count", "Blood TMB", "mutations", _log(1, 60)),
    _all("mmr.reported", "Mismatch repair", "MSI-H", "MSS"),
    _number("prior_lines", "Prior lines", "lines", (0, 1, 2, 3, 4, 5)),
    _number("patient.age_years", "Age", "years", _even(30, 86)),
    _all("patient.sex", "Sex", "female", "male"),
    _all("patient.ecog", "ECOG", 0, 1, 2, 3),
    _number("patient.albumin_g_per_dl", "Albumin", "g/dL", _even(2.4, 4.8)),
    _number("patient.nlr", "Neutrophil-to-lymphocyte ratio", "ratio", _log(1, 20)),
    _number("patient.hemoglobin_g_per_dl", "Haemoglobin", "g/dL", _even(7, 16.6)),
    _number("patient.platelets_per_nl", "Platelets", "10⁹/L", _even(80, 560)),
    _number("patient.ldh_ratio_to_upper_limit", "LDH over its upper limit", "ratio", _log(0.5, 5)),
    _number("patient.bmi_kg_per_m2", "BMI", "kg/m²", _even(16, 40)),
    _number("patient.pdl1_tps_percent", "PD-L1 TPS", "%", (0, 1, 10, 25, 50, 75, 90, 100)),
    _number("patient.pdl1_cps", "PD-L1 CPS", "points", (0, 1, 5, 10, 20, 50, 100)),
    _number("patient.pdl1_ic_percent", "PD-L1 IC", "%", (0, 1, 5, 10, 25, 50)),
    _all("patient.brain_metastases", "Brain metastases", False, True),
    _all("patient.liver_metastases", "Liver metastases", False, True),
    _all("patient.bone_metastases", "Bone metastases", False, True),
    _number("patient.metastatic_sites", "Organs with metastases", "sites", (0, 1, 2, 3, 4, 5, 6)),
    _all("patient.imdc_risk", "IMDC risk", "favorable", "intermediate", "poor"),
    _all("patient.smoking", "Smoking", "never", "former", "current"),
)
"""Every input that is varied, in the order of the record."""
