"""Feedback on cards, and browser clients: what is recorded, once, and who may ask from where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serving.audit.reading import Filter, listed
from tests.clinical_app import ORDERS, Clinic, assert_outcome, schema
from tests.fhir_records import order_select

FEEDBACK = f"{ORDERS}/feedback"
WHEN = "2026-01-12T10:05:31Z"
SANDBOX = "https://sandbox.example"


@pytest.fixture(scope="module")
def clinic(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return Clinic(served_models, tmp_path_factory.mktemp("feedback"), allowed_origins=(SANDBOX,))


def cards(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text[:2000]
    found: list[dict[str, Any]] = response.json()["cards"]
    return found


def feedback(card: str, **more: Any) -> dict[str, Any]:
    found = {"feedback": [{"card": card, "outcome": "overridden", "outcomeTimestamp": WHEN, **more}]}
    schema("feedback").validate(found)
    return found


def events(clinic: Clinic, card: str) -> list[dict[str, Any]]:
    return [one.payload["event"] for one in clinic.log.lookup(card).later if one.payload]


def test_feedback_is_logged_once(clinic: Clinic) -> None:
    [card] = cards(clinic.hook(order_select()))
    reason = {"reason": card["overrideReasons"][5], "userComment": "decided on Tuesday"}
    sent = feedback(card["uuid"], overrideReason=reason)
    for _ in range(3):
        assert clinic.hook(sent, FEEDBACK).status_code == 200
    assert events(clinic, card["uuid"]) == [
        {
            "outcome": "overridden",
            "card": card["uuid"],
            "reason": "tumour_board",
            "outcome_time": WHEN,
            "note": "decided on Tuesday",
        }
    ]


def test_feedback_takes_an_idempotency_key(clinic: Clinic) -> None:
    [card] = cards(clinic.hook(order_select()))
    first, other = feedback(card["uuid"]), feedback(card["uuid"], outcome="accepted", acceptedSuggestions=[])
    key = {"idempotency-key": f"feedback of {card['uuid']}".replace(" ", "-")}
    assert [clinic.hook(first, FEEDBACK, **key).status_code for _ in range(3)] == [200] * 3
    assert len(events(clinic, card["uuid"])) == 1
    refused = assert_outcome(clinic.hook(other, FEEDBACK, **key), 422, "conflict")
    assert "idempotency_key_reused" in json.dumps(refused)
    assert len(events(clinic, card["uuid"])) == 1
    assert clinic.hook(first, FEEDBACK, **{"idempotency-key": "another"}).status_code == 200
    assert len(events(clinic, card["uuid"])) == 2, "another key is another request, whatever it says"
    assert_outcome(clinic.hook(first, FEEDBACK, **{"idempotency-key": "x" * 256}), 422, "value")


def test_a_changed_mind_is_logged_beside_the_first(clinic: Clinic) -> None:
    [card] = cards(clinic.hook(order_select()))
    accepted = feedback(card["uuid"], outcome="accepted", acceptedSuggestions=[])
    for one in (feedback(card["uuid"]), accepted, accepted):
        assert clinic.hook(one, FEEDBACK).status_code == 200
    assert [one["outcome"] for one in events(clinic, card["uuid"])] == ["overridden", "accepted"]


def test_a_reason_of_the_hospital_is_kept_as_other(clinic: Clinic) -> None:
    [card] = cards(clinic.hook(order_select()))
    reason = {"reason": {"code": "tumour_board", "system": "https://ehr.example/reasons", "display": "Conference"}}
    assert clinic.hook(feedback(card["uuid"], overrideReason=reason), FEEDBACK).status_code == 200
    [event] = events(clinic, card["uuid"])
    assert (event["reason"], event["note"]) == ("other", "Conference")


def test_feedback_of_a_card_that_is_not_ours(clinic: Clinic) -> None:
    [card] = cards(clinic.hook(order_select()))
    both = feedback(card["uuid"])
    both["feedback"] += feedback("00000000-0000-4000-8000-000000000000")["feedback"]
    assert_outcome(clinic.hook(both, FEEDBACK), 404, "not-found")
    assert events(clinic, card["uuid"]) == []


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"feedback": []},
        {"feedback": [1]},
        {"feedback": [{"card": "x", "outcome": "accepted", "outcomeTimestamp": WHEN}]},
        {"feedback": [{"card": "00000000-0000-4000-8000-000000000000", "outcome": "x", "outcomeTimestamp": WHEN}]},
        {"feedback": [{"card": "00000000-0000-4000-8000-000000000000", "outcome": "accepted"}]},
        {"feedback": [{}] * 101},
    ],
)
def test_feedback_that_is_not_of_the_specification(clinic: Clinic, sent: Any) -> None:
    assert_outcome(clinic.hook(sent, FEEDBACK), 400, "invalid")


def test_comments_never_leave_in_clear(clinic: Clinic) -> None:
    [card] = cards(clinic.hook(order_select()))
    sent = feedback(card["uuid"], overrideReason={"userComment": "Mrs. Miller said no"})
    assert clinic.hook(sent, FEEDBACK).status_code == 200
    rows = listed(clinic.log.database, Filter(kind="feedback"))
    assert "Miller" not in json.dumps(rows, default=str)


def test_a_browser_client_of_a_listed_origin(clinic: Clinic) -> None:
    asked = {"origin": SANDBOX, "access-control-request-method": "POST"}
    preflight = clinic.client.options(
        ORDERS, headers={**asked, "access-control-request-headers": "authorization,content-type"}
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == SANDBOX
    allowed = {one.strip() for one in preflight.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type"} <= allowed
    response = clinic.post(ORDERS, order_select(), "application/json", origin=SANDBOX)
    assert response.headers["access-control-allow-origin"] == SANDBOX
    other = clinic.client.options(ORDERS, headers={**asked, "origin": "https://attacker.example"})
    assert "access-control-allow-origin" not in other.headers
    refused = clinic.client.post(ORDERS, json={}, headers={"origin": SANDBOX})
    assert_outcome(refused, 401, "login")
    assert refused.headers["access-control-allow-origin"] == SANDBOX


def test_nobody_comes_in_without_credentials(clinic: Clinic) -> None:
    for method, path in (("GET", "/cds-services"), ("POST", ORDERS), ("POST", FEEDBACK)):
        assert_outcome(clinic.client.request(method, path), 401, "login")
