"""Medications to prior therapies and lines, therapies that are asked about, and every envelope a bundle comes in."""

from __future__ import annotations

from typing import Any

import pytest

from features.sources.mcode import BundleRefused, ReadCase, TherapyAsked, read_bundle, therapies_of_orders
from tests.fhir_invented import (
    ICD10,
    INDEX,
    NCIT,
    RXNORM,
    SCT,
    bundle,
    concept,
    condition,
    drug,
    observation,
    patient,
    quantity,
    whole,
)

ADMINISTRATION, STATEMENT, REQUEST = "MedicationAdministration", "MedicationStatement", "MedicationRequest"


def read(*resources: dict[str, Any], **more: Any) -> ReadCase:
    """Read a bundle of a patient with lung adenocarcinoma and these resources."""
    return read_bundle(
        bundle(patient(), condition(), *resources), **{"therapy": "docetaxel", "index_date": INDEX, **more}
    )


def priors(*resources: dict[str, Any], **more: Any) -> list[dict[str, Any]] | None:
    """The prior therapies of a case."""
    found: list[dict[str, Any]] | None = read(*resources, **more).raw.get("prior_therapies")
    return found


def intent(code: str) -> list[dict[str, Any]]:
    """The mCODE extension for the intent of a treatment."""
    return [
        {
            "url": "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-procedure-intent",
            "valueCodeableConcept": concept((SCT, code)),
        }
    ]


def test_no_medication_is_unknown_and_not_untreated() -> None:
    """Unknown is not zero."""
    found = read()
    assert "prior_therapies" not in found.raw
    assert "prior_systemic_therapy" not in found.raw
    assert (found.prior_lines.value, found.prior_lines.source) == (None, "unknown")


def test_drugs_started_together_are_one_regimen_and_a_gap_makes_two() -> None:
    """28 days and 90 days; the number of lines is derived and says so."""
    found = read(
        drug(ADMINISTRATION, "carboplatin", "a1", effectiveDateTime="2025-01-10"),
        drug(ADMINISTRATION, "carboplatin", "a2", effectiveDateTime="2025-02-01"),
        drug(ADMINISTRATION, "pemetrexed", "b1", effectiveDateTime="2025-01-20"),
        drug(ADMINISTRATION, "docetaxel", "c1", effectiveDateTime="2025-07-01"),
    )
    assert found.raw["prior_therapies"] == [
        {"agents": ["carboplatin", "pemetrexed"], "started_days_before_index": 370.0, "ended_days_before_index": 348.0},
        {"agents": ["docetaxel"], "started_days_before_index": 198.0, "ended_days_before_index": 198.0},
    ]
    assert (found.prior_lines.value, found.prior_lines.source) == (2, "derived")
    assert "MedicationAdministration/c1" in found.prior_lines.evidence


def test_an_administration_beats_the_order_of_the_same_course() -> None:
    """And an order alone has no end: active is not current."""
    order = drug(REQUEST, "gefitinib", "r", (RXNORM, "349472", "gefitinib 250 MG Oral Tablet"), authoredOn="2025-01-01")
    given = drug(ADMINISTRATION, "gefitinib", "a", effectivePeriod={"start": "2025-01-05", "end": "2025-06-01"})
    assert priors(order) == [{"agents": ["gefitinib"], "started_days_before_index": 379.0}]
    assert priors(order, given) == [
        {"agents": ["gefitinib"], "started_days_before_index": 375.0, "ended_days_before_index": 228.0}
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "draft"},
        {"status": "cancelled"},
        {"status": "entered-in-error"},
        {"intent": "proposal"},
        {"doNotPerform": True},
        {"extension": intent("399707004")},
        {"reasonCode": [concept((ICD10, "M06.9"))]},
        {"authoredOn": INDEX},
        {"authoredOn": "2026-03-01"},
        {"modifierExtension": [{"url": "x"}]},
    ],
)
def test_what_is_no_prior_therapy(change: dict[str, Any]) -> None:
    """Not given, supportive, for another disease, the decision itself, or later."""
    order = drug(REQUEST, "methotrexate", "r", authoredOn="2025-01-01")
    assert priors(order)
    found = read({**order, **change})
    assert "prior_therapies" not in found.raw
    assert any(one.reference == "MedicationRequest/r" for one in found.not_understood)


@pytest.mark.parametrize("status", ["not-done", "entered-in-error"])
def test_administrations_that_did_not_happen(status: str) -> None:
    """Are no therapy."""
    assert priors(drug(ADMINISTRATION, "carboplatin", "a", status=status, effectiveDateTime="2025-01-01")) is None


def test_medications_by_reference_and_by_words() -> None:
    """Contained, in the bundle, only displayed."""
    contained = {
        "resourceType": STATEMENT,
        "id": "s",
        "status": "completed",
        "medicationReference": {"reference": "#m"},
        "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "osimertinib 80 mg tablet"}}],
    }
    assert priors(contained) == [{"agents": ["osimertinib"]}]
    shown = {
        "resourceType": STATEMENT,
        "id": "s",
        "status": "completed",
        "medicationReference": {"reference": "Medication/9", "display": "Alectinib"},
    }
    assert priors(shown) == [{"agents": ["alectinib"]}]
    mixed = {
        "resourceType": "Medication",
        "id": "9",
        "ingredient": [
            {"itemCodeableConcept": {"text": "carboplatin"}},
            {"itemCodeableConcept": {"text": "paclitaxel"}},
        ],
    }
    assert priors(shown, mixed) == [{"agents": ["carboplatin", "paclitaxel"]}]


def test_a_code_against_a_name_is_not_used() -> None:
    """Neither counts."""
    found = read(drug(ADMINISTRATION, "nivolumab", "a", (RXNORM, "1547545"), effectiveDateTime="2025-01-01"))
    assert "prior_therapies" not in found.raw
    assert any(one.code == "drug_conflict" for one in found.warnings)


def test_an_unknown_cancer_drug_is_said() -> None:
    """By its ATC class."""
    found = read(
        drug(ADMINISTRATION, "newdrugumab", "a", ("http://www.whocc.no/atc", "L01FX99"), effectiveDateTime="2025-01-01")
    )
    assert any(one.code == "antineoplastic_unknown" for one in found.warnings)


def test_settings_and_curative_intent() -> None:
    """Adjuvant and palliative are settings; curative alone is none, and said."""
    given = drug(ADMINISTRATION, "carboplatin", "a", effectiveDateTime="2025-01-01")
    assert (priors({**given, "extension": intent("373846009")}) or [{}])[0]["setting"] == "adjuvant"
    assert (priors({**given, "extension": intent("363676003")}) or [{}])[0]["setting"] == "metastatic"
    found = read({**given, "extension": intent("373808002")})
    assert "setting" not in found.raw["prior_therapies"][0]
    assert any(one.code == "curative_intent" for one in found.warnings)


def test_responses_belong_to_the_regimen_they_follow() -> None:
    """The best between two starts; improved is none of RECIST."""
    first = drug(ADMINISTRATION, "carboplatin", "a", effectiveDateTime="2025-01-01")
    second = drug(ADMINISTRATION, "docetaxel", "b", effectiveDateTime="2025-07-01")

    def status(code: str, when: str, identity: str) -> dict[str, Any]:
        return observation("97509-4", identity, when, valueCodeableConcept=concept((SCT, code)))

    found = read(
        first,
        second,
        status("359746009", "2025-03-01", "s1"),
        status("271299001", "2025-06-20", "s2"),
        status("268910001", "2025-08-01", "s3"),
        status("103337004", "2026-02-01", "s4"),
    )
    assert [one.get("best_response") for one in found.raw["prior_therapies"]] == ["SD", None]
    assert any(one.reference == "Observation/s3" for one in found.not_understood)


def episode(identity: str, line: int, start: str) -> dict[str, Any]:
    """A line of therapy as Onconova writes it."""
    url = "http://onconova.github.io/fhir/StructureDefinition/onconova-ext-therapy-line-number"
    return {
        "resourceType": "EpisodeOfCare",
        "id": identity,
        "status": "finished",
        "type": [concept((NCIT, "C133518"))],
        "period": {"start": start},
        "patient": {"reference": "Patient/p1"},
        "extension": [{"url": url, "valueInteger": line}],
    }


def test_stated_lines_come_first() -> None:
    """Caller over bundle over derived; an episode of the medications gives the line of their regimen."""
    link = [{"url": "x/onconova-ext-therapy-line-reference", "valueReference": {"reference": "EpisodeOfCare/e1"}}]
    given = drug(ADMINISTRATION, "carboplatin", "a", effectiveDateTime="2025-01-01", extension=link)
    linked = read(episode("e1", 3, "2025-01-01"), given)
    assert linked.raw["prior_therapies"][0]["line"] == 3
    assert (linked.prior_lines.value, linked.prior_lines.source) == (3, "explicit")
    alone = read(episode("e1", 1, "2024-01-01"), episode("e2", 2, "2025-01-01"), episode("e3", 3, "2026-01-15"))
    assert (alone.prior_lines.value, alone.prior_lines.source) == (2, "explicit")
    asked = read(episode("e1", 1, "2024-01-01"), prior_lines=4)
    assert (asked.prior_lines.value, asked.prior_lines.source) == (4, "request")
    assert any(one.code == "prior_lines_disagree" for one in asked.warnings)
    assert [one.code for one in read(prior_lines=99).errors] == ["prior_lines_invalid"]


def test_line_numbers_of_german_systems() -> None:
    """bwHC and the oncology module of the MII."""
    bwhc = drug(
        STATEMENT, "carboplatin", "a", extension=[{"url": "https://bwhc.example/therapy-line", "valueInteger": 2}]
    )
    assert (priors(bwhc) or [{}])[0]["line"] == 2
    inner = [{"url": "Therapielinie", "valuePositiveInt": 1}]
    mii = drug(
        STATEMENT,
        "carboplatin",
        "a",
        extension=[{"url": "https://mii.example/mii-ex-mtb-leitlinie-dokumentation", "extension": inner}],
    )
    assert (priors(mii) or [{}])[0]["line"] == 1


def test_chemotherapy_as_a_procedure_is_treatment_without_a_number() -> None:
    """Something was given; what and how often is unknown."""
    found = read(
        {
            "resourceType": "Procedure",
            "id": "p",
            "status": "completed",
            "code": concept((SCT, "367336001")),
            "performedDateTime": "2025-01-01",
        }
    )
    assert found.raw["prior_systemic_therapy"] is True
    assert found.prior_lines.value is None


# therapies that are asked about


@pytest.mark.parametrize(
    ("given", "agents"),
    [
        ("Keytruda", [("pembrolizumab",)]),
        ("nivolumab + ipilimumab", [("ipilimumab", "nivolumab")]),
        (["nivolumab", "docetaxel"], [("nivolumab",), ("docetaxel",)]),
        ({"agents": ["dabrafenib", "trametinib"]}, [("dabrafenib", "trametinib")]),
        ({"class": "pd1_pdl1"}, [()]),
        (concept((RXNORM, "1547545")), [("pembrolizumab",)]),
        (TherapyAsked(("nivolumab",)), [("nivolumab",)]),
    ],
)
def test_therapies_of_every_form(given: Any, agents: list[tuple[str, ...]]) -> None:
    """One case for each, in the order asked."""
    found = read(therapy=given)
    assert [one.agents for one in found.therapies] == agents
    assert len(found.cases) == len(agents)


def test_a_therapy_that_cannot_be_read_is_an_error() -> None:
    """Unknown, contradictory, or none at all."""
    assert [one.code for one in read(therapy="homeopathy").errors] == ["therapy_unknown"]
    assert [one.code for one in read(therapy=concept((RXNORM, "1547545", "nivolumab"))).errors] == ["therapy_conflict"]
    found = read(therapy=None)
    assert [one.code for one in found.errors] == ["no_therapy"]
    with pytest.raises(BundleRefused) as refused:
        found.raise_for_errors()
    assert refused.value.issue_code == "required"


def test_parameters() -> None:
    """The operation's own envelope: bundle, therapies, lines, index date, condition."""
    raw = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "patient", "resource": bundle(patient(), condition(), condition((ICD10, "C50.9"), identity="c2"))},
            {"name": "therapy", "valueCodeableConcept": concept((RXNORM, "1547545"))},
            {
                "name": "therapy",
                "part": [
                    {"name": "agent", "valueString": "carboplatin"},
                    {"name": "agent", "valueString": "pemetrexed"},
                ],
            },
            {"name": "priorLines", "valueInteger": 1},
            {"name": "indexDate", "valueDate": "2026-01-15"},
            {"name": "condition", "valueReference": {"reference": "Condition/c1"}},
        ],
    }
    found = read_bundle(raw)
    assert not found.errors
    assert [one.agents for one in found.therapies] == [("pembrolizumab",), ("carboplatin", "pemetrexed")]
    assert (found.prior_lines.value, found.prior_lines.source) == (1, "request")
    assert (found.index_date, found.index_date_source) == ("2026-01-15", "parameters")
    assert found.condition_reference == "Condition/c1"


def test_prefetch_values_and_the_whole_hook_request() -> None:
    """Null, a resource, a searchset, a page of several, a query that failed."""
    values: dict[str, Any] = {
        "patient": patient(),
        "conditions": bundle(condition(), kind="searchset"),
        "observations": bundle(kind="searchset", link=[{"relation": "next", "url": "https://ehr.example/next"}]),
        "administrations": None,
        "requests": {"resourceType": "OperationOutcome", "issue": []},
        "reports": {"response": {"status": "200 OK"}, "resource": bundle(kind="searchset")},
    }
    for raw in (values, {"hook": "order-select", "prefetch": values}):
        found = read_bundle(raw, therapy="docetaxel", index_date=INDEX)
        assert found.raw["histology"] == "LUAD"
        assert found.incomplete
        assert {"incomplete_page", "prefetch_failed"} <= {one.code for one in found.warnings}


@pytest.mark.parametrize(
    "kind", ["searchset", "transaction", "batch-response", "document", "history", "message", "wrong"]
)
def test_bundles_of_every_type(kind: str) -> None:
    """The type of a bundle changes nothing."""
    assert (
        read_bundle({**whole(), "type": kind}, therapy="docetaxel").raw == read_bundle(whole(), therapy="docetaxel").raw
    )


def test_draft_orders() -> None:
    """Each order a therapy, a group one regimen, what treats no cancer left out, selections respected."""
    group = {"groupIdentifier": {"system": "x", "value": "plan-1"}}
    orders = bundle(
        drug(REQUEST, "", "a", (RXNORM, "1547545"), status="draft"),
        drug(REQUEST, "carboplatin", "b", status="draft", **group),
        drug(REQUEST, "pemetrexed", "c", status="draft", **group),
        drug(REQUEST, "Amoxicillin 120 MG/ML", "d", status="draft"),
        {"resourceType": "NutritionOrder", "id": "n"},
    )
    found = therapies_of_orders(orders)
    assert [one.agents for one in found.therapies] == [("carboplatin", "pemetrexed"), ("pembrolizumab",)]
    assert {one.reference for one in found.not_understood} == {"MedicationRequest/d", "NutritionOrder/n"}
    assert [one.agents for one in therapies_of_orders(orders, ["MedicationRequest/a"]).therapies] == [
        ("pembrolizumab",)
    ]
    assert therapies_of_orders({"entry": None}).therapies == ()


# index date and ages


def test_the_clock_is_never_read() -> None:
    """Request, Parameters, bundle timestamp, else the latest date, and said."""
    raw = bundle(patient(), condition(), observation("1751-7", when="2024-05-05", valueQuantity=quantity(4, "g/dL")))
    found = read_bundle(raw, therapy="docetaxel")
    assert (found.index_date, found.index_date_source) == ("2024-05-05", "derived")
    assert found.raw["patient"] == {"sex": "female", "age_years": 64.0, "albumin_g_per_dl": 4.0}
    stamped = read_bundle({**raw, "timestamp": "2024-05-20T12:00:00+02:00"}, therapy="docetaxel")
    assert (stamped.index_date, stamped.index_date_source) == ("2024-05-20", "bundle")
    assert [one.code for one in read_bundle(raw, therapy="docetaxel", index_date="soon").errors] == [
        "index_date_invalid"
    ]


def test_partial_dates_are_said() -> None:
    """A month is taken at its middle, a year gives no days."""
    found = read(drug(ADMINISTRATION, "carboplatin", "a", effectiveDateTime="2025-11"))
    assert found.raw["prior_therapies"][0]["started_days_before_index"] == 61.0
    assert any(one.code == "partial_date" for one in found.warnings)
    year = read(drug(ADMINISTRATION, "carboplatin", "a", effectiveDateTime="2024"))
    assert year.raw["prior_therapies"] == [{"agents": ["carboplatin"]}]
