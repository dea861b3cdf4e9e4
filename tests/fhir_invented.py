"""Invented FHIR, small pieces to build bundles from; nobody's data, no text of a code system beyond a few words."""

from __future__ import annotations

import copy
from typing import Any

LOINC, SCT, ICD10 = "http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm"
ICDO3, RXNORM, HGNC = (
    "http://terminology.hl7.org/CodeSystem/icd-o-3",
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://www.genenames.org",
)
UCUM, HGVS, SO = "http://unitsofmeasure.org", "http://varnomen.hgvs.org", "http://www.sequenceontology.org"
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
TBD = "http://hl7.org/fhir/uv/genomics-reporting/CodeSystem/tbd-codes-cs"
INDEX = "2026-01-15"

Json = dict[str, Any]


def concept(*codings: tuple[str, ...], text: str = "") -> Json:
    """A CodeableConcept of (system, code[, display]) tuples."""
    found: Json = {"coding": [dict(zip(("system", "code", "display"), one, strict=False)) for one in codings]}
    return {**found, "text": text} if text else found


def loinc(code: str) -> Json:
    """A LOINC code."""
    return concept((LOINC, code))


def quantity(value: object, code: str = "", unit: str = "", **more: object) -> Json:
    """A Quantity."""
    found: Json = {"value": value, **more}
    return found | ({"code": code, "system": UCUM} if code else {}) | ({"unit": unit} if unit else {})


def bundle(*resources: Json, kind: str = "collection", **more: Any) -> Json:
    """A Bundle of resources."""
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [{"resource": copy.deepcopy(one)} for one in resources],
        **more,
    }


def patient(identity: str = "p1", **more: Any) -> Json:
    """A woman born in 1960."""
    return {"resourceType": "Patient", "id": identity, "gender": "female", "birthDate": "1960-03-01", **more}


def condition(*codings: tuple[str, ...], identity: str = "c1", clinical: str = "active", **more: Any) -> Json:
    """A confirmed Condition; lung adenocarcinoma where no code is given."""
    listed = codings or ((ICD10, "C34.11"), (ICDO3, "8140/3"))
    status = concept(("http://terminology.hl7.org/CodeSystem/condition-clinical", clinical))
    return {
        "resourceType": "Condition",
        "id": identity,
        "clinicalStatus": status,
        "code": concept(*listed),
        "subject": {"reference": "Patient/p1"},
        **more,
    }


def observation(
    code: Json | str, identity: str = "o1", when: str = "2026-01-10", status: str = "final", **more: Any
) -> Json:
    """An Observation of the patient."""
    return {
        "resourceType": "Observation",
        "id": identity,
        "status": status,
        "code": loinc(code) if isinstance(code, str) else code,
        "subject": {"reference": "Patient/p1"},
        **({"effectiveDateTime": when} if when else {}),
        **more,
    }


def gene(symbol: str, identity: str = "", **more: Any) -> Json:
    """A gene-studied component."""
    return {"code": loinc("48018-6"), "valueCodeableConcept": concept((HGNC, identity or symbol, symbol)), **more}


def component(code: Json | str, **value: Any) -> Json:
    """A component."""
    return {"code": loinc(code) if isinstance(code, str) else code, **value}


def hgvs(slot: str, written: str) -> Json:
    """A protein (``p``) or cDNA (``c``) component."""
    return component(
        {"p": "48005-3", "c": "48004-6", "g": "81290-9"}[slot], valueCodeableConcept=concept((HGVS, written))
    )


def variant(*components: Json, said: str = "LA9633-4", identity: str = "v1", **more: Any) -> Json:
    """A genomic variant, present unless said otherwise."""
    value: Json = {"valueCodeableConcept": concept((LOINC, said))} if said else {}
    return observation("69548-6", identity, component=list(components), **value, **more)


def drug(kind: str, name: str, identity: str, *codings: tuple[str, ...], **more: Any) -> Json:
    """A medication record."""
    status = {"MedicationRequest": "active", "MedicationStatement": "completed"}.get(kind, "completed")
    return {
        "resourceType": kind,
        "id": identity,
        "status": status,
        "medicationCodeableConcept": concept(*codings, text=name),
        "subject": {"reference": "Patient/p1"},
        **more,
    }


def whole() -> Json:
    """A bundle with one of everything, as a starting point for changes."""
    v600e = variant(
        gene("BRAF", "HGNC:1097"),
        hgvs("p", "p.Val600Glu"),
        hgvs("c", "NM_004333.6:c.1799T>A"),
        component("81258-6", valueQuantity=quantity(32, "%")),
        component("48002-0", valueCodeableConcept=concept((LOINC, "LA6684-0"))),
        specimen={"reference": "Specimen/s1"},
    )
    return bundle(
        patient(),
        condition(stage=[{"summary": concept(text="Stage IVB")}], recordedDate="2025-02-01"),
        condition((SCT, "94381002"), identity="c2"),
        {
            "resourceType": "Specimen",
            "id": "s1",
            "type": concept(("http://terminology.hl7.org/CodeSystem/v2-0487", "TUMOR")),
            "subject": {"reference": "Patient/p1"},
            "collection": {"collectedDateTime": "2025-12-16"},
        },
        v600e,
        variant(gene("KRAS", "HGNC:6407"), said="LA9634-2", identity="v2", specimen={"reference": "Specimen/s1"}),
        variant(
            gene("EML4"),
            gene("ALK", "HGNC:427"),
            component("48019-4", valueCodeableConcept=concept((SO, "SO:0001565"))),
            identity="v3",
            specimen={"reference": "Specimen/s1"},
        ),
        observation(
            "53041-0",
            "r1",
            component=[gene("BRAF", "HGNC:1097"), gene("EGFR", "HGNC:3236"), gene("KRAS", "HGNC:6407")],
            specimen={"reference": "Specimen/s1"},
        ),
        observation("94076-7", "tmb", valueQuantity=quantity(12.3, "1/1000000{Base}", "Mutations/Megabase")),
        observation("81695-9", "msi", valueCodeableConcept=concept((LOINC, "LA14122-8"))),
        observation("83053-9", "pdl1", valueQuantity=quantity(50, "%")),
        observation("89247-1", "ecog", valueInteger=1),
        observation("1751-7", "alb", valueQuantity=quantity(39, "g/L")),
        observation("718-7", "hb", valueQuantity=quantity(12.1, "g/dL")),
        observation("777-3", "plt", valueQuantity=quantity(240, "10*3/uL")),
        observation(
            "58410-2",
            "cbc",
            component=[
                component("751-8", valueQuantity=quantity(4.2, "10*9/L")),
                component("731-0", valueQuantity=quantity(1.4, "10*9/L")),
            ],
        ),
        observation(
            "2532-0", "ldh", valueQuantity=quantity(225, "U/L"), referenceRange=[{"high": quantity(250, "U/L")}]
        ),
        drug("MedicationAdministration", "carboplatin", "m1", (RXNORM, "40048"), effectiveDateTime="2025-03-01"),
        drug(
            "MedicationAdministration", "pemetrexed", "m2", effectivePeriod={"start": "2025-03-01", "end": "2025-08-01"}
        ),
        drug("MedicationRequest", "ondansetron", "m3", authoredOn="2025-03-01"),
        observation("97509-4", "ds", when="2025-08-10", valueCodeableConcept=concept((SCT, "271299001"))),
        {
            "resourceType": "DiagnosticReport",
            "id": "dr1",
            "status": "final",
            "code": loinc("51969-4"),
            "subject": {"reference": "Patient/p1"},
            "effectiveDateTime": "2026-01-10",
            "result": [
                {"reference": "Observation/v1"},
                {"reference": "Observation/v2"},
                {"reference": "Observation/v3"},
            ],
        },
        timestamp="2026-01-15T10:00:00Z",
    )
