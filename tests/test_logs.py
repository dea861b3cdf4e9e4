"""Logs: one JSON object a line, the request's id on it, and never a value, whatever fails and whoever logs it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from serving.errors import NotReady
from serving.logs import log_as_json, request_id
from serving.metrics import ServiceMetrics
from serving.observed import ObservedRequests
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from serving.security.gatekeeper import Gatekeeper, SecuritySettings
from serving.security.middleware import SecurityMiddleware
from tests.audit_log import open_log
from tests.served_app import DEV_TOKEN, SIGNED_IN, guarded_app

SECRET = {
    **EXAMPLE_CASE,
    "case_id": "MRN-44871",
    "patient_id": "Jane-Q-Doe",
    "patient": {**EXAMPLE_CASE["patient"], "age_years": 47.0625, "albumin_g_per_dl": 3.34375},
}
"""An invented case whose values occur nowhere else."""
NEVER = ("MRN-44871", "Jane-Q-Doe", "47.0625", "3.34375", DEV_TOKEN, "wrong-token", "R273H")

JSON = {"content-type": "application/json"}
BODY = json.dumps(SECRET)
FAILURES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "answered": ("POST", "/predict", {"content": BODY, "headers": JSON}),
    "ranked": ("POST", "/rank", {"content": json.dumps({**SECRET, "limit": 1}), "headers": JSON}),
    "not JSON": ("POST", "/predict", {"content": BODY[:-2], "headers": JSON}),
    "wrong type": ("POST", "/predict", {"content": BODY, "headers": {"content-type": "text/Jane-Q-Doe"}}),
    "not an object": ("POST", "/predict", {"content": f"[{BODY}]", "headers": JSON}),
    "unknown key": ("POST", "/predict", {"json": {**SECRET, "Jane-Q-Doe": 1}}),
    "out of range": ("POST", "/predict", {"json": {**SECRET, "patient": {"albumin_g_per_dl": 47.0625}}}),
    "unknown histology": ("POST", "/predict", {"json": {**SECRET, "histology": "Jane-Q-Doe"}}),
    "unknown agent": ("POST", "/predict", {"json": {**SECRET, "therapy": {"agents": ["Jane-Q-Doe"]}}}),
    "no model": ("POST", "/predict", {"json": {**SECRET, "therapy": {"agents": ["carboplatin"]}}}),
    "batch": ("POST", "/predict/batch", {"json": {"cases": [SECRET, {"histology": "Jane-Q-Doe"}, "MRN-44871"]}}),
    "too large": ("POST", "/predict", {"content": BODY * 20_000, "headers": JSON}),
    "in the path": ("GET", "/predictions/Jane-Q-Doe", {}),
    "in the query": ("GET", "/model?patient=Jane-Q-Doe", {}),
    "in a header": ("GET", "/model", {"headers": {"x-patient": "Jane-Q-Doe", "x-request-id": "MRN-44871"}}),
    "bento": ("POST", "/bento/predict", {"json": {"case": {**SECRET, "histology": "Jane-Q-Doe"}}}),
    "bento, another form": ("POST", "/bento/predict", {"json": {"Jane-Q-Doe": SECRET}}),
    "rank, refused": ("POST", "/rank", {"json": {**SECRET, "limit": "Jane-Q-Doe"}}),
    "outcome": ("POST", "/predictions/Jane-Q-Doe/outcome", {"json": {"best_response": "PR", "note": "Jane-Q-Doe"}}),
    "outcome, refused": ("POST", "/predictions/x/outcome", {"json": {"best_response": "Jane-Q-Doe"}}),
    "decision": ("POST", "/predictions/x/decision", {"json": {"decision": "taken", "Jane-Q-Doe": 1}}),
    "idempotency key": ("POST", "/predict", {"json": SECRET, "headers": {"idempotency-key": "Jane-Q-Doe"}}),
    "no idempotency key": ("POST", "/predict", {"json": SECRET, "headers": {"idempotency-key": "Jane-Q-Doe " * 30}}),
    "login": ("POST", "/audit/login", {"json": {"token": "wrong-token", "user": "Jane-Q-Doe"}}),
    "odd method": ("JANE", "/predict", {}),
    "wrong token": ("POST", "/predict", {"content": BODY, "headers": {"authorization": "Bearer wrong-token"}}),
}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    log_as_json(stream, logging.DEBUG)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.fixture(scope="module")
def predictor(served_models: Path) -> Predictor:
    return Predictor.from_folder(served_models, synthetic=True)


def _read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("name", FAILURES)
def test_no_value_reaches_the_log(name: str, predictor: Predictor, lines: io.StringIO, tmp_path: Path) -> None:
    method, path, sent = FAILURES[name]
    client = TestClient(guarded_app(predictor, ServiceMetrics(), tmp_path), headers=SIGNED_IN)
    response = client.request(method, path, **sent)
    found = _read(lines)
    assert [one for one in found if one.get("event") == "answered" and one["status"] == response.status_code]
    for value in NEVER:
        assert value not in lines.getvalue()


def test_a_log_that_takes_nothing_tells_no_value(predictor: Predictor, lines: io.StringIO, tmp_path: Path) -> None:
    log = open_log(tmp_path)
    with log.database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE heads RENAME TO away"))
    client = TestClient(guarded_app(predictor, ServiceMetrics(), tmp_path, log), headers=SIGNED_IN)
    assert client.post("/predict", json=SECRET).status_code == 503
    assert "audit_unavailable" in lines.getvalue()
    for value in NEVER:
        assert value not in lines.getvalue()
    log.close()


def test_log_door_and_application_name_a_request_alike(lines: io.StringIO, tmp_path: Path) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["state"]["request_id"])
        raise NotReady("no model is being served")

    settings = SecuritySettings(keys_folder=tmp_path, dev_token=DEV_TOKEN)
    door = SecurityMiddleware(app, Gatekeeper.from_settings(settings))
    client = TestClient(ObservedRequests(door, ServiceMetrics()), headers=SIGNED_IN)
    response = client.post("/predict", headers={"x-request-id": "mine"})
    ours = {one["request_id"] for one in _read(lines) if one["logger"].startswith("oncorespond")}
    assert ours == {response.headers["x-request-id"]} == {response.json()["error"]["request_id"]} == set(seen)


def test_a_fault_of_ours_tells_its_type_and_place_without_values(lines: io.StringIO, tmp_path: Path) -> None:
    class Broken(Predictor):
        def model_for(self, _case: Any) -> Any:
            raise ValueError("albumin 3.34375 of Jane-Q-Doe")

    client = TestClient(guarded_app(Broken({}), ServiceMetrics(), tmp_path), headers=SIGNED_IN)
    assert client.post("/predict", json=SECRET).status_code == 500
    assert "internal_fault" in lines.getvalue()
    assert "ValueError" in lines.getvalue()
    for value in NEVER:
        assert value not in lines.getvalue()


def test_other_libraries_logs_lose_their_texts_and_tracebacks_their_values(lines: io.StringIO) -> None:
    foreign = logging.getLogger("bentoml.server")
    try:
        raise NotReady("no model for Jane-Q-Doe")
    except NotReady:
        foreign.exception("x")
    assert _read(lines)[0]["refusal"] == "not_ready"
    lines.truncate(0)
    lines.seek(0)
    foreign.error("input_value=%s", "Jane-Q-Doe")
    try:
        raise KeyError("Jane-Q-Doe")
    except KeyError:
        foreign.exception("failed for Jane-Q-Doe")
    logging.getLogger("oncorespond.x").info("loaded", extra={"count": 2, "patient": "Jane-Q-Doe"})
    first, second, third = _read(lines)
    assert "Jane" not in lines.getvalue()
    assert first["at"].startswith("test_logs.py:")
    assert second["exception"] == "KeyError"
    assert "test_other_libraries" in second["frames"][0]
    assert (third["event"], third["count"]) == ("loaded", 2)


def test_probes_that_succeed_are_quiet(lines: io.StringIO, tmp_path: Path) -> None:
    client = TestClient(guarded_app(None, ServiceMetrics(), tmp_path))
    client.get("/livez")
    assert not [one for one in _read(lines) if one["logger"] == "oncorespond.access"]
    client.get("/readyz")
    assert [one["status"] for one in _read(lines) if one["logger"] == "oncorespond.access"] == [503]
    assert request_id.get() == "-"
