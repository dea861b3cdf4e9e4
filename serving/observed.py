"""The outermost layer: gives every request its id and deadline, and counts and logs every answer, refused ones too."""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING

from serving import deadline
from serving.logs import request_id
from serving.security.asgi import as_answer_begins
from serving.security.routes import rule_for

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from serving.metrics import ServiceMetrics

log = logging.getLogger("oncorespond.access")

CLIENT_GONE = 499
"""Status of a request that ended without an answer, as nginx counts them."""

QUIET = frozenset({"/livez", "/readyz"})
"""Probes that succeed are counted and not logged."""


class ObservedRequests:
    """ASGI: one log line and one count per request.

    Parameters
    ----------
    app
        What answers.
    metrics
        Where requests are counted.
    deadline_s
        Longest time of a request, seconds; by default ``$ORP_DEADLINE_SECONDS``, or 30.
    """

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics, deadline_s: float | None = None) -> None:
        self._app = app
        self._metrics = metrics
        self._deadline_s = deadline.site_deadline_s() if deadline_s is None else deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        token = request_id.set(state.setdefault("request_id", secrets.token_hex(8)))
        status, began = CLIENT_GONE, state.setdefault("arrived", time.perf_counter())
        deadline.begin(began + deadline.seconds_of(scope["headers"], self._deadline_s))

        def told(start: Message) -> Message:
            nonlocal status
            status = start["status"]
            return start

        try:
            await self._app(scope, receive, as_answer_begins(send, told))
        finally:
            self._tell(scope, status, time.perf_counter() - began)
            request_id.reset(token)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = scope["method"], rule_for(scope["method"], scope["path"]).pattern
        self._metrics.count_request(route, method, status, seconds)
        if route in QUIET and status < 400:
            return
        caller = scope["state"].get("caller")
        fields = {"route": route, "method": method[:10], "status": status, "milliseconds": round(1000 * seconds, 2)}
        log.info("answered", extra={**fields, "caller": caller.name if caller else "nobody"})
