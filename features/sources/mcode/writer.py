"""From a case to an mCODE-like R4 bundle, for the demo and for the round trip: what is written is read back the same.

Fields with a public code are written with it; those without one by our own code (``urn:oncorespond:case-field``). Days
are written as dates, so whole days before the index date come back exactly.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from features import histology
from features.flat import flatten
from features.sources.mcode import codes
from features.sources.mcode.systems import OWN_PATIENT, URL
from features.sources.mcode.written import Pages, coded, loinc, quantity
from features.sources.mcode.written_findings import write_findings
from features.sources.mcode.written_treatment import write_treatment

if TYPE_CHECKING:
    from features.case import Case

INDEX_DATE = "2026-01-15"
_QUANTITIES = {
    "tmb.mut_per_mb": ("tmb", "1/1000000{Base}", "Mutations/Megabase"),
    "patient.age_years": ("age", "a", "years"),
    "patient.albumin_g_per_dl": ("albumin", "g/dL", ""),
    "patient.hemoglobin_g_per_dl": ("hemoglobin", "g/dL", ""),
    "patient.platelets_per_nl": ("platelets", "10*9/L", ""),
    "patient.bmi_kg_per_m2": ("bmi", "kg/m2", ""),
    "patient.pdl1_tps_percent": ("pdl1_tps", "%", ""),
}
_MSI_METHODS = {"mmr.msi_pcr": {"text": "PCR"}, "mmr.msi_ngs": coded("loinc", codes.SEQUENCING), "mmr.reported": None}
_SPREAD = {"brain": "94225005", "liver": "94381002", "bone": "94222008"}
_ELSEWHERE = ("case_id", "patient_id", "histology", "specimen.", "assay.", "patient.sex", "patient.race")
_RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"


def write_bundle(case: Case, *, index_date: str = INDEX_DATE) -> dict[str, Any]:
    """Write a case as a collection Bundle; its therapy is not in it (see :func:`write_parameters`).

    Parameters
    ----------
    case
        The case.
    index_date
        The date that the case's days are counted back from.

    Examples
    --------
    >>> from features.case import read_case
    >>> from features.sources.mcode import read_bundle
    >>> case = read_case({"histology": "LUAD", "tmb": {"mut_per_mb": 12.3}, "therapy": {"agents": ["pembrolizumab"]}})
    >>> read_bundle(write_bundle(case), therapy=case.therapy, index_date=INDEX_DATE).case == case
    True
    """
    pages = Pages(date.fromisoformat(index_date))
    _write_patient(pages, case)
    _write_condition(pages, case)
    for path, value in flatten(case).items():
        if not path.startswith(_ELSEWHERE) or path == "histology_at_diagnosis":
            _write_field(pages, path, value)
    write_findings(pages, case)
    write_treatment(pages, case)
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection", "entry": pages.entries}
    if case.case_id is not None:
        bundle["identifier"] = {"system": "urn:oncorespond:case", "value": case.case_id}
    return bundle


def write_parameters(case: Case, *, index_date: str = INDEX_DATE) -> dict[str, Any]:
    """Write a case as the Parameters of ``$predict-response``: the bundle, its therapy, its index date."""
    if case.therapy.agents is None:
        therapy: dict[str, Any] = {
            "name": "therapy",
            "valueCodeableConcept": coded("own-class", str(case.therapy.regimen_class)),
        }
    else:
        parts = [{"name": "agent", "valueCodeableConcept": {"text": name}} for name in case.therapy.agents]
        therapy = {"name": "therapy", "part": parts}
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "patient", "resource": write_bundle(case, index_date=index_date)},
            therapy,
            {"name": "indexDate", "valueDate": index_date},
        ],
    }


def _write_patient(pages: Pages, case: Case) -> None:
    content: dict[str, Any] = {}
    if case.patient_id is not None:
        content["identifier"] = [{"system": OWN_PATIENT, "value": case.patient_id}]
    if case.patient is not None and case.patient.sex is not None:
        content["gender"] = case.patient.sex
    if case.patient is not None and case.patient.race is not None:
        content["extension"] = [{"url": _RACE, "extension": [{"url": "text", "valueString": case.patient.race}]}]
    pages.patient = pages.add("Patient", "patient", **content)["reference"]


def _write_condition(pages: Pages, case: Case) -> None:
    code = coded("oncotree", case.histology, histology.row(case.histology).name)
    pages.add("Condition", "cancer", clinicalStatus=_clinical("active"), verificationStatus=_verified(), code=code,
              subject={"reference": pages.patient})  # fmt: skip


def _clinical(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": code}]}


def _verified() -> dict[str, Any]:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]}


def _write_field(pages: Pages, path: str, value: Any) -> None:
    """Write one scalar field with its public code, else with our own."""
    name = path.replace(".", "-").replace("_", "-").lower()
    if path in _QUANTITIES:
        topic, code, unit = _QUANTITIES[path]
        pages.observation(name, loinc(topic), valueQuantity=quantity(value, code, unit))
    elif path == "patient.ecog":
        pages.observation(name, loinc("ecog"), valueInteger=value)
    elif path in _MSI_METHODS:
        method = _MSI_METHODS[path]
        answer = next(code for code, said in codes.MSI.items() if said == value)
        pages.observation(
            name, loinc("msi"), valueCodeableConcept=coded("loinc", answer), **({"method": method} if method else {})
        )
    elif path == "mmr.ihc":
        pages.observation(name, loinc("msi_by_stain"), valueString=value)
    elif path.startswith("mmr.ihc_proteins."):
        pages.observation(name, loinc(f"mmr.{path.rsplit('.', 1)[-1]}"), valueString=value)
    elif path == "stage":
        pages.observation(name, loinc("stage"), valueCodeableConcept=coded("ajcc", value))
    elif path == "patient.smoking":
        answer = next(code for code, said in codes.SMOKING.items() if said == value)
        pages.observation(name, loinc("smoking"), valueCodeableConcept=coded("sct", answer))
    elif path.endswith("_metastases") and value is True:
        place = path.removeprefix("patient.").removesuffix("_metastases")
        pages.add("Condition", name, clinicalStatus=_clinical("active"), verificationStatus=_verified(),
                  code=coded("sct", _SPREAD[place]), subject={"reference": pages.patient})  # fmt: skip
    else:
        write_own(pages, name, path, value)


def write_own(pages: Pages, name: str, path: str, value: Any, **content: Any) -> None:
    """Write a value by the path of its field."""
    if isinstance(value, bool):
        element: dict[str, Any] = {"valueBoolean": value}
    elif isinstance(value, int):
        element = {"valueInteger": value}
    elif isinstance(value, float):
        element = {"valueQuantity": {"value": value}}
    else:
        element = {"valueString": str(value)}
    pages.observation(name, {"coding": [{"system": URL["own"], "code": path}]}, **element, **content)
