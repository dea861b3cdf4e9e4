"""Code systems and the few codes that we emit: codes and labels of our own, no text of a licensed terminology.

Sources: HL7 FHIR R4 (4.0.1), AI Transparency on FHIR 1.0.0-ballot, THO; see docs/integration.md.
"""

from __future__ import annotations

import re
from typing import Any

from serving.fhir.outcome import plain

FHIR_VERSION = "4.0.1"

LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
SNOMED = "http://snomed.info/sct"

AI_ASSERTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}
"""Security label: asserted by artificial intelligence. On every resource of an answer."""

TEST_DATA = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
"""Security label of whatever a model gave that was trained on synthetic cases."""

AI_DEVICE_TYPE = {
    "system": "http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIdeviceTypeCS",
    "code": "Artificial-Intelligence",
}
AI_MODEL_CARD = {"system": "http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIinputsCS", "code": "AIModelCard"}
AI_CONFIDENCE = "http://hl7.org/fhir/uv/aitransparency/StructureDefinition/AIconfidence"
"""Extension of the AI Transparency guide: here a Range of two proportions, 0 to 1, the 95% interval."""

PARTICIPANT_TYPE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
AUDIT_EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
RESTFUL_INTERACTION = "http://hl7.org/fhir/restful-interaction"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"


def concept(coding: dict[str, str], text: str | None = None) -> dict[str, Any]:
    """Return a CodeableConcept of one coding.

    Examples
    --------
    >>> concept({"system": LOINC, "code": "94076-7"}, "TMB")["text"]
    'TMB'
    """
    return {"coding": [coding], "text": text} if text else {"coding": [coding]}


def reference_to(written: str) -> dict[str, str]:
    """Return a Reference as a bundle wrote it; in words where the resource had neither id nor address.

    Examples
    --------
    >>> reference_to("Observation/tmb"), reference_to("Condition (no id)")
    ({'reference': 'Observation/tmb'}, {'display': 'Condition (no id)'})
    """
    return {"reference" if _REFERENCE.fullmatch(written) else "display": plain(written)}


_REFERENCE = re.compile(r"(https?://|urn:|#|[A-Z][A-Za-z]+/)[^\s]*")


def labelled(synthetic: bool = False) -> dict[str, Any]:
    """Return the ``meta`` of an emitted resource: asserted by AI, and test data where the model is synthetic."""
    return {"security": [AI_ASSERTED, TEST_DATA] if synthetic else [AI_ASSERTED]}
