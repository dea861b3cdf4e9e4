"""What cannot be recorded is not answered: a full disk, a log that takes nothing, an erased answer, a lost body."""

# ruff: noqa: F811  # fixtures are taken from a module of their own
from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.requests import Request
from starlette.testclient import TestClient

from serving import asked
from serving.audit.auditor import Auditor
from serving.errors import BodyTooSlow
from serving.more_openapi import EXAMPLE_RANK
from serving.openapi import EXAMPLE_CASE
from serving.security import asgi
from tests.audit_verdict import verdict_of
from tests.guarded import assert_refused
from tests.recorded_service import client, kinds_of, log, predictor  # noqa: F401  # fixtures among them


def _full(log: Auditor) -> None:
    """Let the database have no page more, as on a full disk."""
    with log.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def _room(log: Auditor) -> None:
    with log.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")


def test_what_cannot_be_recorded_is_not_answered(client: TestClient, log: Auditor) -> None:
    made = client.post("/predict", json=EXAMPLE_CASE).json()["prediction_id"]
    assert client.get("/readyz").status_code == 200
    _full(log)
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/predict/batch", {"cases": [EXAMPLE_CASE] * 20}),
        ("/rank", EXAMPLE_RANK),
        ("/predict", {**EXAMPLE_CASE, "therapies": [{"agents": ["nivolumab"]}] * 20, "therapy": None}),
        ("/bento/predict", {"case": EXAMPLE_CASE}),
        (f"/predictions/{made}/outcome", {"best_response": "PR", "note": "x" * 2000}),
    ]
    requests[2][1].pop("therapy")
    refused = [client.post(path, json=body) for path, body in requests]
    before = kinds_of(log)
    for response in refused:
        if response.status_code < 300:  # a small record may still fit into a page that is there
            continue
        assert_refused(response, 503, "audit_unavailable")
        assert "p-1" not in response.text
        assert int(response.headers["retry-after"]) > 0
    assert [response.status_code for response in refused].count(503) >= 3
    _room(log)
    assert client.get("/readyz").status_code == 200
    assert client.post("/predict", json=EXAMPLE_CASE).status_code == 200
    assert kinds_of(log) == [*before, "prediction"]
    assert verdict_of(log).good


def test_while_the_log_takes_nothing_the_service_is_not_ready(client: TestClient, log: Auditor) -> None:
    with log.database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE heads RENAME TO away"))
    assert_refused(client.post("/predict", json=EXAMPLE_CASE), 503, "audit_unavailable")
    with log.database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE alive RENAME TO gone"))
    assert_refused(client.get("/readyz"), 503, "audit_unavailable")
    assert client.get("/livez").status_code == 200
    with log.database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO heads"))
        connection.execute(sa.text("ALTER TABLE gone RENAME TO alive"))
    assert client.get("/readyz").status_code == 200
    assert client.post("/predict", json=EXAMPLE_CASE).status_code == 200


def test_an_erased_answer_is_not_given_again(client: TestClient, log: Auditor) -> None:
    body, once = {**EXAMPLE_CASE, "patient_id": "p-1"}, {"idempotency-key": "k-9"}
    made = client.post("/predict", json=body, headers=once).json()["prediction_id"]
    log.erase("officer", patient_id="p-1")
    assert_refused(client.post("/predict", json=body, headers=once), 410, "erased_record")
    found = client.get(f"/predictions/{made}").json()
    assert (found["erased"], found["request"], found["answer"]) == (True, None, None)


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(asked, "LONGEST_BODY_S", 0.05)
    request = Request({"type": "http", "headers": [(b"content-type", b"application/json")]}, receive)
    with pytest.raises(BodyTooSlow) as refused:
        asyncio.run(asked.read_body(request))
    assert refused.value.http_status == 408


def test_a_form_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(asgi, "LONGEST_BODY_S", 0.05)
    with pytest.raises(BodyTooSlow):
        asyncio.run(asgi.whole_body(receive, 100))


def test_half_a_form_is_none() -> None:
    came = [{"type": "http.request", "body": b"finding=agree&note=a", "more_body": True}, {"type": "http.disconnect"}]
    messages = iter(came)

    async def receive() -> Any:
        return next(messages)

    with pytest.raises(BodyTooSlow):
        asyncio.run(asgi.whole_body(receive, 100))


def test_the_metrics_tell_the_lag(client: TestClient) -> None:
    client.post("/predict", json=EXAMPLE_CASE)
    assert "oncorespond_audit_lag_seconds 0.0" in client.get("/metrics").text
