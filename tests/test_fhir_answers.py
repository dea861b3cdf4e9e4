"""From answers to FHIR, without HTTP: abstentions, traces, percents, and texts that FHIR can hold."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.mcode import ReadCase, read_bundle
from serving.fhir.answer_bundle import answer_bundle
from serving.fhir.audit_event import audit_event
from serving.fhir.content import fhir_response
from serving.fhir.guidance import OTHER_RESOURCE, TOPICS_OF_FEATURE, data_requirement
from serving.fhir.model_resources import LONGEST_ID, card_id, device_id
from serving.fhir.outcome import ISSUE_CODES, operation_outcome
from serving.fhir.risk import PercentOutOfRange, percent
from serving.fhir.settings import ClinicalSettings
from serving.fhir.trace import Trace
from serving.predictor import Predictor
from tests.clinical_app import assert_r4, of_type
from tests.fhir_records import bundle, condition, patient, quantity, record, variant

SETTINGS = ClinicalSettings("Dr. A. Example", "https://orp.hospital.example")
KEYS = ("tmb_mut_per_mb", "mmr_deficient", "nlr", "age_years", "ecog")


@pytest.fixture(scope="module")
def demanding(served_models: Path) -> Predictor:
    """The small checkpoint model, which here abstains unless three of five inputs are known."""
    model = Predictor.from_folder(served_models, synthetic=True).by_family["checkpoint"]
    rules = replace(model.applicability.settings, key_inputs=KEYS, fewest_key_inputs=3)
    return Predictor({"checkpoint": replace(model, applicability=replace(model.applicability, settings=rules))})


def answered(predictor: Predictor, read: ReadCase) -> dict[str, Any]:
    """Answer and write as JSON, as it would be sent."""
    cases = list(read.cases)
    found: dict[str, Any] = json.loads(
        bytes(fhir_response(answer_bundle(read, cases, predictor.answers(cases), predictor, SETTINGS)).body)
    )
    assert_r4(found)
    return found


def test_an_abstention_names_the_codes_that_are_missing(demanding: Predictor) -> None:
    somebody = patient()
    del somebody["birthDate"]
    sparse = bundle([somebody, condition()])
    found = answered(demanding, read_bundle(sparse, therapy="pembrolizumab"))
    assert of_type(found, "RiskAssessment") == []
    [guidance] = of_type(found, "GuidanceResponse")
    assert guidance["status"] == "data-required"
    codes = {
        code["code"]
        for one in guidance["dataRequirement"]
        for part in one.get("codeFilter", [])
        for code in part["code"]
    }
    assert {"94076-7", "81695-9", "751-8", "731-0", "89247-1"} <= codes
    assert {"type": "Patient"} in guidance["dataRequirement"]
    assert "probability" not in json.dumps(guidance)


def test_what_was_sent_is_not_asked_for_again(demanding: Predictor) -> None:
    found = answered(demanding, read_bundle(record(), therapy="pembrolizumab"))
    assert [len(one["prediction"]) for one in of_type(found, "RiskAssessment")] == [1]
    assert of_type(found, "GuidanceResponse") == []


def test_a_limit_of_the_model_asks_for_nothing(served_models: Path) -> None:
    """A histology without cases or arms: no data of this patient would change it."""
    model = Predictor.from_folder(served_models, synthetic=True).by_family["checkpoint"]
    rules = replace(model.applicability.settings, widest_interval=0.0)
    strict = Predictor({"checkpoint": replace(model, applicability=replace(model.applicability, settings=rules))})
    found = answered(strict, read_bundle(record(), therapy="pembrolizumab"))
    [guidance] = of_type(found, "GuidanceResponse")
    assert guidance["status"] == "failure"
    assert "dataRequirement" not in guidance
    assert guidance["contained"][0]["issue"][0]["code"] == "not-supported"


def test_every_feature_of_the_tables_has_something_to_ask_for(served_models: Path) -> None:
    models = Predictor.from_folder(served_models, synthetic=True).by_family.values()
    features = {one for model in models for one in model.feature_names}
    assert set(TOPICS_OF_FEATURE) | set(OTHER_RESOURCE) <= features | {"histology"}
    for feature in features:
        assert data_requirement(feature)["type"]


def traced(entries: list[dict[str, Any]]) -> Trace:
    """A trace over a reading of these resources and a diagnosis."""
    read = read_bundle(bundle([patient(), condition(), *entries]), therapy="pembrolizumab")
    assert read.case is not None, read.errors
    return Trace(read, read.case)


ALTERED = [
    variant("KRAS", "p.Gly12Cys", 31),
    variant("TP53", "p.Arg273His"),
    quantity("tmb", "94076-7", 12.3, "1/1000000{Base}"),
    quantity("albumin", "1751-7", 39, "g/L"),
]


@pytest.mark.parametrize(
    ("group", "feature", "value", "text", "expected"),
    [
        ("alterations", "kras_mutation", True, "KRAS mutation (G12C)", ("Observation/kras-variant",)),
        ("alterations", "tp53_altered", True, "TP53 alteration (R273H)", ("Observation/tp53-variant",)),
        ("alterations", "braf_mutation", None, "BRAF mutation not known", ()),
        ("tmb", "tmb_mut_per_mb", 12.3, "TMB 12.3 mut/Mb", ("Observation/tmb",)),
        ("tmb", "tmb_within_histology", 60, "TMB at the 60th percentile", ("Observation/tmb", "Condition/c1")),
        ("patient", "albumin_g_per_dl", 3.9, "albumin 3.9 g/dL", ("Observation/albumin",)),
        ("patient", "age_years", 62, "age 62 years", ("Patient/p1",)),
        ("patient", "nlr", None, "not known", ()),
        ("histology", "histology", "LUAD", "Lung Adenocarcinoma (LUAD)", ("Condition/c1",)),
    ],
)
def test_contributions_point_to_what_they_were_read_from(
    group: str, feature: str, value: Any, text: str, expected: tuple[str, ...]
) -> None:
    contribution = {"group": group, "feature": feature, "value": value, "text": text}
    assert traced(ALTERED).sources(contribution) == expected


def test_published_evidence_points_to_what_arms_are_matched_by() -> None:
    contribution = {"group": "evidence", "feature": "evidence", "value": None, "text": "published evidence"}
    assert set(traced(ALTERED).sources(contribution)) == {
        "Condition/c1",
        "Observation/kras-variant",
        "Observation/tp53-variant",
    }


@given(st.floats(0, 1))
def test_percent_is_between_0_and_100(probability: float) -> None:
    assert 0 <= percent(probability) <= 100
    assert math.isclose(percent(probability), 100 * probability, abs_tol=1e-4)


@pytest.mark.parametrize("probability", [-0.001, 1.01, math.nan, math.inf, 41.3])
def test_what_is_no_probability_is_never_sent(probability: float) -> None:
    with pytest.raises(PercentOutOfRange):
        percent(probability)


@given(st.text(), st.text(), st.sampled_from(sorted(ISSUE_CODES)))
def test_any_error_is_an_outcome_of_r4(message: str, field: str, code: str) -> None:
    assert_r4(operation_outcome({"code": code, "message": message, "field": field, "request_id": message}))


@given(st.text(min_size=1, max_size=100), st.text(max_size=100), st.text(max_size=100))
def test_ids_are_ids(name: str, version: str, digest: str) -> None:
    model = {"name": name, "version": version, "digest": digest}
    for found in (device_id(model), card_id(model)):
        assert len(found) <= LONGEST_ID
        assert all(mark.isascii() and (mark.isalnum() or mark in "-.") for mark in found)


ROW = {
    "seq": 7, "record_id": "0190aaaa-0000-7000-8000-000000000001", "kind": "prediction", "about": None,
    "time": "2026-11-22T12:00:00.000001Z", "caller": "key:ward-7", "case_ref": "a" * 16, "patient_ref": None,
    "request_digest": "b" * 16, "model_name": "m", "model_version": "1", "model_digest": "sha256:00",
    "vocabulary": "v", "status": "predicted", "hash": "c" * 64,
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"kind": "ranking", "model_name": None, "model_version": None, "model_digest": None},
        {"kind": "feedback", "about": "0190aaaa-0000-7000-8000-000000000002", "request_digest": None},
        {"kind": "erasure", "case_ref": None, "request_digest": None, "model_name": None, "status": None},
        {"kind": "something new"},
    ],
)
def test_every_kind_of_record_is_an_audit_event(change: dict[str, Any]) -> None:
    event = audit_event({**ROW, **change}, SETTINGS)
    assert_r4(event)
    assert change.get("kind", "prediction") in json.dumps(event)
