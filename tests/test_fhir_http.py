"""FHIR over HTTP: what is emitted is R4 and adds up, errors are OperationOutcomes, and what is sent was logged."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.audit.reading import Filter, listed
from serving.fhir.refusals import ClinicalSettingsRefused
from serving.fhir.settings import ClinicalSettings
from serving.metrics import ServiceMetrics
from tests.clinical_app import PREDICT, Clinic, assert_outcome, assert_r4, of_type
from tests.fhir_records import bundle, condition, draft, parameters, patient, record, resources
from tests.served_app import SIGNED_IN, guarded_app

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


def test_content_types(clinic: Clinic) -> None:
    assert clinic.post(PREDICT, parameters(), "application/json").status_code == 200
    assert clinic.post(PREDICT, parameters(), "application/fhir+json; fhirVersion=4.0").status_code == 200
    for kind in ("application/fhir+xml", "text/plain", "", "application/fhir+json; fhirVersion=5.0"):
        assert_outcome(clinic.post(PREDICT, parameters(), kind), 415, "not-supported")


@pytest.mark.parametrize("accept", ["*/*", "application/fhir+json", "text/html, application/json;q=0.5", ""])
def test_accepted(clinic: Clinic, accept: str) -> None:
    response = clinic.get("/fhir/metadata", accept=accept)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/fhir+json; charset=utf-8; fhirVersion=4.0"


@pytest.mark.parametrize("accept", ["application/fhir+xml", "text/html", "application/fhir+json; fhirVersion=5.0"])
def test_not_acceptable(clinic: Clinic, accept: str) -> None:
    assert_outcome(clinic.get("/fhir/metadata", accept=accept), 406, "not-supported")
    assert_outcome(clinic.post(PREDICT, parameters(), accept=accept), 406, "not-supported")


def test_format_parameter(clinic: Clinic) -> None:
    assert clinic.get("/fhir/metadata?_format=json", accept="application/fhir+xml").status_code == 200
    assert_outcome(clinic.get("/fhir/metadata?_format=xml"), 406, "not-supported")


def test_definitions(clinic: Clinic) -> None:
    metadata = clinic.get("/fhir/metadata").json()
    assert_r4(metadata)
    assert metadata["fhirVersion"] == "4.0.1"
    definition = clinic.get(metadata["rest"][0]["operation"][0]["definition"].removeprefix("http://127.0.0.1:3000"))
    assert_r4(definition.json())
    assert definition.json()["code"] == "predict-response"
    for name in ("estimate", "feature-contribution", "audit-detail"):
        assert_r4(clinic.get(f"/fhir/StructureDefinition/{name}").json())
    assert_outcome(clinic.get("/fhir/StructureDefinition/other"), 404, "not-found")


def test_errors_of_the_door_are_outcomes_too(clinic: Clinic) -> None:
    assert_outcome(clinic.client.post(PREDICT, json={}), 401, "login")
    response = clinic.client.get("/fhir/metadata", headers={"authorization": "Bearer wrong"})
    assert_outcome(response, 401, "login")
    assert "www-authenticate" in response.headers
    assert_outcome(clinic.post(PREDICT, b"x" * (8 * 1024 * 1024 + 1)), 413, "too-long")
    assert_outcome(clinic.get("/fhir/Patient/p1"), 404, "not-found")
    assert_outcome(clinic.client.delete("/fhir/metadata", headers=SIGNED_IN), 405, "not-supported")


def test_other_addresses_keep_their_own_shape(clinic: Clinic) -> None:
    assert set(clinic.client.get("/model").json()) == {"error"}


def test_the_log_as_audit_events(clinic: Clinic, answered: dict[str, Any]) -> None:
    assert answered
    page = clinic.get("/fhir/AuditEvent?_count=1")
    assert_r4(page.json())
    seen, link = 0, "/fhir/AuditEvent?_count=2&date=ge2020-01-01"
    while link:
        found = clinic.get(link).json()
        assert_r4(found)
        seen += len(found["entry"])
        following = [one["url"] for one in found["link"] if one["relation"] == "next"]
        link = following[0].removeprefix("http://127.0.0.1:3000") if following else ""
    assert seen == len(listed(clinic.log.database, Filter(newest=10_000)))
    assert "p1" not in json.dumps([one["resource"]["entity"] for one in page.json()["entry"]])


def test_an_empty_page_of_the_log(clinic: Clinic) -> None:
    found = clinic.get("/fhir/AuditEvent?date=lt2020-01-01").json()
    assert "entry" not in found
    assert_r4(found)


@pytest.mark.parametrize("query", ["date=2026", "patient=p1", "_count=0", "_count=x", "_after=" + "9" * 19])
def test_a_search_that_cannot_be_read(clinic: Clinic, query: str) -> None:
    assert_outcome(clinic.get(f"/fhir/AuditEvent?{query}"), 400, "value")


def test_nothing_is_there_without_acknowledgement(served_models: Path, tmp_path: Path, clinic: Clinic) -> None:
    client = TestClient(guarded_app(clinic.predictor, ServiceMetrics(), tmp_path))
    for path in ("/fhir/metadata", "/cds-services"):
        assert client.get(path, headers=SIGNED_IN).status_code == 404


@pytest.mark.parametrize(
    "url", ["http://hospital.example", "https://hospital.example/", "ftp://x", "hospital", "https://a?b", "https://u@h"]
)
def test_public_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ClinicalSettingsRefused):
        ClinicalSettings.of("Dr. A. Example", {"ORP_PUBLIC_URL": url})


def test_an_acknowledgement_names_somebody() -> None:
    assert ClinicalSettings.of(None) is None
    with pytest.raises(ClinicalSettingsRefused):
        ClinicalSettings.of(" ")


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
