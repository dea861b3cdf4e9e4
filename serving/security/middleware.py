"""The door itself: pure ASGI, around everything that the server answers, BentoML's own routes included."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool

from features.errors import Refusal
from serving.errors import BodyTooLarge, InternalFault
from serving.security.asgi import (
    SECURITY_HEADERS,
    BoundedBody,
    address_of,
    headers_of,
    replayed,
    send_refusal,
    send_to_login,
    sent_to_login,
    whole_body,
    with_headers,
)
from serving.security.cross_origin import CrossOrigin
from serving.security.refusals import ForeignForm, Unauthenticated
from serving.security.sessions import CSRF_FIELD, CSRF_HEADER

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from serving.security.gatekeeper import Gatekeeper
    from serving.security.routes import Caller

log = logging.getLogger("oncorespond.security")

CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})

JWT_DOTS = 2
"""A token has three parts between dots."""

MOST_FORM_BYTES = 64 * 1024
"""Of a form that a browser session sends; it is read here for its CSRF token and handed on."""


class SecurityMiddleware:
    """Lets in who may, and refuses everybody else in the one error shape.

    The application finds the caller in ``request.state.caller`` and the request's id in ``request.state.request_id``.

    Parameters
    ----------
    app
        What is behind the door.
    gatekeeper
        From :meth:`serving.security.gatekeeper.Gatekeeper.from_settings`.
    """

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper) -> None:
        self._app = app
        self._gatekeeper = gatekeeper
        self._cross_origin = CrossOrigin(gatekeeper.settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:  # nothing here speaks WebSocket
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.setdefault("state", {})
        request_id = state.setdefault("request_id", secrets.token_hex(8))
        headers = headers_of(scope)
        added = [*self._cross_origin.headers(headers), (b"x-request-id", request_id.encode()), *SECURITY_HEADERS]
        answer = _Answer(with_headers(send, added))
        body = BoundedBody(receive, self._gatekeeper.settings.most_bytes)
        try:
            if await self._cross_origin.preflight(scope["method"], headers, answer.send):
                return
            body.announced(headers)
            bounded = await self._admitted(scope, headers, body)
            answer.replaced_when(body)
            await self._app(scope, bounded, answer.send)
        except Unauthenticated as refusal:
            if sent_to_login(scope, headers) and not answer.started:
                await send_to_login(answer.send)
            else:
                await _refuse(answer, refusal, request_id)
        except Refusal as refusal:
            await _refuse(answer, refusal, request_id)
        except Exception as fault:
            if answer.started:
                raise
            log.error("internal_fault", extra={"fault": type(fault).__name__, "request_id": request_id})
            await _refuse(
                answer, InternalFault("something went wrong on our side; please report the request id"), request_id
            )
        if body.exceeded and not answer.started:
            await _refuse(answer, BodyTooLarge("the body is longer than this service reads"), request_id)

    async def _admitted(self, scope: Scope, headers: dict[str, str], body: BoundedBody) -> Receive:
        method, path = scope["method"], scope["path"]
        asked = (method, path, headers, address_of(scope))
        if headers.get("authorization", "").count(".") >= JWT_DOTS:  # may look into the database: not in the event loop
            caller, _ = await run_in_threadpool(self._gatekeeper.admit, *asked)
        else:
            caller, _ = self._gatekeeper.admit(*asked)
        scope["state"]["caller"] = caller
        if caller.by == "session" and method not in CHANGES_NOTHING:
            return await self._checked_form(caller, headers, body)
        return body

    async def _checked_form(self, caller: Caller, headers: dict[str, str], body: BoundedBody) -> Receive:
        """Check the CSRF token of a browser's request; a form's body is read for it and handed on unchanged."""
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise ForeignForm("the request comes from a page of another host")
        if CSRF_HEADER in headers:
            self._gatekeeper.sessions.check_form(caller, headers[CSRF_HEADER])
            return body
        if headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            self._gatekeeper.sessions.check_form(caller, "")
        read = await whole_body(body, MOST_FORM_BYTES)
        sent = parse_qs(read.decode("utf-8", "replace")).get(CSRF_FIELD, [""])
        self._gatekeeper.sessions.check_form(caller, sent[0])
        return replayed(read, body)


class _Answer:
    """The answer under way: whether it has started, and whether it stands for a body that grew too long."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._body: BoundedBody | None = None
        self.started = False

    def replaced_when(self, body: BoundedBody) -> None:
        """Let nothing of the application's answer out once this body was too long."""
        self._body = body

    async def send(self, message: Message) -> None:
        if self._body is not None and self._body.exceeded and not self.started:
            return
        self.started = True
        await self._send(message)

    async def refuse(self, refusal: Refusal, request_id: str) -> None:
        """Send a refusal in the application's stead."""
        self._body = None
        self.started = True
        await send_refusal(self._send, refusal, request_id)


async def _refuse(answer: _Answer, refusal: Refusal, request_id: str) -> None:
    log.info("refused", extra={"refusal": refusal.log_text(), "request_id": request_id})
    if not answer.started:
        await answer.refuse(refusal, request_id)
