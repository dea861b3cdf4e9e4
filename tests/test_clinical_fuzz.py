"""Fuzz over HTTP: whatever is sent to a clinical address, the answer is never a 5xx and always of its form."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clinical_app import CHART, ORDERS, PREDICT, Clinic, assert_outcome, schema
from tests.conftest import SOAK
from tests.fhir_records import bundle, draft, order_select, parameters, patient_view, prefetch, resources

CASES = 5_000 if SOAK else 60
"""Of each kind; a round takes 10 to 20 ms."""

STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1e308, 1e-308, 2**70, "", " ", "\x00", "\ud7ff", "😀" * 50, "x" * 5000),
    *([], {}, [[]], [None], {"a": None}, {"resourceType": "Bundle"}, {"reference": 7}, {"coding": "x"}),
    *("LA9634-2", "%", "http://loinc.org", "Patient/p1", "2026-13-45", "9999-12-31", "0001-01-01", "NaN", "1e999"),
)
"""Values that stand where others are asked for."""


@pytest.fixture(scope="module")
def clinic(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORP_CDS_PATIENT_VIEW", "1")
        return Clinic(served_models, tmp_path_factory.mktemp("fuzz"))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of a JSON value, outermost first."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else []
        for key in keys:
            found.append((one, key))
            waiting.append(one[key])
    return found


def mutated(original: Any, seed: int) -> Any:
    """Return a copy with one to six changes: drop, retype, null, duplicate, reorder, nest, another number or text."""
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    found = copy.deepcopy(original)
    for _ in range(chance.randint(1, 6)):
        where = places(found)
        if not where:
            break
        container, key = chance.choice(where)
        _change(container, key, chance)
    return found


def _change(container: Any, key: Any, chance: random.Random) -> None:
    kind = chance.randrange(6)
    if kind == 0:
        del container[key]
    elif kind == 1:
        container[key] = copy.deepcopy(chance.choice(STRANGE))
    elif kind == 2 and isinstance(container, list):
        container.insert(chance.randrange(len(container) + 1), copy.deepcopy(container[key]))
    elif kind == 3 and isinstance(container[key], list):
        chance.shuffle(container[key])
    elif kind == 4:
        container[key] = {"resourceType": "Bundle", "entry": [{"resource": container[key]}]}
    elif isinstance(container[key], str):
        container[key] = container[key][::-1]
    elif isinstance(container[key], (int, float)):
        container[key] = container[key] * chance.choice([-1, 10, 1000, 0.1])


def assert_told(response: Any, path: str) -> None:
    """200 of the right form, or an OperationOutcome of a client's error."""
    assert response.status_code < 500, response.text[:2000]
    if response.status_code != 200:
        assert response.json()["resourceType"] == "OperationOutcome", response.text[:2000]
        assert response.json()["issue"]
    elif path == PREDICT:
        assert response.json()["resourceType"] == "Bundle"
    else:
        schema("response").validate(response.json())


SENT = {
    "parameters": (PREDICT, parameters(("pembrolizumab", "lorlatinib"))),
    "bundle": (PREDICT, bundle([*resources(), draft("pembrolizumab")])),
    "orders": (ORDERS, order_select(draft("lorlatinib"), draft("pembrolizumab"))),
    "chart": (CHART, patient_view()),
    "feedback": (
        f"{ORDERS}/feedback",
        {"feedback": [{"card": "00000000-0000-4000-8000-000000000000", "outcome": "accepted",
                       "outcomeTimestamp": "2026-01-12T10:05:31Z",
                       "overrideReason": {"reason": {"code": "trial"}, "userComment": "text"}}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in SENT if name != "feedback"])
def test_changed_requests_never_break_the_service(clinic: Clinic, name: str) -> None:
    path, original = SENT[name]
    cases = CASES if name != "chart" else CASES // 5  # a chart is answered with a ranking of all therapies
    statuses = set()
    for seed in range(cases):
        response = clinic.post(path, mutated(original, seed), "application/json")
        assert_told(response, path)
        statuses.add(response.status_code)
    assert 200 in statuses  # some changes touch nothing that matters
    assert len(statuses) > 1  # and some do


def test_changed_feedback_never_breaks_the_service(clinic: Clinic) -> None:
    path, original = SENT["feedback"]
    for seed in range(CASES):
        response = clinic.post(path, mutated(original, seed), "application/json")
        assert 400 <= response.status_code < 500, response.text[:2000]
        assert response.json()["resourceType"] == "OperationOutcome"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=40)
@given(JSON)
def test_any_json_never_breaks_the_service(clinic: Clinic, value: Any) -> None:
    for path in (PREDICT, ORDERS, f"{ORDERS}/feedback"):
        response = clinic.post(path, json.dumps(value).encode(), "application/json")
        assert_told(response, path)
        assert response.status_code != 200


@settings(max_examples=40)
@given(st.binary(max_size=200))
def test_any_bytes_never_break_the_service(clinic: Clinic, body: bytes) -> None:
    for path in (PREDICT, ORDERS, f"{ORDERS}/feedback"):
        assert_told(clinic.post(path, body, "application/json"), path)


@settings(max_examples=40)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_search_and_accept_never_break_the_service(clinic: Clinic, text: str, accept: str) -> None:
    response = clinic.client.get("/fhir/AuditEvent", params={"date": text, "_count": accept}, headers=_signed())
    assert_told_get(response)
    header = accept.encode("ascii", "ignore").decode()
    header = "".join(mark for mark in header if mark.isprintable())
    assert_told_get(clinic.get("/fhir/metadata", accept=header))


def _signed() -> dict[str, str]:
    from tests.served_app import SIGNED_IN

    return SIGNED_IN


def assert_told_get(response: Any) -> None:
    assert response.status_code < 500
    if response.status_code != 200:
        assert_outcome(response, response.status_code, response.json()["issue"][0]["code"])


def test_a_bundle_nested_a_thousand_times(clinic: Clinic) -> None:
    for depth in (100, 1000, 100_000):
        text = '{"resourceType":"Bundle","entry":[{"resource":' * depth + "{}" + "}]}" * depth
        response = clinic.post(PREDICT, text.encode(), "application/json")
        assert_outcome(response, 400, "structure")
        orders = json.dumps(order_select(prefetch={**prefetch(), "tumour": "HERE"})).replace('"HERE"', text)
        assert_told(clinic.post(ORDERS, orders.encode(), "application/json"), ORDERS)


def test_very_many_entries(clinic: Clinic) -> None:
    many = bundle([*resources(), *({"resourceType": "Observation", "id": str(k)} for k in range(21_000))])
    response = clinic.predict(many)
    assert 400 <= response.status_code < 500
    assert_outcome(response, response.status_code, response.json()["issue"][0]["code"])


def test_the_order_of_entries_never_changes_the_logged_case(clinic: Clinic) -> None:
    logged = []
    for entries in (resources(), resources()[::-1]):
        found = clinic.predict(parameters(record=bundle(entries))).json()
        identity = found["entry"][0]["resource"]["identifier"][0]["value"].removeprefix("urn:uuid:")
        payload = clinic.log.lookup(identity).payload
        assert payload is not None
        request = {name: one for name, one in payload["request"].items() if name not in ("case_id", "patient_id")}
        request["alterations"] = sorted(request["alterations"], key=json.dumps)
        logged.append(request)
    assert logged[0] == logged[1]
