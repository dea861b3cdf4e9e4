"""Whoever asks while the service stops gets an answer, and the last one of its connection."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from serving.audit.refusals import AuditUnavailable
from serving.draining import SIGNALS, Draining, LastAnswers
from serving.metrics import ServiceMetrics
from serving.state import ServiceState


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """What the server's own handlers were told, in the place of this process's."""
    told: list[int] = []
    before = {one: signal.signal(one, lambda number, _frame: told.append(number)) for one in SIGNALS}
    yield told
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_from_the_signal_on_connections_are_closed(heard: list[int], number: int) -> None:
    draining = Draining()
    client = TestClient(LastAnswers(PlainTextResponse("answered"), draining))
    draining.follow_signals()
    assert "connection" not in client.get("/").headers
    signal.raise_signal(number)
    assert heard == [number], "the server stops as it would without us"
    answer = client.get("/")
    assert (answer.text, answer.headers["connection"]) == ("answered", "close")


def test_an_answer_that_was_under_way_is_the_last_too() -> None:
    draining = Draining()

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        draining.begin()  # the signal comes while it is computed
        await PlainTextResponse("answered")(scope, receive, send)

    assert TestClient(LastAnswers(answering, draining)).get("/").headers["connection"] == "close"


def test_what_cannot_be_closed_keeps_nothing_else_open() -> None:
    closed: list[str] = []

    def fails() -> None:
        raise OSError("invented")

    def nobody() -> Any:
        raise AuditUnavailable("invented")

    state = ServiceState(lambda: None, lambda: None, ServiceMetrics(), nobody)
    state.closing.extend([lambda: closed.append("first"), fails, lambda: closed.append("last")])
    state.close()
    assert closed == ["last", "first"]
