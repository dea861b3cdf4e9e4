"""The HTTP routes: answers, one error shape, and every bad case of the golden table."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.intended_use import INTENDED_USE
from serving.api import create_app
from serving.body import MOST_BYTES
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from serving.served_models import NoServedModels, SyntheticRefused
from tests.cases import golden, good_case

BAD = golden("bad_cases")


@pytest.fixture(scope="module")
def client(served_models: Path) -> Iterator[TestClient]:
    predictor = Predictor.from_folder(served_models, synthetic=True)
    with TestClient(create_app(lambda: predictor)) as found:
        yield found


def _assert_error(response: Any, status: int, code: str) -> dict[str, Any]:
    """Every refusal has this one shape."""
    assert response.status_code == status, response.text
    body = response.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["request_id"] == response.headers.get("x-request-id", error["request_id"])
    assert "Traceback" not in response.text
    return error


def test_one_case_is_answered_in_full(client: TestClient) -> None:
    answer = client.post("/predict", json=EXAMPLE_CASE).json()
    assert answer["status"] == "predicted"
    assert answer["interval"]["low"] <= answer["probability"] <= answer["interval"]["high"]
    summed = answer["base_log_odds"] + sum(one["log_odds"] for one in answer["contributions"])
    assert summed == pytest.approx(answer["log_odds"], abs=1e-9)
    assert sum(answer["groups"].values()) == pytest.approx(summed - answer["base_log_odds"], abs=1e-9)
    assert answer["intended_use"] == INTENDED_USE
    assert answer["model"]["synthetic"] is True
    assert any("SYNTHETIC" in warning["text"] for warning in answer["warnings"])


def test_therapies_are_answered_in_their_order_by_their_family(client: TestClient) -> None:
    agents = [["nivolumab"], ["vemurafenib"], ["ipilimumab", "nivolumab"], ["encorafenib", "cetuximab"]]
    body = {**good_case(therapy="__absent__"), "therapies": [{"agents": one} for one in agents]}
    answers = client.post("/predict", json=body).json()["answers"]
    families = [answer["model"]["name"] for answer in answers]
    assert families == ["checkpoint-response", "targeted-response"] * 2


def test_each_case_of_a_batch_stands_for_itself(client: TestClient) -> None:
    cases = [EXAMPLE_CASE, {"histology": "LAUD"}, good_case(therapy={"agents": ["carboplatin"]}), 7, EXAMPLE_CASE]
    answers = client.post("/predict/batch", json={"cases": cases}).json()["answers"]
    kinds = [answer.get("status") or answer["error"]["code"] for answer in answers]
    assert kinds == ["predicted", "invalid_case", "no_model_for_therapy", "not_an_object", "predicted"]
    assert answers[0]["prediction_id"] != answers[4]["prediction_id"]
    assert answers[0]["log_odds"] == answers[4]["log_odds"]


@pytest.mark.parametrize("row", BAD, ids=[row["case"] for row in BAD])
def test_bad_cases_are_refused_over_http(client: TestClient, row: dict[str, str]) -> None:
    error = _assert_error(client.post("/predict", json=good_case(**json.loads(row["input"]))), 422, "invalid_case")
    assert error["problems"][0]["code"] == row["expected"]
    assert error["problems"][0].get("field", "") == row["field"]
    assert row["fragment"] in error["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "not_json"),
        (b"{", "application/json", 400, "not_json"),
        (b'{"tmb": {"mut_per_mb": NaN}}', "application/json", 400, "not_json"),
        (b"\xff\xfe", "application/json", 400, "not_json"),
        (b"[]", "application/json", 422, "not_an_object"),
        (b'"x"', "application/json", 422, "not_an_object"),
        (b"null", "application/json", 422, "not_an_object"),
        (b"[" * 100_000, "application/json", 400, "not_json"),
        (b"{}", "application/json", 422, "invalid_case"),
        (b"{}", "text/plain", 415, "wrong_content_type"),
        (b"{}", "", 415, "wrong_content_type"),
        (b" " * (MOST_BYTES + 1), "application/json", 413, "body_too_large"),
        (b'{"histology": "LUAD", "therapies": []}', "application/json", 422, "invalid_therapies"),
        (b'{"histology": "LUAD", "therapies": {}}', "application/json", 422, "invalid_therapies"),
        (b'{"histology": "LUAD", "therapy": {}, "therapies": [{}]}', "application/json", 422, "invalid_therapies"),
        (b'{"histology": "LUAD", "therapies": [{}]}', "application/json", 422, "invalid_case"),
        (
            b'{"histology": "LUAD", "therapy": {"agents": ["carboplatin"]}}',
            "application/json",
            422,
            "no_model_for_therapy",
        ),
    ],
)
def test_bad_bodies_are_refused(client: TestClient, body: bytes, kind: str, status: int, code: str) -> None:
    headers = {"content-type": kind} if kind else {}
    _assert_error(client.post("/predict", content=body, headers=headers), status, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_batch"),
        ({"cases": []}, "invalid_batch"),
        ({"cases": {}}, "invalid_batch"),
        ({"case": [EXAMPLE_CASE]}, "invalid_batch"),
        ({"cases": [EXAMPLE_CASE], "model": "x"}, "invalid_batch"),
        ({"cases": [0] * 1_001}, "too_many_cases"),
    ],
)
def test_bad_batches_are_refused(client: TestClient, body: dict[str, Any], code: str) -> None:
    _assert_error(client.post("/predict/batch", json=body), 422, code)


def test_other_addresses_and_methods_have_the_same_error_shape(client: TestClient) -> None:
    _assert_error(client.get("/nowhere"), 404, "no_such_route")
    _assert_error(client.get("/predict"), 405, "method_not_allowed")
    _assert_error(client.put("/predict", json={}), 405, "method_not_allowed")


def test_a_problem_of_one_of_several_therapies_is_named_by_its_place(client: TestClient) -> None:
    body = {"histology": "LUAD", "therapies": [{"agents": ["nivolumab"]}, {"agents": ["nivolumap"]}]}
    error = _assert_error(client.post("/predict", json=body), 422, "invalid_case")
    assert error["problems"][0]["field"] == "therapies[1].agents[0]"


def test_without_a_model_the_service_is_alive_and_not_ready() -> None:
    with TestClient(create_app(lambda: None)) as bare:
        assert bare.get("/livez").json() == {"status": "alive"}
        for response in (bare.get("/readyz"), bare.get("/model"), bare.post("/predict", json=EXAMPLE_CASE)):
            _assert_error(response, 503, "not_ready")


def test_callers_from_elsewhere_are_refused(served_models: Path) -> None:
    predictor = Predictor.from_folder(served_models, synthetic=True)
    with TestClient(create_app(lambda: predictor), client=("192.0.2.7", 4711)) as stranger:
        _assert_error(stranger.post("/predict", json=EXAMPLE_CASE), 403, "only_loopback")


def test_a_bug_of_ours_shows_neither_traceback_nor_values(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Predictor:
        raise ZeroDivisionError("albumin 3.9 of patient p-1")

    with caplog.at_level(logging.DEBUG), TestClient(create_app(broken), raise_server_exceptions=False) as client:
        error = _assert_error(client.post("/predict", json=EXAMPLE_CASE), 500, "internal_fault")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("oncorespond")]
    assert "p-1" not in error["message"]
    assert ours
    assert not any("3.9" in message or "p-1" in message for message in ours)
    assert not any("3.9" in str(record.__dict__) for record in caplog.records if record.name.startswith("oncorespond"))


def test_refusals_reach_the_log_without_values(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="oncorespond.serving"):
        client.post("/predict", json=good_case(patient={"albumin_g_per_dl": 39.5}))
    told = [str(record.__dict__) for record in caplog.records if record.name.startswith("oncorespond")]
    assert any("out_of_range at patient.albumin_g_per_dl" in text for text in told)
    assert not any("39.5" in text for text in told)


def test_synthetic_models_are_refused_unless_allowed(served_models: Path) -> None:
    with pytest.raises(SyntheticRefused, match="--synthetic"):
        Predictor.from_folder(served_models, synthetic=False)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoServedModels, match="oncorespond promote"):
        Predictor.from_folder(tmp_path, synthetic=True)


def test_openapi_names_every_route_with_an_example(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert {"/predict", "/predict/batch", "/rank", "/model", "/model/card", "/livez", "/readyz"} <= set(
        document["paths"]
    )
    for path in ("/predict", "/predict/batch"):
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert body["example"]
        assert client.post(path, json=body["example"]).status_code == 200
    assert {"Case", "Answer", "Error"} <= set(document["components"]["schemas"])


def test_the_front_page_says_what_it_is_not_for(client: TestClient) -> None:
    for address in ("/", "/docs"):
        page = client.get(address)
        assert page.status_code == 200
        assert INTENDED_USE in page.text
        assert "SYNTHETIC" in page.text
        assert "<script" not in page.text
        assert "http" not in page.text.replace("http-equiv", "")
