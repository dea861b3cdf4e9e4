"""What is answered over HTTP is in the log first: records, repeated requests, later events, who sees them."""

# ruff: noqa: F811  # fixtures are taken from a module of their own
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.audit.auditor import Auditor
from serving.audit.reading import Filter, listed
from serving.audit.replay import Artefacts, replay_all
from serving.metrics import ServiceMetrics
from serving.more_openapi import EXAMPLE_RANK
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from tests.audit_verdict import verdict_of
from tests.cases import good_case
from tests.guarded import assert_refused
from tests.recorded_service import BOTH, client, key_of, kinds_of, log, predictor  # noqa: F401  # fixtures among them
from tests.served_app import SIGNED_IN, guarded_app


@BOTH
def test_every_way_to_ask_leaves_its_records(client: TestClient, log: Auditor, served_models: Path) -> None:
    one = client.post("/predict", json=EXAMPLE_CASE).json()
    several = {**good_case(therapy="__absent__"), "therapies": [{"agents": ["nivolumab"]}, {"agents": ["vemurafenib"]}]}
    client.post("/predict", json=several)
    client.post("/predict/batch", json={"cases": [EXAMPLE_CASE, {"histology": "LAUD"}, EXAMPLE_CASE]})
    client.post("/bento/predict", json={"case": EXAMPLE_CASE})
    ranking = client.post("/rank", json={**EXAMPLE_RANK, "limit": 2}).json()
    rows = list(reversed(listed(log.database, Filter(newest=1000))))
    routes = ["/predict", "/predict", "/predict", "/predict/batch", "/predict/batch", "/bento/predict"]
    assert [row["route"] for row in rows[:6]] == routes
    assert {row["route"] for row in rows[6:]} == {"/rank"}
    assert [row["kind"] for row in rows[6:]].count("ranking") == 1
    shown = [entry["answer"]["prediction_id"] for one in ranking["lists"] for entry in one["therapies"]]
    assert sorted(row["record_id"] for row in rows if row["about"] == ranking["ranking_id"]) == sorted(shown)
    assert {row["caller"] for row in rows} == {"dev"}
    assert all(row["latency_ms"] > 0 for row in rows)
    logged = log.lookup(one["prediction_id"])
    assert logged.payload is not None
    assert any(value is None for value in logged.payload["features"].values())
    assert logged.row["phi_tmb"] == one["groups"]["tmb"]
    assert verdict_of(log).good
    assert {one.result for one in replay_all(log.database, log.keys, Artefacts([served_models]))} == {"equal"}


@BOTH
@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("/predict", EXAMPLE_CASE, {**EXAMPLE_CASE, "prior_lines": 2}),
        ("/predict/batch", {"cases": [EXAMPLE_CASE, 7]}, {"cases": [EXAMPLE_CASE]}),
        ("/bento/predict", {"case": EXAMPLE_CASE}, {"case": {**EXAMPLE_CASE, "prior_lines": 2}}),
        ("/rank", {**EXAMPLE_RANK, "limit": 2}, {**EXAMPLE_RANK, "limit": 3}),
    ],
    ids=["predict", "batch", "bento", "rank"],
)
def test_the_same_key_gives_the_same_answer_once(
    client: TestClient, log: Auditor, path: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    once = {"idempotency-key": "k-1"}
    first = client.post(path, json=body, headers=once)
    assert first.status_code == 200, first.text
    before = kinds_of(log)
    again = client.post(path, json=body, headers=once)
    assert again.content == first.content
    assert kinds_of(log) == before
    assert_refused(client.post(path, json=other, headers=once), 422, "idempotency_key_reused")
    elsewhere = "/rank" if path != "/rank" else "/predict"
    wanted = EXAMPLE_RANK if path != "/rank" else EXAMPLE_CASE
    assert_refused(client.post(elsewhere, json=wanted, headers=once), 422, "idempotency_key_reused")
    assert client.post(path, json=body).content != first.content
    assert verdict_of(log).good


@pytest.mark.parametrize(
    ("path", "body"), [("/predict", EXAMPLE_CASE), ("/rank", {**EXAMPLE_RANK, "limit": 1})], ids=["predict", "rank"]
)
def test_a_repeated_key_is_answered_when_its_model_was_withdrawn(
    predictor: Predictor, log: Auditor, tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    once = {**SIGNED_IN, "idempotency-key": "k-1"}
    first = TestClient(guarded_app(predictor, ServiceMetrics(), tmp_path, log)).post(path, json=body, headers=once)
    assert first.status_code == 200
    left = Predictor({name: one for name, one in predictor.by_family.items() if name == "targeted"})
    after = TestClient(guarded_app(left, ServiceMetrics(), tmp_path, log))
    assert after.post(path, json=body, headers=once).content == first.content
    assert after.post(path, json=body, headers=SIGNED_IN).content != first.content


@BOTH
def test_many_at_once_with_one_key_leave_one_record(client: TestClient, log: Auditor) -> None:
    def ask(_: int) -> bytes:
        return client.post("/predict", json=EXAMPLE_CASE, headers={"idempotency-key": "k-2"}).content

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert kinds_of(log) == ["prediction"]


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "é", "a b", "a\tb"])
def test_a_key_that_is_none_is_refused(client: TestClient, log: Auditor, key: str) -> None:
    headers = [(b"idempotency-key", key.encode("latin-1"))]
    for path, body in (("/predict", EXAMPLE_CASE), ("/predict/batch", {"cases": [EXAMPLE_CASE]})):
        assert_refused(client.post(path, json=body, headers=headers), 422, "invalid_idempotency_key")
    twice = [(b"idempotency-key", b"a"), (b"idempotency-key", b"a")]
    assert_refused(client.post("/predict", json=EXAMPLE_CASE, headers=twice), 422, "invalid_idempotency_key")
    assert kinds_of(log) == []


@BOTH
def test_outcomes_and_decisions_are_chained_to_their_prediction(client: TestClient, log: Auditor) -> None:
    made = client.post("/predict", json=EXAMPLE_CASE).json()["prediction_id"]
    outcome = {"best_response": "PR", "note": "seen on CT"}
    once = {"idempotency-key": "o-1"}
    first = client.post(f"/predictions/{made}/outcome", json=outcome, headers=once)
    assert first.status_code == 201
    assert client.post(f"/predictions/{made}/outcome", json=outcome, headers=once).json() == first.json()
    client.post(f"/predictions/{made}/decision", json={"decision": "taken"})
    found = client.get(f"/predictions/{made}").json()
    assert [(one["kind"], one["status"]) for one in found["later"]] == [("outcome", "observed"), ("decision", "taken")]
    assert found["later"][0]["event"] == outcome
    assert found["answer"]["prediction_id"] == made
    assert found["request"]["histology"] == "LUAD"
    assert "c-1" not in (found["request"]["case_id"], found["answer"]["case_id"])
    assert kinds_of(log) == ["prediction", "outcome", "decision"]


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("outcome", {}, "invalid_case"),
        ("outcome", {"best_response": "better"}, "invalid_case"),
        ("outcome", {"best_response": "PR", "objective_response": False}, "invalid_case"),
        ("outcome", {"best_response": "NE", "objective_response": True}, "invalid_case"),
        ("outcome", {"objective_response": 1}, "invalid_case"),
        ("outcome", {"best_response": "PR", "assessed_days_after_index": -1}, "invalid_case"),
        ("outcome", {"best_response": "PR", "note": "x" * 2001}, "invalid_case"),
        ("decision", {"decision": "overridden"}, "invalid_case"),
        ("decision", {"decision": "overridden", "reason": "because"}, "invalid_case"),
        ("decision", {"decision": "taken", "reason": "trial"}, "invalid_case"),
        ("decision", {"decision": "taken", "by": "Dr. Miller"}, "invalid_case"),
    ],
)
def test_bad_events_are_refused(client: TestClient, log: Auditor, kind: str, body: dict[str, Any], code: str) -> None:
    made = client.post("/predict", json=EXAMPLE_CASE).json()["prediction_id"]
    assert_refused(client.post(f"/predictions/{made}/{kind}", json=body), 422, code)
    assert kinds_of(log) == ["prediction"]


@BOTH
@pytest.mark.parametrize("record_id", ["nowhere", "019ab0c4-6c00-7d3e-a1b2-0123456789ab", "a%00b", "x" * 500, "é"])
def test_unknown_predictions_are_404(client: TestClient, record_id: str) -> None:
    assert_refused(client.get(f"/predictions/{record_id}"), 404, "unknown_prediction")
    for kind, body in (("outcome", {"best_response": "PR"}), ("decision", {"decision": "taken"})):
        assert_refused(client.post(f"/predictions/{record_id}/{kind}", json=body), 404, "unknown_prediction")


def test_a_caller_sees_its_own_predictions_and_an_auditor_all(
    predictor: Predictor, log: Auditor, tmp_path: Path
) -> None:
    client = TestClient(guarded_app(predictor, ServiceMetrics(), tmp_path, log))
    ward, other = key_of(tmp_path, "ward-7", "predict"), key_of(tmp_path, "ward-8", "predict")
    registry, auditing = key_of(tmp_path, "registry", "outcome"), key_of(tmp_path, "auditor", "audit")
    made = client.post("/predict", json=EXAMPLE_CASE, headers=ward).json()["prediction_id"]
    assert client.get(f"/predictions/{made}", headers=ward).status_code == 200
    assert client.get(f"/predictions/{made}", headers=auditing).status_code == 200
    assert_refused(client.get(f"/predictions/{made}", headers=other), 404, "unknown_prediction")
    assert_refused(client.get(f"/predictions/{made}", headers=registry), 403, "forbidden")
    taken = {"decision": "taken"}
    assert client.post(f"/predictions/{made}/decision", json=taken, headers=ward).status_code == 201
    assert client.post(f"/predictions/{made}/decision", json=taken, headers=registry).status_code == 201
    refused = client.post(f"/predictions/{made}/decision", json=taken, headers=other)
    assert_refused(refused, 404, "unknown_prediction")
    assert (
        client.post(f"/predictions/{made}/outcome", json={"best_response": "SD"}, headers=registry).status_code == 201
    )
    once = {"idempotency-key": "k"}
    mine = client.post("/predict", json=EXAMPLE_CASE, headers={**ward, **once}).json()
    theirs = client.post("/predict", json=EXAMPLE_CASE, headers={**other, **once}).json()
    assert mine["prediction_id"] != theirs["prediction_id"]
