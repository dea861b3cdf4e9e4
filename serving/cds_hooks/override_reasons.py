"""Why a clinician sets a card aside: the coded reasons of the audit log, in words of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.fhir.settings import ClinicalSettings

LABELS: dict[str, str] = {
    "patient_preference": "Patient's preference",
    "comorbidity": "Comorbidity",
    "contraindication": "Contraindication",
    "interaction": "Interaction with another drug",
    "guideline": "A guideline says otherwise",
    "tumour_board": "Tumour board decided otherwise",
    "trial": "Patient takes part in a trial",
    "access": "Drug is not available or not paid for",
    "estimate_implausible": "The estimate is implausible",
    "input_wrong": "The estimate rests on wrong data",
    "outside_intended_population": "Patient is outside the intended population",
    "other": "Another reason",
}
"""One label for each :data:`serving.audit.entries.OverrideReason`; a test holds the two together."""

OTHER = "other"


def system(settings: ClinicalSettings) -> str:
    """Return the code system of our reasons."""
    return f"{settings.public_url}/override"


def override_reasons(settings: ClinicalSettings) -> list[dict[str, str]]:
    """Return the reasons as a card lists them."""
    return [{"system": system(settings), "code": code, "display": label} for code, label in LABELS.items()]
