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
from serving.audit.reading import Filter, listed
from serving.body import MOST_BYTES
from serving.metrics import ServiceMetrics
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from serving.served_models import NoServedModels, SyntheticRefused
from serving.state import ServiceState
from tests.audit_log import open_log
from tests.cases import golden, good_case
from tests.guarded import assert_refused
from tests.served_app import SIGNED_IN, guarded_app

BAD = golden("bad_cases")


@pytest.fixture(scope="module")
def client(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    predictor = Predictor.from_folder(served_models, synthetic=True)
    app = guarded_app(predictor, ServiceMetrics(), tmp_path_factory.mktemp("door"))
    with TestClient(app, headers=SIGNED_IN) as found:
        yield found


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
    error = assert_refused(client.post("/predict", json=good_case(**json.loads(row["input"]))), 422, "invalid_case")
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
    assert_refused(client.post("/predict", content=body, headers=headers), status, code)


def test_a_therapy_that_no_model_judges_is_named_by_its_place(client: TestClient) -> None:
    therapies = [{"class": "pd1_pdl1"}, {"agents": ["osimertinib"]}, {"agents": ["carboplatin"]}]
    answer = client.post("/predict", json={"histology": "LUAD", "therapies": therapies})
    assert_refused(answer, 422, "no_model_for_therapy")
    assert "therapies[2]" in answer.text


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
    assert_refused(client.post("/predict/batch", json=body), 422, code)


def test_other_addresses_and_methods_have_the_same_error_shape(client: TestClient) -> None:
    assert_refused(client.get("/nowhere"), 404, "no_such_route")
    for path in ("/fhir/metadata", "/cds-services"):
        assert "--clinical-research-acknowledged" in client.get(path).text
    assert_refused(client.get("/predict"), 405, "method_not_allowed")
    assert_refused(client.put("/predict", json={}), 405, "method_not_allowed")


def test_a_problem_of_one_of_several_therapies_is_named_by_its_place(client: TestClient) -> None:
    body = {"histology": "LUAD", "therapies": [{"agents": ["nivolumab"]}, {"agents": ["nivolumap"]}]}
    error = assert_refused(client.post("/predict", json=body), 422, "invalid_case")
    assert error["problems"][0]["field"] == "therapies[1].agents[0]"


def test_without_a_model_the_service_is_alive_and_not_ready(tmp_path: Path) -> None:
    bare = TestClient(guarded_app(None, ServiceMetrics(), tmp_path), headers=SIGNED_IN)
    assert bare.get("/livez").json() == {"status": "alive"}
    for response in (bare.get("/readyz"), bare.get("/model"), bare.post("/predict", json=EXAMPLE_CASE)):
        refused = assert_refused(response, 503, "not_ready")
        assert "oncorespond promote" in refused["message"]
        assert int(response.headers["retry-after"]) > 0


def test_without_a_door_no_route_answers_anybody(served_models: Path, tmp_path: Path) -> None:
    predictor, log = Predictor.from_folder(served_models, synthetic=True), open_log(tmp_path)
    state = ServiceState(lambda: predictor, lambda: log, ServiceMetrics(), lambda: None)  # type: ignore[arg-type,return-value]
    bare = TestClient(create_app(state))
    assert bare.post("/predict", json=EXAMPLE_CASE).status_code == 401
    assert bare.post("/rank", json={"histology": "LUAD"}).status_code == 401
    assert listed(log.database, Filter()) == []
    log.close()


def test_where_a_caller_is_makes_no_difference(served_models: Path, tmp_path: Path) -> None:
    predictor = Predictor.from_folder(served_models, synthetic=True)
    app = guarded_app(predictor, ServiceMetrics(), tmp_path)
    for address in ("127.0.0.1", "192.0.2.7"):
        somebody = TestClient(app, client=(address, 4711))
        assert_refused(somebody.post("/predict", json=EXAMPLE_CASE), 401, "unauthenticated")
        assert somebody.post("/predict", json=EXAMPLE_CASE, headers=SIGNED_IN).status_code == 200


def test_a_bug_of_ours_shows_neither_traceback_nor_values(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Predictor):
        def model_for(self, _case: Any) -> Any:
            raise ZeroDivisionError("albumin 3.9 of patient p-1")

    client = TestClient(guarded_app(Broken({}), ServiceMetrics(), tmp_path), headers=SIGNED_IN)
    with caplog.at_level(logging.DEBUG):
        error = assert_refused(client.post("/predict", json=EXAMPLE_CASE), 500, "internal_fault")
    ours = [record for record in caplog.records if record.name.startswith("oncorespond")]
    assert "p-1" not in error["message"]
    assert any(getattr(record, "fault", "") == "ZeroDivisionError" for record in ours)
    assert not any("3.9" in str(vars(record)) or "p-1" in str(vars(record)) for record in ours)


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


def test_the_front_page_says_what_it_is_not_for(client: TestClient) -> None:
    for address in ("/", "/docs"):
        page = client.get(address)
        assert page.status_code == 200
        assert INTENDED_USE in page.text
        assert "SYNTHETIC" in page.text
        assert "<script" not in page.text
        assert "http" not in page.text.replace("http-equiv", "")
