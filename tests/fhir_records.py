"""Invented FHIR records: nobody's, with the codes of mCODE and genomics-reporting, none of the official examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
RXNORM, UCUM = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://unitsofmeasure.org"
ICDO3 = "http://terminology.hl7.org/CodeSystem/icd-o-3"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
HGNC = "http://www.genenames.org"

HGNC_IDS = {"KRAS": "HGNC:6407", "BRAF": "HGNC:1097", "EGFR": "HGNC:3236", "TP53": "HGNC:11998", "ALK": "HGNC:427"}
RXCUI = {"pembrolizumab": "1547545", "crizotinib": "1148495", "lorlatinib": "2103164", "cyclophosphamide": "3002"}

Resource = dict[str, Any]


def coded(system: str, code: str, display: str | None = None) -> Resource:
    """Return a CodeableConcept."""
    coding = {"system": system, "code": code}
    return {"coding": [{**coding, "display": display} if display else coding]}


def patient(identity: str = "p1", **more: Any) -> Resource:
    return {"resourceType": "Patient", "id": identity, "gender": "female", "birthDate": "1963-02-03", **more}


def condition(identity: str = "c1", morphology: str = "8140/3", **more: Any) -> Resource:
    """A lung adenocarcinoma."""
    extension = {
        "url": "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior",
        "valueCodeableConcept": coded(ICDO3, morphology),
    }
    return {
        "resourceType": "Condition",
        "id": identity,
        "subject": {"reference": "Patient/p1"},
        "extension": [extension],
        "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "code": {"coding": [{"system": ICD10, "code": "C34.90"}, {"system": SNOMED, "code": "254637007"}]},
        **more,
    }


def observation(identity: str, loinc: str, **more: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "id": identity,
        "status": "final",
        "code": coded(LOINC, loinc),
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-01-10",
        **more,
    }


def quantity(identity: str, loinc: str, value: float, unit: str) -> Resource:
    measured = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return observation(identity, loinc, valueQuantity=measured)


def variant(gene: str, protein: str, vaf_percent: float | None = None, present: bool = True) -> Resource:
    answer = "LA9633-4" if present else "LA9634-2"
    components = [
        {"code": coded(LOINC, "48018-6"), "valueCodeableConcept": coded(HGNC, HGNC_IDS[gene], gene)},
        {
            "code": coded(LOINC, "48005-3"),
            "valueCodeableConcept": coded("http://varnomen.hgvs.org", protein),
        },
        {"code": coded(LOINC, "48002-0"), "valueCodeableConcept": coded(LOINC, "LA6684-0")},
    ]
    if vaf_percent is not None:
        value = {"value": vaf_percent, "unit": "%", "system": UCUM, "code": "%"}
        components.append({"code": coded(LOINC, "81258-6"), "valueQuantity": value})
    return observation(
        f"{gene.lower()}-variant", "69548-6", valueCodeableConcept=coded(LOINC, answer), component=components
    )


def medication(
    kind: str, identity: str, drug: str, status: str, when: str | None = "2025-06-01", **more: Any
) -> Resource:
    """A MedicationRequest or MedicationAdministration of a drug, by RxNorm where a code is known."""
    concept = coded(RXNORM, RXCUI[drug], drug) if drug in RXCUI else {"text": drug}
    dated = {"authoredOn": when} if kind == "MedicationRequest" else {"effectivePeriod": {"start": when}}
    return {
        "resourceType": kind,
        "id": identity,
        "status": status,
        **({"intent": "order"} if kind == "MedicationRequest" else {}),
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": concept,
        **(dated if when else {}),
        **more,
    }


def draft(drug: str, identity: str | None = None, **more: Any) -> Resource:
    return medication("MedicationRequest", identity or f"draft-{drug.split()[0]}", drug, "draft", None, **more)


def resources() -> list[Resource]:
    """A whole record: lung adenocarcinoma, KRAS G12C and TP53, TMB, MSS, ECOG, labs."""
    return [
        patient(),
        condition(),
        variant("KRAS", "p.Gly12Cys", 31),
        variant("TP53", "p.Arg273His", 40),
        quantity("tmb", "94076-7", 12.3, "1/1000000{Base}"),
        observation("msi", "81695-9", valueCodeableConcept=coded(LOINC, "LA14122-8", "Stable")),
        observation("ecog", "89247-1", valueInteger=1),
        quantity("albumin", "1751-7", 3.9, "g/dL"),
        quantity("pdl1", "83053-9", 50, "%"),
        quantity("hemoglobin", "718-7", 12.1, "g/dL"),
    ]


def bundle(entries: list[Resource], kind: str = "collection", **more: Any) -> Resource:
    return {
        "resourceType": "Bundle",
        "type": kind,
        **more,
        "entry": [{"fullUrl": f"https://ehr.example/{one['resourceType']}/{one.get('id')}", "resource": one}
                  for one in entries],
    }  # fmt: skip


def record() -> Resource:
    return bundle(resources())


def parameters(therapies: tuple[str, ...] = ("pembrolizumab",), prior_lines: int | None = 1, **more: Any) -> Resource:
    """The operation's Parameters over the whole record."""
    asked: list[Resource] = [{"name": "patient", "resource": more.pop("record", None) or record()}]
    for drug in therapies:
        concept = coded(RXNORM, RXCUI[drug]) if drug in RXCUI else {"text": drug}
        asked.append({"name": "therapy", "valueCodeableConcept": concept})
    if prior_lines is not None:
        asked.append({"name": "priorLines", "valueInteger": prior_lines})
    asked.extend({"name": name, **value} for name, value in more.items())
    return {"resourceType": "Parameters", "parameter": asked}


def searchset(entries: list[Resource], *, further: bool = False) -> Resource:
    links = {"link": [{"relation": "next", "url": "https://ehr.example/page/2"}]} if further else {}
    return bundle(entries, "searchset", **links)


HOOK_INSTANCE = "3a1b2c4d-0000-4000-8000-00000000abcd"


def prefetch() -> Resource:
    """The prefetch that our services ask for, of the whole record; observed a week ago, for a decision made today."""
    found = resources()
    for one in found:
        if one["resourceType"] == "Observation":
            one["effectiveDateTime"] = (datetime.now(UTC) - timedelta(days=7)).date().isoformat()
    by_code = {one["code"]["coding"][0]["code"]: one for one in found if one["resourceType"] == "Observation"}
    molecular = [one for one in found if one.get("id", "").endswith("-variant")]
    molecular += [by_code["94076-7"], by_code["81695-9"]]
    clinical = [by_code[code] for code in ("89247-1", "1751-7", "718-7")]
    return {
        "patient": found[0],
        "conditions": searchset([found[1]]),
        "molecular": searchset(molecular),
        "tumour": searchset([by_code["83053-9"]]),
        "clinical": searchset(clinical),
        "reports": None,
        "specimens": None,
        "administrations": searchset([]),
        "requests": searchset([]),
        "statements": None,
        "episodes": None,
    }


def order_select(*drafts: Resource, selections: list[str] | None = None, **more: Any) -> Resource:
    """A request of the hook order-select."""
    orders = list(drafts) or [draft("pembrolizumab")]
    chosen = [f"{one['resourceType']}/{one['id']}" for one in orders] if selections is None else selections
    return {
        "hook": "order-select",
        "hookInstance": HOOK_INSTANCE,
        "fhirServer": "https://ehr.example/fhir",
        "context": {
            "userId": "Practitioner/dr-1",
            "patientId": "p1",
            "selections": chosen,
            "draftOrders": bundle(orders),
        },
        "prefetch": prefetch(),
        **more,
    }


def patient_view(**more: Any) -> Resource:
    """A request of the hook patient-view."""
    return {
        "hook": "patient-view",
        "hookInstance": HOOK_INSTANCE,
        "context": {"userId": "Practitioner/dr-1", "patientId": "p1"},
        "prefetch": prefetch(),
        **more,
    }
