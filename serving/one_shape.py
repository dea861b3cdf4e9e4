"""The one error shape around the application: refusals, unknown addresses and our own faults are told alike."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from features.errors import Refusal
from serving.errors import InternalFault, MethodNotAllowed, NoSuchRoute, error_body
from serving.security.asgi import refusal_headers

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("oncorespond.serving")

FAULT = "something went wrong on our side; please report the request id"


def add_error_shape(app: FastAPI) -> None:
    """Let every refusal and fault of an application leave in the one shape; no traceback, no value."""
    app.add_middleware(FaultsInShape)

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        return refused_answer(request, refusal)

    @app.exception_handler(HTTPException)
    async def http_refused(request: Request, found: HTTPException) -> Response:
        path = request.url.path[:80]
        if found.status_code == MethodNotAllowed.http_status:
            return refused_answer(request, MethodNotAllowed(f"{request.method[:10]} is not answered at {path}"))
        return refused_answer(request, NoSuchRoute(f"there is nothing at {path}", way_out=_way_out(app, path)))


CLINICAL = ("/fhir", "/cds-services")
"""Addresses that exist only when somebody acknowledged that they are for research."""

ACKNOWLEDGE = (
    "FHIR and CDS Hooks are off: start with `oncorespond serve --clinical-research-acknowledged NAME`;"
    " see docs/integration.md."
)


def _way_out(app: FastAPI, path: str) -> str:
    asked = next((one for one in CLINICAL if f"{path}/".startswith(f"{one}/")), None)
    there = asked is None or any(getattr(route, "path", "").startswith(asked) for route in app.routes)
    return "See /docs." if there else ACKNOWLEDGE


def refused_answer(request: Request, refusal: Refusal) -> Response:
    """Return a refusal as an answer, and log its code and field."""
    request_id = getattr(request.state, "request_id", "-")
    log.info("refused", extra={"refusal": refusal.log_text(), "request_id": request_id})
    answer = JSONResponse(error_body(refusal, request_id), status_code=refusal.http_status)
    for name, value in refusal_headers(refusal):
        answer.headers[name.decode()] = value.decode()
    return answer


class FaultsInShape:
    """ASGI: the last net. It stands inside Starlette's own, which would answer in plain text and raise again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say that we failed; a fault after the answer has begun is raised: the connection must break."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as fault:
            request = Request(scope, receive)
            request_id = getattr(request.state, "request_id", "-")
            log.error("internal_fault", extra={"fault": type(fault).__name__, "request_id": request_id})
            if started:
                raise
            await refused_answer(request, InternalFault(FAULT))(scope, receive, send)
