"""After its deadline a request is computed no further, not recorded and answered with 504; before it all is as ever."""

# ruff: noqa: F811  # fixtures are taken from a module of their own
from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving import deadline
from serving import predictor as predicting
from serving.audit.auditor import Auditor
from serving.more_openapi import EXAMPLE_RANK
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from tests.audit_log import entry
from tests.audit_verdict import verdict_of
from tests.guarded import assert_refused
from tests.recorded_service import client, kinds_of, log, predictor  # noqa: F401  # fixtures among them

WAIT_S = 2
WAIT = {"prefer": f"wait={WAIT_S}"}
BATCH = {"cases": [EXAMPLE_CASE] * 5}
BLOCK_S = 1.0
"""Five of them are more than the caller waits. Blocks are counted and not timed: a busy machine lets one begin late,
and never lets more of them begin."""

HELD_S = 60.0
"""Seconds that the writer is held up, unless it is let go before."""


@pytest.fixture
def slow(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make each block of work take its time; the moments at which blocks began."""
    began: list[float] = []
    model = type(next(iter(predictor.by_family.values())))
    answers = model.answers

    def slowly(self: Any, batch: Any) -> Any:
        began.append(time.perf_counter())
        time.sleep(BLOCK_S)
        return answers(self, batch)

    monkeypatch.setattr(model, "answers", slowly)
    monkeypatch.setattr(predicting, "BLOCK", 1)
    return began


@pytest.mark.parametrize(("path", "body"), [("/predict/batch", BATCH), ("/rank", EXAMPLE_RANK)])
def test_after_the_deadline_nothing_more_is_done(
    client: TestClient, log: Auditor, slow: list[float], path: str, body: Any
) -> None:
    assert_refused(client.post(path, json=body, headers=WAIT), 504, "deadline_exceeded")
    assert kinds_of(log) == [], "what was not answered is not recorded as answered"
    assert 0 < len(slow) <= 1 + WAIT_S / BLOCK_S, "it was begun, and no block begins after the deadline"
    done = len(slow)
    time.sleep(1.5 * BLOCK_S)
    assert len(slow) == done, "nor later, in some thread"


def test_the_site_says_how_long_at_most(client: TestClient, log: Auditor, slow: list[float]) -> None:
    assert client.post("/predict", json=EXAMPLE_CASE, headers={"prefer": "wait=100"}).status_code == 200
    assert kinds_of(log) == ["prediction"]
    assert deadline.seconds_of([(b"prefer", b"wait=100")], 30.0) == 30.0


def test_a_wait_for_the_log_that_lasts_too_long_is_given_up_for_good(client: TestClient, log: Auditor) -> None:
    writing = log._writer._write
    held, going_on = threading.Event(), threading.Event()

    def holding(units: Any) -> None:
        held.set()
        going_on.wait(HELD_S)
        writing(units)

    log._writer._write = holding  # type: ignore[method-assign]
    first = threading.Thread(target=log.record_prediction, args=(entry(),))
    first.start()
    assert held.wait(HELD_S)
    began = time.perf_counter()
    assert_refused(client.post("/predict", json=EXAMPLE_CASE, headers=WAIT), 504, "deadline_exceeded")
    assert time.perf_counter() - began < HELD_S / 2
    going_on.set()
    first.join()
    assert client.post("/predict", json=EXAMPLE_CASE).status_code == 200
    assert kinds_of(log) == ["prediction"] * 2, "the one given up was never written"
    assert verdict_of(log).good


def test_a_record_whose_writing_has_begun_is_answered(client: TestClient, log: Auditor) -> None:
    writing = log._writer._write

    def slowly(units: Any) -> None:
        time.sleep(WAIT_S + 0.5)
        writing(units)

    log._writer._write = slowly  # type: ignore[method-assign]
    answer = client.post("/predict", json=EXAMPLE_CASE, headers=WAIT)
    assert answer.status_code == 200, "what is in the log as answered has been answered"
    assert kinds_of(log) == ["prediction"]


@pytest.mark.parametrize("written", ["0", "-3", "soon", "nan", "inf"])
def test_a_deadline_that_is_none_is_refused_at_the_start(written: str) -> None:
    with pytest.raises(deadline.DeadlineRefused):
        deadline.site_deadline_s({"ORP_DEADLINE_SECONDS": written})
