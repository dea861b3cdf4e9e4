"""The FHIR addresses at the edge: content types, definitions, the door's errors, the log as AuditEvents, settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.audit.reading import Filter, listed
from serving.fhir.refusals import ClinicalSettingsRefused
from serving.fhir.settings import ClinicalSettings
from serving.metrics import ServiceMetrics
from serving.security.routes import Caller, may, rule_for
from tests.clinical_app import PREDICT, Clinic, assert_outcome, assert_r4, of_type
from tests.fhir_records import bundle, draft, parameters, resources
from tests.served_app import SIGNED_IN, guarded_app


@pytest.fixture(scope="module")
def clinic(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return Clinic(served_models, tmp_path_factory.mktemp("edge"))


@pytest.fixture(scope="module")
def answered(clinic: Clinic) -> dict[str, Any]:
    found: dict[str, Any] = clinic.predict(parameters(("pembrolizumab", "lorlatinib"))).json()
    return found


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


def test_parts_named_agent_are_one_combination(clinic: Clinic) -> None:
    asked = parameters(())
    agents = [{"name": "agent", "valueCodeableConcept": {"text": drug}} for drug in ("nivolumab", "ipilimumab")]
    asked["parameter"].append({"name": "therapy", "part": agents})
    found = clinic.predict(asked).json()
    assert_r4(found)
    [prediction] = of_type(found, "RiskAssessment")[0]["prediction"]
    assert prediction["outcome"] == {"text": "Objective response to ipilimumab + nivolumab"}


def test_the_log_is_for_the_audit_role(clinic: Clinic) -> None:
    """The predict role opens the operation, and not the export of what others asked."""
    ward = Caller("key:ward-7", frozenset({"predict"}))
    assert may(ward, rule_for("POST", PREDICT))
    assert not may(ward, rule_for("GET", "/fhir/AuditEvent"))
    assert clinic.get("/fhir/AuditEvent").status_code == 200


def test_orders_without_an_id_are_not_one_regimen(clinic: Clinic) -> None:
    orders = [
        {name: value for name, value in draft(drug).items() if name != "id"} for drug in ("pembrolizumab", "nivolumab")
    ]
    found = clinic.predict(bundle([*resources(), *orders])).json()
    texts = {one["outcome"]["text"] for risk in of_type(found, "RiskAssessment") for one in risk["prediction"]}
    assert texts == {"Objective response to pembrolizumab", "Objective response to nivolumab"}


def test_a_bento_without_the_package_says_what_it_can(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.fhir.capability.version_of_code", lambda: {"oncorespond": None})
    for path in ("/fhir/metadata", "/cds-services"):
        assert clinic.get(path).status_code == 200
    assert_r4(clinic.get("/fhir/metadata").json())
