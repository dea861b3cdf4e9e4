"""The traps of real exports, one invented bundle each: what must be read, what said, what not guessed."""

from __future__ import annotations

from typing import Any

import pytest

from features.sources.mcode import ReadCase, read_bundle
from tests.fhir_invented import (
    ICD10,
    ICDO3,
    INDEX,
    LOINC,
    SCT,
    bundle,
    concept,
    condition,
    gene,
    hgvs,
    loinc,
    observation,
    patient,
    quantity,
    variant,
    whole,
)

THERAPY = "pembrolizumab"


def read(*resources: dict[str, Any], **more: Any) -> ReadCase:
    """Read a bundle of a patient with lung adenocarcinoma and these resources."""
    return read_bundle(bundle(patient(), condition(), *resources), **{"therapy": THERAPY, "index_date": INDEX, **more})


def codes(found: ReadCase) -> set[str]:
    """Codes of errors and warnings."""
    return {one.code for one in found.findings if one.severity != "information"}


def v600e(**more: Any) -> dict[str, Any]:
    """BRAF V600E, present."""
    return variant(gene("BRAF", "HGNC:1097"), hgvs("p", "p.Val600Glu"), **more)


BRAF = {"gene": "BRAF", "kind": "mutation", "protein_change": "p.Val600Glu"}
SPECIMEN = {
    "resourceType": "Specimen",
    "id": "s1",
    "type": {"text": "Tumor tissue"},
    "collection": {"collectedDateTime": "2025-12-16"},
}
BLOOD = {
    "resourceType": "Specimen",
    "id": "b1",
    "collection": {"collectedDateTime": "2026-01-05"},
    "type": concept(("http://terminology.hl7.org/CodeSystem/v2-0487", "PLAS")),
}


@pytest.mark.parametrize(
    "reference",
    ["Observation/v1", "https://ehr.example/fhir/R4/Observation/v1", "Observation/v1/_history/3", "urn:uuid:77", "#v1"],
)
def test_references_of_every_form_lead_somewhere(reference: str) -> None:
    """Relative, absolute, versioned, urn:uuid, contained."""
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "final",
        "code": loinc("51969-4"),
        "result": [{"reference": reference}],
        "specimen": [{"reference": "Specimen/s1"}],
    }
    raw = bundle(patient(), condition(), SPECIMEN)
    if reference.startswith("#"):
        raw["entry"].append({"resource": {**report, "contained": [v600e()]}})
    else:
        raw["entry"] += [{"resource": report}, {"fullUrl": "urn:uuid:77", "resource": v600e()}]
    found = read_bundle(raw, therapy=THERAPY, index_date=INDEX)
    assert found.raw["alterations"] == [BRAF]
    assert found.raw["specimen"] == {"source": "tissue", "days_before_index": 30.0}
    assert "dangling_reference" not in codes(found)


def test_a_dangling_result_is_said_and_makes_nothing_wild_type() -> None:
    """What was not sent may be a finding of any gene."""
    regions = observation("53041-0", "r1", component=[gene("BRAF", "HGNC:1097"), gene("EGFR", "HGNC:3236")])
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "result": [{"reference": "Observation/gone"}, {"reference": "Observation/v1"}],
    }
    assert read(v600e(), regions).raw["assay"] == {"genes_tested": ["BRAF", "EGFR"]}
    found = read(v600e(), regions, report)
    assert found.raw["assay"] == {"genes_tested": []}
    assert {"dangling_reference", "findings_incomplete"} <= codes(found)


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "preliminary", "registered"])
def test_results_that_do_not_stand_are_not_used(status: str) -> None:
    """Neither a value nor a negative."""
    regions = observation("53041-0", "r1", component=[gene("BRAF", "HGNC:1097"), gene("EGFR", "HGNC:3236")])
    found = read(
        v600e(status=status), regions, observation("94076-7", valueQuantity=quantity(5, unit="mut/Mb"), status=status)
    )
    assert "tmb" not in found.raw
    assert "alterations" not in found.raw
    assert found.raw["assay"]["genes_tested"] == ["EGFR"]


def test_a_modifier_extension_is_not_read_over() -> None:
    """FHIR forbids to process what carries one that is not understood."""
    found = read(v600e(modifierExtension=[{"url": "x:not-this-patient", "valueBoolean": True}]))
    assert "alterations" not in found.raw
    assert "modifier_extension" in codes(found)


def test_resources_of_another_patient_are_left_out() -> None:
    """By their subject."""
    other = v600e(subject={"reference": "Patient/p2"})
    found = read(other)
    assert "alterations" not in found.raw
    assert "other_subject" in codes(found)


def test_two_patients_need_a_choice() -> None:
    """Then the chosen one counts."""
    raw = bundle(patient(), patient("p2", gender="male"), condition())
    assert [one.code for one in read_bundle(raw, therapy=THERAPY).errors] == ["several_patients"]
    assert read_bundle(raw, therapy=THERAPY, patient="Patient/p1").raw["patient"]["sex"] == "female"
    assert "patient_not_found" in codes(read_bundle(raw, therapy=THERAPY, patient="Patient/p9"))


def test_two_primaries_need_a_choice_and_remission_yields() -> None:
    """Active primaries of two tissues are an error; one in remission gives way, with the other's code listed."""
    breast = condition((ICD10, "C50.912"), identity="c2")
    found = read(breast)
    assert [one.code for one in found.errors] == ["several_primaries"]
    assert found.case is None
    assert read(breast, condition="Condition/c2").raw["histology"] == "BRCA"
    assert read({**breast, "clinicalStatus": concept(("x", "remission"))}).raw["histology"] == "LUAD"
    only = read_bundle(bundle(patient(), condition((ICD10, "C50.912"), clinical="remission")), therapy=THERAPY)
    assert only.raw["histology"] == "BRCA"
    assert "condition_not_active" in codes(only)


def test_one_tumour_coded_many_times_is_one() -> None:
    """As encounter diagnoses are."""
    found = read(condition((ICD10, "C34.90"), identity="e1"), condition((SCT, "254637007"), identity="e2"))
    assert found.raw["histology"] == "LUAD"
    assert not found.errors


def test_metastases_are_not_the_primary() -> None:
    """Secondary conditions by SNOMED, ICD-10 or word; refuted ones not at all."""
    found = read(
        condition((SCT, "94225005"), identity="m1"),
        condition((ICD10, "C78.7"), identity="m2"),
        condition((ICD10, "C79.51"), identity="m3", verificationStatus=concept(("x", "refuted"))),
        condition((ICD10, "C77.1"), identity="m4"),
    )
    assert found.raw["histology"] == "LUAD"
    assert {name: value for name, value in found.raw["patient"].items() if "metastases" in name} == {
        "brain_metastases": True,
        "liver_metastases": True,
    }


def test_a_metastasis_alone_is_cancer_without_a_histology() -> None:
    """The data are required, and CDS still knows a cancer patient."""
    found = read_bundle(bundle(patient(), condition((ICD10, "C78.7"))), therapy=THERAPY)
    assert found.cancer_patient
    assert [one.code for one in found.errors] == ["no_histology"]
    assert found.missing[0].field == "histology"
    assert found.missing[0].required


def test_not_a_cancer_patient() -> None:
    """Hypertension."""
    found = read_bundle(bundle(patient(), condition((ICD10, "I10"))), therapy=THERAPY)
    assert not found.cancer_patient


def test_displays_in_other_languages_and_against_the_code() -> None:
    """A German display is no conflict; a display of another tumour is, and the code counts."""
    german = condition(
        (ICD10, "C34.1", "B\u00f6sartige Neubildung: Oberlappen"), (ICDO3, "8140/3", "Adenokarzinom o.n.A.")
    )
    assert "display_conflict" not in codes(read_bundle(bundle(patient(), german), therapy=THERAPY))
    found = read_bundle(bundle(patient(), condition((ICD10, "C34.9", "Breast cancer"))), therapy=THERAPY)
    assert found.raw["histology"] == "LUNG"
    assert "display_conflict" in codes(found)


def test_a_diagnosis_in_words_only() -> None:
    """Taken when the vocabulary resolves it, and said."""
    raw = {**condition(), "code": {"text": "Lung Adenocarcinoma"}}
    found = read_bundle(bundle(patient(), raw), therapy=THERAPY)
    assert found.raw["histology"] == "LUAD"
    assert "histology_from_text" in codes(found)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Non-small cell carcinoma of lung, TNM stage 1 (disorder)", "NSCLC"),
        ("Malignant neoplasm of prostate", "PRAD"),
        ("Primary malignant neoplasm of colon", "COAD"),
        ("Malignes Karzinom der Lunge", ""),
        ("Overlapping malignant neoplasm of something", ""),
    ],
)
def test_an_unknown_code_of_cancer_is_not_passed_over(words: str, code: str) -> None:
    """Its name counts where it resolves; else the histology is required, and it is a cancer patient all the same."""
    found = read_bundle(bundle(patient(), condition((SCT, "1", words))), therapy=THERAPY)
    assert found.cancer_patient
    assert found.raw.get("histology", "") == code
    assert code or [one.code for one in found.errors] == ["no_histology"]


@pytest.mark.parametrize("words", ["Family history of breast cancer", "Screening for malignant neoplasm of colon"])
def test_what_only_mentions_cancer_is_none(words: str) -> None:
    """History and screening."""
    assert not read_bundle(bundle(patient(), condition((SCT, "1", words))), therapy=THERAPY).cancer_patient


def test_a_malformed_morphology_is_said_and_not_used() -> None:
    """80463/3."""
    found = read_bundle(bundle(patient(), condition((ICD10, "C34.9"), (ICDO3, "80463/3"))), therapy=THERAPY)
    assert found.raw["histology"] == "LUNG"
    assert "malformed_code" in codes(found)


def test_a_report_conclusion_completes_the_site() -> None:
    """As Epic's translation of HL7 v2 sends it."""
    order = {
        "resourceType": "ServiceRequest",
        "id": "o",
        "reasonCode": [concept((ICD10, "C34.9", "Squamous cell carcinoma"))],
    }
    report = {"resourceType": "DiagnosticReport", "id": "r", "conclusionCode": [concept((SCT, "1162767002"))]}
    found = read_bundle(bundle(patient(), order, report), therapy=THERAPY)
    assert found.raw["histology"] == "LUSC"
    assert "diagnosis_from_order" in codes(found)


def test_two_burdens() -> None:
    """Of one day: none. Of two days: the later, remarked. In blood: none."""

    def tmb(value: float, identity: str, when: str, **more: Any) -> dict[str, Any]:
        return observation("94076-7", identity, when, valueQuantity=quantity(value, unit="mut/Mb"), **more)

    same = read(tmb(5, "a", "2026-01-10"), tmb(12, "b", "2026-01-10"))
    assert "tmb" not in same.raw
    assert "conflicting_values" in codes(same)
    later = read(tmb(5, "a", "2026-01-10"), tmb(12, "b", "2026-01-02"))
    assert later.raw["tmb"] == {"mut_per_mb": 5.0}
    assert any(one.code == "older_value" for one in later.findings)
    blood = read(BLOOD, tmb(12, "b", "2026-01-10", specimen={"reference": "Specimen/b1"}))
    assert "tmb" not in blood.raw
    assert "tmb_of_blood" in codes(blood)
    equal = read(tmb(5, "a", "2026-01-10"), tmb(5, "b", "2026-01-10"))
    assert equal.raw["tmb"] == {"mut_per_mb": 5.0}


@pytest.mark.parametrize(("when", "code"), [("2025-11-01", "too_old"), ("2026-01-20", "after_index"), ("", "undated")])
def test_labs_outside_the_window(when: str, code: str) -> None:
    """Old and later values are not used; an undated one is, and said."""
    found = read(observation("1751-7", when=when, valueQuantity=quantity(39, "g/L")))
    assert code in codes(found)
    assert ("albumin_g_per_dl" in found.raw["patient"]) == (code == "undated")


def test_neutrophils_and_lymphocytes_of_one_draw_only() -> None:
    """As components or apart; counts or percents; never of two days."""

    def cells(code: str, value: float, when: str, unit: str = "10*3/uL") -> dict[str, Any]:
        return observation(code, code, when, valueQuantity=quantity(value, unit))

    assert read(cells("751-8", 6, "2026-01-10"), cells("731-0", 1.5, "2026-01-10")).raw["patient"]["nlr"] == 4.0
    assert "nlr" not in read(cells("751-8", 6, "2026-01-10"), cells("731-0", 1.5, "2026-01-09")).raw["patient"]
    percents = read(cells("770-8", 60, "2026-01-10", "%"), cells("736-9", 20, "2026-01-10", "%"))
    assert percents.raw["patient"]["nlr"] == 3.0


def test_receptors() -> None:
    """HER2 by score, by FISH, ER by answer code."""
    found = read(
        observation("85319-2", "h", valueCodeableConcept={"text": "2+ (equivocal)"}),
        observation("85318-4", "f", valueCodeableConcept={"text": "Not amplified"}),
        observation("85337-4", "e", valueCodeableConcept=concept((LOINC, "LA6576-8"))),
        observation("85339-0", "p", valueCodeableConcept=concept((LOINC, "LA6577-6"))),
    )
    assert found.raw["alterations"] == [
        {"gene": "ERBB2", "kind": "amplification", "status": "absent"},
        {"gene": "ERBB2", "kind": "expression", "level": "2+"},
        {"gene": "ESR1", "kind": "expression", "level": "positive"},
        {"gene": "PGR", "kind": "expression", "status": "absent"},
    ]


def test_stains_alone_make_no_gene_wild_type() -> None:
    """A list of tested genes without any variant sent says nothing of those genes."""
    regions = observation("53041-0", "r1", component=[gene("BRCA1"), gene("TP53")])
    stain = observation("85337-4", "e", valueCodeableConcept=concept((LOINC, "LA6576-8")))
    found = read(regions, stain)
    assert found.raw["assay"] == {"genes_tested": []}
    assert "findings_incomplete" in codes(found)
    negative = variant(gene("TP53"), said="LA9634-2")
    assert read(regions, stain, negative).raw["assay"] == {"genes_tested": ["BRCA1", "TP53"]}


def test_own_codes_send_what_has_no_public_code() -> None:
    """CPS and IMDC risk by the path of the field."""

    def own(path: str, **value: Any) -> dict[str, Any]:
        return observation(concept(("urn:oncorespond:case-field", path)), path.replace("_", "-"), **value)

    found = read(
        own("patient.pdl1_cps", valueQuantity=quantity(12)),
        own("patient.imdc_risk", valueString="poor"),
        own("patient.nope", valueInteger=1),
    )
    assert found.raw["patient"]["pdl1_cps"] == 12.0
    assert found.raw["patient"]["imdc_risk"] == "poor"
    assert any("no field of the case" in one.what for one in found.not_understood)


def test_everything_taken_names_its_resource() -> None:
    """Type and id for every value of the whole bundle."""
    found = read_bundle(whole(), therapy=THERAPY)
    assert all("/" in one.reference and one.path for one in found.taken)
    assert found.sources("tmb") == ("Observation/tmb",)
    assert found.sources("alterations") == ("Observation/v1", "Observation/v2", "Observation/v3")
    assert set(found.sources("prior_therapies")) == {
        "MedicationAdministration/m1",
        "MedicationAdministration/m2",
        "Observation/ds",
    }
    assert found.sources("patient.nlr") == ("Observation/cbc",)


def test_log_texts_hold_no_patient_values() -> None:
    """Codes and fields only."""
    found = read(
        observation("1751-7", valueQuantity=quantity(39, "g/dL")), condition((ICD10, "C50.912"), identity="c2")
    )
    with pytest.raises(Exception, match="39") as refused:
        found.raise_for_errors()
    assert "39" not in refused.value.log_text()  # type: ignore[attr-defined]
