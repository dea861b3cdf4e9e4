"""Ranking, cards, vocabularies, schema, version and metrics over HTTP, in the one error shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from models.intended_use import INTENDED_USE
from serving.metrics import ServiceMetrics
from serving.more_openapi import EXAMPLE_RANK
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from tests.guarded import assert_refused
from tests.served_app import SIGNED_IN, guarded_app


@pytest.fixture(scope="module")
def client(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    predictor = Predictor.from_folder(served_models, synthetic=True)
    app = guarded_app(predictor, ServiceMetrics(), tmp_path_factory.mktemp("door"))
    with TestClient(app, headers=SIGNED_IN) as found:
        yield found


@pytest.fixture
def bare(tmp_path: Path) -> TestClient:
    return TestClient(guarded_app(None, ServiceMetrics(), tmp_path), headers=SIGNED_IN)


def _document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_the_ranking_of_the_example_is_what_the_schema_says(client: TestClient) -> None:
    found = client.post("/rank", json=EXAMPLE_RANK)
    assert found.status_code == 200, found.text
    document = _document(client)
    schema = {"$ref": "#/components/schemas/Ranking", "components": document["components"]}
    jsonschema.validate(found.json(), schema)
    assert len(found.json()["lists"][0]["therapies"]) == EXAMPLE_RANK["limit"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "not_json"),
        (b"[]", 422, "not_an_object"),
        (b"{}", 422, "invalid_case"),
        (b'{"histology": "LUAD", "limit": 0}', 422, "invalid_limit"),
        (b'{"histology": "LUAD", "therapies": []}', 422, "invalid_therapies"),
        (b'{"histology": "LUAD", "therapy": {"agents": ["carboplatin"]}}', 422, "no_model_for_therapy"),
        (b'{"histology": "LUAD", "tmb": {"mut_per_mb": -1}}', 422, "invalid_case"),
    ],
)
def test_bad_rankings_are_refused(client: TestClient, body: bytes, status: int, code: str) -> None:
    headers = {"content-type": "application/json"}
    assert_refused(client.post("/rank", content=body, headers=headers), status, code)


def test_cards_are_json_or_a_page(client: TestClient) -> None:
    cards = client.get("/model/card").json()
    assert cards["intended_use"] == INTENDED_USE
    assert {one["family"] for one in cards["cards"]} == {"checkpoint", "targeted"}
    assert all(one["card"]["trained_on"] and one["model"]["digest"] for one in cards["cards"])
    page = client.get("/model/card", headers={"accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert "SYNTHETIC" in page.text
    assert INTENDED_USE in page.text
    assert "<script" not in page.text


def test_vocabularies_are_rows_and_others_are_404_in_our_shape(client: TestClient) -> None:
    found = client.get("/vocabulary/therapies").json()
    assert found["name"] == "therapies"
    assert "pembrolizumab" in {row["agent"] for row in found["rows"]}
    for name in ("therapy", "..%2Fconftest", "%00", "CURATION", "x" * 500):
        assert_refused(client.get(f"/vocabulary/{name}"), *_missing(name))
    assert_refused(client.get("/schema/patient"), 404, "no_such_schema")


def _missing(name: str) -> tuple[int, str]:
    return (404, "no_such_route") if "%2F" in name else (404, "no_such_vocabulary")


def test_the_schema_accepts_the_example(client: TestClient) -> None:
    schema = client.get("/schema/case").json()
    jsonschema.validate(EXAMPLE_CASE, schema)


def test_the_version_names_what_stands_behind_an_answer(client: TestClient) -> None:
    found = client.get("/version").json()
    assert found["libraries"]["lightgbm"]
    assert re.fullmatch(r"[0-9a-f]{16}", found["vocabulary"])
    assert {one["digest"] for one in found["models"]}


def test_without_a_model_nothing_is_made_up(bare: TestClient) -> None:
    for response in (bare.post("/rank", json=EXAMPLE_RANK), bare.get("/model/card"), bare.get("/version")):
        assert_refused(response, 503, "not_ready")
    assert bare.get("/vocabulary/panels").status_code == 200
    assert bare.get("/schema/case").status_code == 200


def test_metrics_count_requests_by_pattern_and_answers_by_code(client: TestClient) -> None:
    client.post("/rank", json={**EXAMPLE_RANK, "limit": 2})
    client.get("/vocabulary/panels")
    client.get("/patients/p-1")
    found = client.get("/metrics")
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'oncorespond_requests_total{method="POST",route="/rank",status="200"}' in found.text
    assert 'route="/vocabulary/{name}"' in found.text
    assert 'route="other",status="404"' in found.text
    assert "p-1" not in found.text
    assert re.search(r'oncorespond_answers_total{model="\w+-response",status="predicted"}', found.text)
    assert 'oncorespond_warnings_total{code="synthetic_model"' in found.text
    assert "oncorespond_probability_bucket" in found.text
    assert "oncorespond_request_seconds_bucket" in found.text


def test_metrics_count_abstentions_refused_entries_and_the_lag() -> None:
    metrics = ServiceMetrics()
    answer = {"status": "abstained", "reasons": [{"code": "a"}], "warnings": [], "model": {"name": "m"}}
    metrics.count_answers([answer, {"error": {"code": "invalid_case"}}])
    metrics.count_request("/predict", "BREW", 200, 0.1)
    metrics.audit_lag(1.5)
    text = metrics.text()
    assert 'oncorespond_abstentions_total{model="m",reason="a"} 1.0' in text
    assert 'oncorespond_refusals_total{code="invalid_case"} 1.0' in text
    assert 'method="other"' in text
    assert "oncorespond_audit_lag_seconds 1.5" in text


def test_the_description_names_every_further_route_with_its_refusals(client: TestClient) -> None:
    document = _document(client)
    for path in ("/rank", "/model/card", "/vocabulary/{name}", "/schema/{name}", "/version", "/metrics"):
        for route in document["paths"][path].values():
            assert {"200", "401", "403", "429"} <= set(route["responses"])
            assert route["description"]
    rank = document["paths"]["/rank"]["post"]
    assert rank["requestBody"]["content"]["application/json"]["example"] == EXAMPLE_RANK
    assert document["paths"]["/livez"]["get"]["security"] == []
    assert document["security"] == [{"bearer": []}]
