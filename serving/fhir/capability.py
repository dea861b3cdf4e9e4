"""CapabilityStatement, OperationDefinition and StructureDefinitions: what a FHIR client may ask of us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.intended_use import INTENDED_USE
from serving.fhir.content import FHIR_JSON
from serving.fhir.systems import FHIR_VERSION
from serving.more_routes import version_of_code

if TYPE_CHECKING:
    from serving.fhir.settings import ClinicalSettings

PUBLISHED = "2026-11-22"
"""Date of these definitions; they change with the code."""

_PARAMETERS: tuple[tuple[str, int, str, str, str], ...] = (
    ("patient", 1, "1", "Bundle", "The record: mCODE STU4, genomics-reporting, or plain R4 with the same codes."),
    (
        "therapy",
        0,
        "*",
        "CodeableConcept",
        "A drug by RxNorm or name. Without: drafted orders, else all judged.",
    ),
    ("priorLines", 0, "1", "integer", "Systemic lines in the metastatic setting; goes before what the record says."),
    ("indexDate", 0, "1", "date", "The day of the decision; what came later is not read."),
    ("condition", 0, "1", "string", "Reference of the primary cancer where the record has several."),
    ("limit", 0, "1", "integer", "How many therapies are answered when none is named; 10 by default."),
)

_EXTENSIONS: tuple[tuple[str, str, str], ...] = (
    ("estimate", "Estimate", "Prediction id, probability (0 to 1), log-odds and base log-odds of one prediction."),
    (
        "feature-contribution",
        "FeatureContribution",
        "What one feature adds to the log-odds; base and all contributions sum to the log-odds served.",
    ),
    ("audit-detail", "AuditDetail", "Chain number and hash of a record of the audit log."),
)
EXTENSION_NAMES = tuple(name for name, _, _ in _EXTENSIONS)


def software_version() -> str:
    """Return the version of this code; in a Bento, which carries files and no package, it is not known."""
    return str(version_of_code()["oncorespond"] or "not installed as a package")


def capability_statement(settings: ClinicalSettings) -> dict[str, Any]:
    """Return the CapabilityStatement of GET /fhir/metadata."""
    return {
        "resourceType": "CapabilityStatement",
        "id": "oncorespond",
        "url": f"{settings.fhir_url}/metadata",
        "name": "Oncorespond",
        "title": "oncorespond: estimated objective response to systemic cancer therapy",
        "status": "active",
        "experimental": True,
        "date": PUBLISHED,
        "description": INTENDED_USE,
        "kind": "instance",
        "software": {"name": "oncorespond", "version": software_version()},
        "implementation": {"description": "Clinical research only", "url": settings.fhir_url},
        "fhirVersion": FHIR_VERSION,
        "format": [FHIR_JSON, "json"],
        "rest": [_rest(settings)],
    }


def _rest(settings: ClinicalSettings) -> dict[str, Any]:
    read = [{"code": "read"}]
    search = [{"name": "date", "type": "date", "documentation": "ge and lt, of the time of the record"}]
    return {
        "mode": "server",
        "documentation": "Stateless: of what is sent, only the audit log's encrypted record of each answer is kept.",
        "security": {"cors": True, "description": "Bearer tokens or API keys; see docs/security.md."},
        "resource": [
            {"type": "AuditEvent", "interaction": [{"code": "search-type"}], "searchParam": search},
            {"type": "Device", "interaction": read},
            {"type": "DocumentReference", "interaction": read},
            {"type": "OperationDefinition", "interaction": read},
            {"type": "StructureDefinition", "interaction": read},
        ],
        "operation": [{"name": "predict-response", "definition": _operation_url(settings)}],
    }


def _operation_url(settings: ClinicalSettings) -> str:
    return f"{settings.fhir_url}/OperationDefinition/predict-response"


def operation_definition(settings: ClinicalSettings) -> dict[str, Any]:
    """Return the OperationDefinition of ``$predict-response``."""
    parameters: list[dict[str, Any]] = [
        {"name": name, "use": "in", "min": fewest, "max": most, "type": kind, "documentation": words}
        for name, fewest, most, kind, words in _PARAMETERS
    ]
    answer = {"name": "return", "use": "out", "min": 1, "max": "1", "type": "Bundle"}
    return {
        "resourceType": "OperationDefinition",
        "id": "predict-response",
        "url": _operation_url(settings),
        "name": "PredictResponse",
        "title": "Estimate the objective response to systemic therapies",
        "status": "active",
        "kind": "operation",
        "experimental": True,
        "date": PUBLISHED,
        "description": f"{INTENDED_USE} A bare Bundle is read as the parameter `patient`.",
        "affectsState": False,
        "code": "predict-response",
        "system": True,
        "type": False,
        "instance": False,
        "parameter": [*parameters, answer],
    }


def structure_definition(name: str, settings: ClinicalSettings) -> dict[str, Any]:
    """Return the StructureDefinition of one of our extensions (:data:`EXTENSION_NAMES`)."""
    title, words = next((title, words) for known, title, words in _EXTENSIONS if known == name)
    url = f"{settings.fhir_url}/StructureDefinition/{name}"
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": url,
        "name": title,
        "status": "active",
        "experimental": True,
        "date": PUBLISHED,
        "description": words,
        "fhirVersion": FHIR_VERSION,
        "kind": "complex-type",
        "abstract": False,
        "context": [{"type": "element", "expression": "Element"}],
        "type": "Extension",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
        "derivation": "constraint",
        "differential": {"element": _elements(words, url)},
    }


def _elements(words: str, url: str) -> list[dict[str, Any]]:
    return [
        {"id": "Extension", "path": "Extension", "short": words},
        {"id": "Extension.extension", "path": "Extension.extension", "min": 1},
        {"id": "Extension.url", "path": "Extension.url", "fixedUri": url},
        {"id": "Extension.value[x]", "path": "Extension.value[x]", "max": "0"},
    ]
