"""What is offered at GET /cds-services, and with which prefetch.

Templates stay within the subset that every CDS client implements: an instance read, or a search by patient and by
tokens compared for equality. Codes and not displays are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.sources.mcode.codes import TOPICS
from models.intended_use import INTENDED_USE
from serving.fhir.capability import software_version
from serving.fhir.systems import LOINC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.fhir.settings import ClinicalSettings

ORDER_SELECT, PATIENT_VIEW = "order-select", "patient-view"

_MMR = ("MLH1", "MSH2", "MSH6", "PMS2")

MOLECULAR = ("variant", "regions_studied", "tmb", "msi", "msi_by_stain", *(f"mmr.{one}" for one in _MMR))
TUMOUR = (
    *("pdl1_tps", "pdl1_presence", "pdl1_report", "her2_ihc", "her2_fish", "er", "pr", "alk_fish"),
    *("histology", "stage", "disease_status"),
)
CLINICAL = (
    *("ecog", "karnofsky", "bmi", "smoking", "albumin", "hemoglobin", "platelets", "ldh"),
    *("neutrophils", "lymphocytes", "neutrophils_percent", "lymphocytes_percent"),
)
"""Topics of the observations of each prefetch; together with ``age`` they are all that is read."""

REPORT = "51969-4"
"""LOINC of a genomics report."""


@dataclass(frozen=True)
class Service:
    """One CDS service.

    Attributes
    ----------
    identity
        Last part of its address.
    hook
        When it is called.
    """

    identity: str
    hook: str
    title: str
    description: str


SERVICES = (
    Service(
        "response-estimate-orders",
        ORDER_SELECT,
        "Estimated response to the selected systemic therapy",
        "For each drafted systemic cancer therapy: the estimated probability of an objective response, its interval "
        "and the reasons. Information only, for clinical research.",
    ),
    Service(
        "response-estimate-patient",
        PATIENT_VIEW,
        "Estimated response to systemic therapies",
        "The systemic therapies with the highest estimates for a patient with cancer, with intervals. Information "
        "only, for clinical research.",
    ),
)


def offered(settings: ClinicalSettings) -> tuple[Service, ...]:
    """Return the services that this site offers; ``patient-view`` must be asked for."""
    return tuple(one for one in SERVICES if one.hook != PATIENT_VIEW or settings.patient_view)


def prefetch_templates() -> Mapping[str, str]:
    """Return key to template, the same for every service.

    Examples
    --------
    >>> prefetch_templates()["patient"]
    'Patient/{{context.patientId}}'
    """
    of_patient = "patient={{context.patientId}}"
    return {
        "patient": "Patient/{{context.patientId}}",
        "conditions": f"Condition?{of_patient}",
        "molecular": f"Observation?{of_patient}&code={_tokens(_codes(MOLECULAR))}",
        "tumour": f"Observation?{of_patient}&code={_tokens(_codes(TUMOUR))}",
        "clinical": f"Observation?{of_patient}&code={_tokens(_codes(CLINICAL))}",
        "reports": f"DiagnosticReport?{of_patient}&code={_tokens((REPORT,))}",
        "specimens": f"Specimen?{of_patient}",
        "administrations": f"MedicationAdministration?{of_patient}",
        "requests": f"MedicationRequest?{of_patient}",
        "statements": f"MedicationStatement?{of_patient}",
        "episodes": f"EpisodeOfCare?{of_patient}",
    }


REQUIRED = ("patient", "conditions", "molecular")
"""Without these nothing is estimated. The others may be declined, and what they hold is then unknown."""


def _codes(topics: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code for topic in topics for code in TOPICS[topic])


def _tokens(codes: tuple[str, ...]) -> str:
    return ",".join(f"{LOINC}|{code}" for code in codes)


def discovery(settings: ClinicalSettings) -> dict[str, Any]:
    """Return the answer of GET /cds-services."""
    return {"services": [_described(one) for one in offered(settings)]}


def _described(service: Service) -> dict[str, Any]:
    return {
        "hook": service.hook,
        "id": service.identity,
        "title": service.title,
        "description": service.description,
        "prefetch": dict(prefetch_templates()),
        "usageRequirements": f"{INTENDED_USE} Prefetch only: nothing is read from fhirServer.",
        "version": software_version(),
        "hookVersion": "1.0",
    }
