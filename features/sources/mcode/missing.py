"""What was not found: the inputs of the model, with the resource and the codes that a system can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.sources.mcode.codes import TOPICS
from features.sources.mcode.findings import Missing

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_TOPIC = (
    ("alterations", "variant"), ("tmb.mut_per_mb", "tmb"), ("mmr", "msi"), ("patient.pdl1_tps_percent", "pdl1_tps"),
    ("patient.ecog", "ecog"), ("patient.albumin_g_per_dl", "albumin"), ("patient.hemoglobin_g_per_dl", "hemoglobin"),
    ("patient.platelets_per_nl", "platelets"), ("patient.ldh_ratio_to_upper_limit", "ldh"),
    ("patient.smoking", "smoking"), ("stage", "stage"),
)  # fmt: skip
_MALIGNANT = (("http://snomed.info/sct", "363346000"),)


def missing_of(raw: Mapping[str, Any], has_therapy: bool) -> tuple[Missing, ...]:
    """Return the inputs that a case does not have; histology and therapy are required."""
    found = []
    if "histology" not in raw:
        found.append(Missing("histology", "Condition", _MALIGNANT, required=True))
    if not has_therapy:
        found.append(Missing("therapy", "MedicationRequest", (), required=True))
    for name, topic in _BY_TOPIC:
        if not _has(raw, name):
            found.append(Missing(name, "Observation", _loinc(*TOPICS[topic][:1])))
    if not _has(raw, "patient.nlr"):
        found.append(Missing("patient.nlr", "Observation", _loinc("751-8", "731-0")))
    if raw.get("prior_lines") is None and not raw.get("prior_therapies") and raw.get("prior_systemic_therapy") is None:
        found.append(Missing("prior_lines", "MedicationAdministration"))
    if not _has(raw, "patient.age_years"):
        found.append(Missing("patient.age_years", "Patient"))
    return tuple(found)


def _loinc(*listed: str) -> tuple[tuple[str, str], ...]:
    return tuple(("http://loinc.org", code) for code in listed)


def _has(raw: Mapping[str, Any], name: str) -> bool:
    if name == "alterations" and "specimens" in raw:
        return True
    value: Any = raw
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value is not None
