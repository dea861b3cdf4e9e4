"""FHIR over HTTP: what is emitted is R4 and adds up, errors are OperationOutcomes, and what is sent was logged."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from features.case import read_case
from features.sources.mcode import write_parameters
from tests.clinical_app import PREDICT, Clinic, assert_outcome, assert_r4, of_type
from tests.fhir_records import bundle, condition, draft, parameters, patient, record, resources

BASE = "http://127.0.0.1:3000/fhir"


@pytest.fixture(scope="module")
def clinic(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return Clinic(served_models, tmp_path_factory.mktemp("fhir"))


@pytest.fixture(scope="module")
def answered(clinic: Clinic) -> dict[str, Any]:
    """The answer for a checkpoint inhibitor and a targeted drug: two models."""
    response = clinic.predict(parameters(("pembrolizumab", "lorlatinib")))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def extensions(prediction: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return our complex extensions of one name, as name to value; ``source`` to a list."""
    found = []
    for one in prediction["extension"]:
        if one["url"] == f"{BASE}/StructureDefinition/{name}":
            values: dict[str, Any] = {"source": []}
            for part in one["extension"]:
                value = next(value for key, value in part.items() if key != "url")
                if part["url"] == "source":
                    values["source"].append(value["reference"])
                else:
                    values[part["url"]] = value
            found.append(values)
    return found


def test_everything_emitted_is_r4(answered: dict[str, Any]) -> None:
    assert_r4(answered)
    for entry in answered["entry"]:
        assert_r4(entry["resource"])
        assert entry["fullUrl"].startswith(("urn:uuid:", f"{BASE}/"))
    assert {"RiskAssessment", "Device", "Provenance", "DocumentReference"} <= {
        one["resource"]["resourceType"] for one in answered["entry"]
    }


def test_every_resource_of_an_answer_is_labelled(answered: dict[str, Any]) -> None:
    for one in (answered, *(entry["resource"] for entry in answered["entry"])):
        if one["resourceType"] == "OperationOutcome":
            continue
        assert {label["code"] for label in one["meta"]["security"]} == {"AIAST", "HTEST"}, one["resourceType"]


def test_one_prediction_per_therapy_and_one_assessment_per_model(answered: dict[str, Any]) -> None:
    found = of_type(answered, "RiskAssessment") + of_type(answered, "GuidanceResponse")
    texts = json.dumps(found)
    assert "Objective response to pembrolizumab" in texts
    assert "Objective response to lorlatinib" in texts
    for risk in of_type(answered, "RiskAssessment"):
        assert risk["subject"] == {"reference": "Patient/p1"} or "p1" in risk["subject"]["reference"]
        assert "c1" in risk["condition"]["reference"]
        assert any("tmb" in one["reference"] for one in risk["basis"])


def test_contributions_add_up_and_point_back(clinic: Clinic) -> None:
    [risk] = of_type(clinic.predict(parameters()).json(), "RiskAssessment")
    [prediction] = risk["prediction"]
    [estimate] = extensions(prediction, "estimate")
    parts = extensions(prediction, "feature-contribution")
    total = estimate["base-log-odds"] + sum(one["shap"] for one in parts)
    assert math.isclose(total, estimate["log-odds"], abs_tol=1e-9)
    assert prediction["probabilityDecimal"] == pytest.approx(100 * estimate["probability"], abs=1e-4)
    sources = {one["feature"]: one["source"] for one in parts}
    named = {feature: {one.rpartition("/")[2] for one in found} for feature, found in sources.items()}
    for feature, identity in {"ecog": "ecog", "albumin_g_per_dl": "albumin", "kras_mutation": "kras-variant"}.items():
        if feature in named:
            assert named[feature] == {identity}, feature
    assert "ecog" in named or "albumin_g_per_dl" in named
    assert named.get("nlr", set()) == set()  # it was not sent, so it has no source


def test_the_same_number_as_our_own_route(clinic: Clinic) -> None:
    [risk] = of_type(clinic.predict(parameters()).json(), "RiskAssessment")
    [estimate] = extensions(risk["prediction"][0], "estimate")
    logged = clinic.log.lookup(estimate["prediction-id"])
    assert logged.payload is not None
    own = clinic.post(
        "/predict", {**logged.payload["request"], "case_id": None, "patient_id": None}, "application/json"
    )
    assert own.json()["probability"] == estimate["probability"]


def test_what_is_sent_is_in_the_log_first(clinic: Clinic, answered: dict[str, Any]) -> None:
    identifiers = [
        one["value"].removeprefix("urn:uuid:")
        for kind in ("RiskAssessment", "GuidanceResponse")
        for resource in of_type(answered, kind)
        for one in resource["identifier"]
    ]
    assert len(identifiers) == 2
    for identity in identifiers:
        assert clinic.log.lookup(identity).row["route"] == "/fhir/*"


def test_nothing_is_answered_without_the_log(served_models: Path, tmp_path: Path) -> None:
    clinic = Clinic(served_models, tmp_path)
    clinic.log.close()
    assert_outcome(clinic.predict(parameters()), 503, "transient")


def test_device_and_card_can_be_read_again(clinic: Clinic, answered: dict[str, Any]) -> None:
    for entry in answered["entry"]:
        if entry["fullUrl"].startswith(BASE):
            response = clinic.get(entry["fullUrl"].removeprefix("http://127.0.0.1:3000"))
            assert response.json() == entry["resource"]
    assert_outcome(clinic.get("/fhir/Device/unknown"), 404, "not-found")
    [risk, *_] = of_type(answered, "RiskAssessment")
    assert risk["performer"]["reference"] in {entry["fullUrl"] for entry in answered["entry"]}


def test_drafted_orders_are_the_therapies_of_a_bare_bundle(clinic: Clinic) -> None:
    grouped: dict[str, Any] = {"groupIdentifier": {"system": "https://ehr.example/groups", "value": "g-1"}}
    orders = [draft("nivolumab", **grouped), draft("ipilimumab", **grouped), draft("pembrolizumab")]
    found = clinic.predict(bundle([*resources(), *orders])).json()
    texts = {one["outcome"]["text"] for risk in of_type(found, "RiskAssessment") for one in risk["prediction"]} | {
        one["reasonCode"][0]["text"] for one in of_type(found, "GuidanceResponse")
    }
    assert "Objective response to pembrolizumab" in texts
    assert len(texts) == 2
    assert any("nivolumab" in text and "ipilimumab" in text for text in texts)


def test_without_a_therapy_all_are_ranked(clinic: Clinic) -> None:
    found = clinic.predict(parameters((), limit={"valueInteger": 3}))
    assert found.status_code == 200, found.text
    assert_r4(found.json())
    predictions = [one for risk in of_type(found.json(), "RiskAssessment") for one in risk["prediction"]]
    assert 1 <= len(predictions) <= 6


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "structure"),
        (b"{", 400, "structure"),
        (b"[]", 422, "structure"),
        (b"NaN", 400, "structure"),
        ({"resourceType": "Patient"}, 422, "structure"),
        ({}, 422, "structure"),
        (parameters(("no such drug",)), 422, "code-invalid"),
        ({"resourceType": "Parameters", "parameter": [{"name": "therapies"}]}, 422, "value"),
        (parameters(limit={"valueInteger": 0}), 422, "value"),
        (parameters(limit={"valueInteger": True}), 422, "value"),
        (parameters(prior_lines=-1), 422, "value"),
        (bundle([patient()]), 422, "required"),
    ],
)
def test_what_is_refused(clinic: Clinic, body: Any, status: int, code: str) -> None:
    assert_outcome(clinic.predict(body), status, code)


def test_every_problem_of_a_bundle_is_an_issue(clinic: Clinic) -> None:
    response = clinic.predict(parameters(("no such drug",), record=bundle([patient()])))
    assert response.status_code == 422
    errors = [one for one in response.json()["issue"] if one["severity"] == "error"]
    assert len(errors) >= 2
    assert_r4(response.json())


def test_a_record_in_another_order_is_the_same_answer(clinic: Clinic) -> None:
    def numbers(entries: list[dict[str, Any]]) -> Any:
        found = clinic.predict(parameters(record=bundle(entries))).json()
        [risk] = of_type(found, "RiskAssessment")
        [estimate] = extensions(risk["prediction"][0], "estimate")
        return estimate["probability"], estimate["log-odds"]

    assert numbers(resources()) == numbers(resources()[::-1])


def test_two_primary_cancers_are_not_chosen_between(clinic: Clinic) -> None:
    other = condition(
        "c2", "8720/3", code={"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C43.9"}]}
    )
    response = clinic.predict(parameters(record=bundle([*resources(), other])))
    assert_outcome(response, 422, "multiple-matches")


def test_the_record_itself_is_never_changed_by_a_second_reading(clinic: Clinic) -> None:
    first, second = (of_type(clinic.predict(record()).json(), "RiskAssessment") for _ in range(2))
    assert [len(one["prediction"]) for one in first] == [len(one["prediction"]) for one in second]


def test_an_order_that_is_not_understood_is_said(clinic: Clinic) -> None:
    """What is no cancer drug is listed; where code and name disagree, nothing is ranked in its place."""
    unknown = draft("no such drug", "d-9")
    both = clinic.predict(bundle([*resources(), draft("pembrolizumab"), unknown])).json()
    [remarks] = of_type(both, "OperationOutcome")
    assert any("MedicationRequest/d-9" in one["details"]["text"] for one in remarks["issue"])
    assert [len(one["prediction"]) for one in of_type(both, "RiskAssessment")] == [1]
    conflict = draft("pembrolizumab", "d-8")
    conflict["medicationCodeableConcept"]["coding"][0]["display"] = "crizotinib"
    assert_outcome(clinic.predict(bundle([*resources(), conflict])), 422, "code-invalid")


def test_a_repeated_request_with_its_key_is_answered_once(clinic: Clinic) -> None:
    def identifiers(sent: dict[str, Any], key: str) -> list[str]:
        response = clinic.post(PREDICT, sent, **{"idempotency-key": key})
        assert response.status_code == 200, response.text[:500]
        return [one["value"] for risk in of_type(response.json(), "RiskAssessment") for one in risk["identifier"]]

    for key, sent in (("named", parameters()), ("ranked", parameters(()))):
        assert identifiers(sent, key) == identifiers(sent, key)
    assert clinic.post(PREDICT, parameters(prior_lines=2), **{"idempotency-key": "named"}).status_code == 422


def test_a_therapy_that_no_model_judges(clinic: Clinic) -> None:
    """Chemotherapy is not estimated: beside another therapy that is said, alone it is the answer."""
    found = clinic.predict(parameters(("docetaxel", "pembrolizumab"))).json()
    assert_r4(found)
    assert [len(one["prediction"]) for one in of_type(found, "RiskAssessment")] == [1]
    [remarks] = of_type(found, "OperationOutcome")
    assert [one["code"] for one in remarks["issue"] if "docetaxel" in one["details"]["text"]] == ["not-supported"]
    issue = assert_outcome(clinic.predict(parameters(("docetaxel",))), 422, "not-supported")
    assert "docetaxel" in issue["details"]["text"]


@pytest.mark.parametrize("name", ["checkpoint", "targeted"])
def test_a_case_as_mcode_gives_the_number_of_the_case(clinic: Clinic, project_root: Path, name: str) -> None:
    """Our own writer, this operation, and /predict agree to the last bit."""
    raw = json.loads((project_root / "docs" / "examples" / f"{name}.json").read_text(encoding="utf-8"))
    found = clinic.predict(write_parameters(read_case(raw)))
    assert found.status_code == 200, found.text[:2000]
    [risk] = of_type(found.json(), "RiskAssessment")
    [estimate] = extensions(risk["prediction"][0], "estimate")
    assert estimate["probability"] == clinic.post("/predict", raw, "application/json").json()["probability"]
