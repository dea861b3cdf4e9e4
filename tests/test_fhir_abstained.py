"""A ranking of which every therapy abstains, asked for twice with one Idempotency-Key: one answer, recorded once."""

# ruff: noqa: F811  # fixtures are taken from a module of their own
from __future__ import annotations

import time
from typing import Any

import pytest

from features.case import read_case
from serving.audit.auditor import Auditor
from serving.audit.entries import Once
from serving.audit.recorded import Asked
from serving.fhir import answering
from serving.metrics import ServiceMetrics
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from serving.rank import ranking_of
from serving.state import ServiceState
from tests.recorded_service import kinds_of, log, predictor  # noqa: F401  # fixtures among them


def test_abstained_answers_are_given_and_recorded_once(
    predictor: Predictor, log: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_abstain(_log: Auditor, predictor: Predictor, raw: dict[str, Any], _asked: Asked) -> dict[str, Any]:
        ranked = ranking_of({**raw, "limit": 2}, predictor).document
        therapies = [entry for one in ranked["lists"] for entry in one["therapies"]]
        return {"lists": [], "abstained": {"therapies": therapies}}

    monkeypatch.setattr(answering, "answered_ranking", all_abstain)
    state = ServiceState(lambda: predictor, lambda: log, ServiceMetrics(), lambda: pytest.fail("nobody is let in"))

    def given(once: Once | None) -> list[dict[str, Any]]:
        asked = Asked("key:ward-7", time.perf_counter(), once, "/fhir/*")
        return answering.ranked_answers(state, read_case(EXAMPLE_CASE), 2, asked)[1]

    once = Once("k-1", "key:ward-7", "aa" * 32)
    first = given(once)
    before = kinds_of(log)
    assert given(once) == first
    assert kinds_of(log) == before == ["prediction"] * len(first)
    assert given(None)[0]["prediction_id"] != first[0]["prediction_id"]
