"""Requests of one round: the same answers as alone, each in the log, and one's fault or delay is its own."""

# ruff: noqa: F811  # fixtures are taken from a module of their own
from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from serving import asking, rounds
from serving.audit.auditor import Auditor
from serving.audit.reading import Filter, listed
from serving.audit.recorded import entries_of
from serving.metrics import ServiceMetrics
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from tests.audit_verdict import verdict_of
from tests.recorded_service import BOTH, client, kinds_of, log, predictor  # noqa: F401  # fixtures among them
from tests.served_app import SIGNED_IN, guarded_app

OTHER = {**EXAMPLE_CASE, "case_id": "other", "prior_lines": 3}
TARGETED = {**EXAMPLE_CASE, "case_id": "targeted", "therapy": {"agents": ["osimertinib"]}}


@pytest.fixture
def app(predictor: Predictor, log: Auditor, tmp_path: Path) -> ASGIApp:
    return guarded_app(predictor, ServiceMetrics(), tmp_path, log)


def together(app: ASGIApp, bodies: list[Any], **headers: str) -> list[httpx.Response]:
    """Ask all at once; a body that is no JSON value is sent as it is."""

    async def asked() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        sent = {**SIGNED_IN, "content-type": "application/json", **headers}
        async with httpx.AsyncClient(transport=transport, base_url="http://tests", headers=sent) as one:
            contents = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
            return list(await asyncio.gather(*(one.post("/predict", content=content) for content in contents)))

    return asyncio.run(asked())


def hurried_and_patient(app: ASGIApp) -> list[httpx.Response]:
    """Ask at once for one who waits a second at most, and for one who waits as long as the site lets it."""

    async def asked() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://tests", headers=SIGNED_IN
        ) as one:
            late = one.post("/predict", json=EXAMPLE_CASE, headers={"prefer": "wait=1"})
            return list(await asyncio.gather(late, one.post("/predict", json=OTHER)))

    return asyncio.run(asked())


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many requests each round had."""
    found: list[int] = []
    made = rounds.Rounds._round

    def counted(self: rounds.Rounds, present: Any) -> None:
        found.append(len(present))
        made(self, present)

    monkeypatch.setattr(rounds.Rounds, "_round", counted)
    return found


def without_id(content: bytes) -> dict[str, Any]:
    return {**json.loads(content), "prediction_id": "-"}


def assert_same(one: Any, other: Any) -> None:
    """The same, numbers to 1e-12: sums over a batch may round in another order."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            assert_same(first, second)
    else:
        assert one == (pytest.approx(other, rel=0, abs=1e-12) if isinstance(one, float) else other)


@BOTH
def test_a_round_answers_as_a_thread_does(app: ASGIApp, client: TestClient, log: Auditor, sizes: list[int]) -> None:
    bodies = [EXAMPLE_CASE, OTHER, TARGETED] * 5
    answered = together(app, bodies)
    assert sum(sizes) == 15
    assert max(sizes) > 5, "they were made together"
    assert len(kinds_of(log)) == 15
    assert verdict_of(log).good
    for place, (body, one) in enumerate(zip(bodies[:3], answered[:3], strict=True)):
        in_a_thread = client.post("/predict", json=body, headers={"idempotency-key": f"k-{place}"})
        assert_same(without_id(one.content), without_id(in_a_thread.content))
        assert list(one.json()) == list(in_a_thread.json())
        logged = log.lookup(one.json()["prediction_id"]).payload
        assert logged is not None
        assert {**logged["answer"], "case_id": body.get("case_id")} == one.json()
    assert sum(sizes) == 15, "a request with a key is not of a round"


def test_the_fault_of_one_is_its_own(app: ASGIApp, log: Auditor, sizes: list[int]) -> None:
    no_model = {**EXAMPLE_CASE, "therapy": {"agents": ["carboplatin"]}}
    bodies = [EXAMPLE_CASE, b"{not JSON", {"histology": "LAUD"}, OTHER, no_model, [1, 2]]
    assert [one.status_code for one in together(app, bodies)] == [200, 400, 422, 200, 422, 422]
    assert len(sizes) < 6
    assert kinds_of(log) == ["prediction", "prediction"]


def test_a_fault_of_scoring_fails_one(
    app: ASGIApp, log: Auditor, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = predictor.scored

    def faulty(cases: Any) -> Any:
        if any(case.case_id == "other" for case in cases):
            raise FloatingPointError("invented")
        return scored(cases)

    monkeypatch.setattr(predictor, "scored", faulty)
    assert [one.status_code for one in together(app, [EXAMPLE_CASE, OTHER, TARGETED])] == [200, 500, 200]
    assert len(kinds_of(log)) == 2


def test_who_is_late_is_not_recorded_and_the_others_are(
    app: ASGIApp, log: Auditor, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = predictor.scored

    def slow(cases: Any) -> Any:
        time.sleep(1.5)
        return scored(cases)

    monkeypatch.setattr(predictor, "scored", slow)

    late, patient = hurried_and_patient(app)
    assert (late.status_code, patient.status_code) == (504, 200)
    assert [row["record_id"] for row in listed(log.database, Filter())] == [patient.json()["prediction_id"]]


def test_a_closed_log_answers_nobody(app: ASGIApp, log: Auditor) -> None:
    assert together(app, [EXAMPLE_CASE])[0].status_code == 200
    log.close()
    answers = together(app, [EXAMPLE_CASE, OTHER])
    assert [one.status_code for one in answers] == [503, 503]
    assert {one.json()["error"]["code"] for one in answers} == {"audit_unavailable"}


def test_who_is_given_up_before_its_record_is_written_is_followed_by_nobody(
    app: ASGIApp, log: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[str] = []
    log.followers.append(lambda entries: followed.extend(str(one.case.case_id) for one in entries))
    hand_over = log.hand_over

    def slow(units: Any) -> None:
        time.sleep(1.3)
        hand_over(units)

    monkeypatch.setattr(log, "hand_over", slow)

    late, patient = hurried_and_patient(app)
    assert (late.status_code, patient.status_code) == (504, 200)
    assert kinds_of(log) == ["prediction"]
    assert followed == ["other"]


def test_a_follower_that_fails_keeps_no_recorded_answer_back(app: ASGIApp, log: Auditor) -> None:
    def fails(entries: Any) -> None:
        raise OSError("invented")

    log.followers.append(fails)
    assert [one.status_code for one in together(app, [EXAMPLE_CASE, OTHER])] == [200, 200]
    assert [one.status_code for one in together(app, [OTHER], **{"idempotency-key": "k"})] == [200]
    assert len(kinds_of(log)) == 3


class Panic(BaseException):
    """As libraries of Rust raise it: no ``Exception``."""


def test_the_thread_outlives_a_panic(app: ASGIApp, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def panics(cases: Any) -> Any:
        raise Panic

    with monkeypatch.context() as patched:
        patched.setattr(predictor, "scored", panics)
        assert [one.status_code for one in together(app, [EXAMPLE_CASE, OTHER])] == [500, 500]
    assert together(app, [EXAMPLE_CASE])[0].status_code == 200


def test_a_fault_of_wording_fails_one(app: ASGIApp, log: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:

    def faulty(placed: Any, scored: Any, asked: Any) -> Any:
        if placed[0][1].case_id == "other":
            raise KeyError("invented")
        return entries_of(placed, scored, asked)

    monkeypatch.setattr(asking, "entries_of", faulty)
    assert [one.status_code for one in together(app, [EXAMPLE_CASE, OTHER, TARGETED])] == [200, 500, 200]
    assert len(kinds_of(log)) == 2


def test_without_a_thread_the_next_request_tries_again(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    refused: list[threading.Thread] = []

    def none_left(thread: threading.Thread) -> None:
        if thread.name == "rounds" and not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", none_left)

    async def asked() -> list[int]:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://tests", headers=SIGNED_IN
        ) as one:
            first = asyncio.create_task(one.post("/predict", json=EXAMPLE_CASE))
            while not refused:
                await asyncio.sleep(0.01)
            second = await one.post("/predict", json=OTHER)
            return [(await first).status_code, second.status_code]

    assert asyncio.run(asked()) == [200, 200]


def test_several_therapies_are_seen_in_escaped_letters_too(app: ASGIApp, sizes: list[int]) -> None:
    several = {**EXAMPLE_CASE, "therapies": [EXAMPLE_CASE["therapy"], TARGETED["therapy"]]}
    del several["therapy"]
    escaped = json.dumps(several).replace('"therapies"', '"\\u0074herapies"').encode()
    [answered] = together(app, [escaped])
    assert answered.status_code == 200
    assert len(answered.json()["answers"]) == 2
    assert sizes == []
