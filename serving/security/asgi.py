"""ASGI parts of the door: answers, headers, and a body that may not grow beyond its limit."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from serving.errors import BodyTooLarge, BodyTooSlow, error_body
from serving.security.refusals import TooManyRequests, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from starlette.types import Message, Receive, Scope, Send

    from features.errors import Refusal

Headers = list[tuple[bytes, bytes]]

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
)
"""On every answer, unless the route said otherwise. HSTS is the proxy's: TLS ends there."""


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers of a request by lower-case name; of repeated ones the last, cookies joined.

    Two ``Authorization`` headers are no header: which of them counts is a matter of taste, and of attacks.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "cookie" and name in found:
            value = f"{found[name]}; {value}"
        if name == "authorization" and name in found:
            value = "repeated"
        found[name] = value
    return found


def address_of(scope: Scope) -> str:
    """Return the peer's address, ``unknown`` when the server does not say."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


async def send_refusal(
    send: Send, refusal: Refusal, request_id: str, extra: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Answer with the one error shape, and what HTTP asks for beside it."""
    headers: Headers = [(b"x-request-id", request_id.encode()), *refusal_headers(refusal), *extra]
    await send_json(send, refusal.http_status, error_body(refusal, request_id), headers)


def refusal_headers(refusal: Refusal) -> Headers:
    """Return what HTTP asks for beside the error shape: how to come in (401), when to ask again (429, 503)."""
    if isinstance(refusal, Unauthenticated):
        return [(b"www-authenticate", b'Bearer realm="oncorespond"')]
    if isinstance(refusal, TooManyRequests):
        return [(b"retry-after", str(max(1, round(refusal.retry_after_seconds))).encode())]
    if refusal.http_status == NOT_NOW:
        return [(b"retry-after", RETRY_SECONDS)]
    return []


def sent_to_login(scope: Scope, headers: dict[str, str]) -> bool:
    """Tell whether a refused request is a browser's that opens a page for people: it is shown the login."""
    kinds = [part.partition(";")[0].strip() for part in headers.get("accept", "").lower().split(",")]
    page = "text/html" in kinds and "application/json" not in kinds[: kinds.index("text/html")]
    path = scope["path"]
    return scope["method"] == "GET" and page and (path in FOR_PEOPLE or (path + "/").startswith("/audit/"))


FOR_PEOPLE = ("/", "/docs", "/model/card")
"""Pages for people outside ``/audit``."""


async def send_to_login(send: Send) -> None:
    """Answer with the way to the login page."""
    headers = [(b"location", b"/audit/login"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


NOT_NOW = 503
RETRY_SECONDS = b"5"
"""Seconds after which a caller may try again when the log or the model was not there; a disk is not mended sooner."""


async def send_json(send: Send, status: int, content: Any, headers: Headers) -> None:
    """Answer with JSON."""
    body = json.dumps(content, ensure_ascii=False).encode()
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


def as_answer_begins(send: Send, told: Callable[[Message], Message]) -> Send:
    """Return a ``send`` that hands the start of the answer (status and headers) over, and sends what comes back."""

    async def sending(message: Message) -> None:
        await send(told(message) if message["type"] == "http.response.start" else message)

    return sending


def headed(start: Message, added: Sequence[tuple[bytes, bytes]]) -> Message:
    """Return the start of an answer with headers more; what it has stays, and of two the first counts.

    Examples
    --------
    >>> headed({"headers": [(b"Connection", b"close")]}, [(b"connection", b"x"), (b"a", b"1"), (b"a", b"2")])
    {'headers': [(b'Connection', b'close'), (b'a', b'1')]}
    """
    present = {name.lower() for name, _ in start.get("headers", [])}
    more = {name: value for name, value in reversed(added) if name not in present}
    return {**start, "headers": [*start.get("headers", []), *more.items()]}


def with_headers(send: Send, added: Sequence[tuple[bytes, bytes]]) -> Send:
    """Return a ``send`` that puts headers on the answer, as :func:`headed` does."""
    return as_answer_begins(send, lambda start: headed(start, added))


class BoundedBody:
    """A ``receive`` that refuses to pass on more than so many bytes.

    Attributes
    ----------
    exceeded
        Whether it refused; then the answer is 413, whatever the application made of it.
    """

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self._receive = receive
        self._left = most_bytes
        self._most = most_bytes
        self.exceeded = False

    def announced(self, headers: dict[str, str]) -> None:
        """Refuse a body that is announced as too long before any of it is read.

        Raises
        ------
        BodyTooLarge
            When Content-Length is beyond the limit.
        """
        length = headers.get("content-length", "0")
        if length.isdecimal() and (len(length) > _MOST_DIGITS or int(length) > self._most):
            raise self._too_large()

    async def __call__(self) -> Message:
        """Return the next message.

        Raises
        ------
        BodyTooLarge
            When the limit is passed.
        """
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.exceeded = True
            raise self._too_large()
        return message

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is longer than {self._most} bytes")


_MOST_DIGITS = 18


LONGEST_BODY_S = 30.0
"""Seconds for a body to arrive; 8 MB over a slow line take 10."""


async def whole_body(receive: Receive, most_bytes: int) -> bytes:
    """Read a small body.

    Raises
    ------
    BodyTooLarge, BodyTooSlow
        When it is longer; when it does not come in time, or breaks off: half a form is none.
    """
    bounded = BoundedBody(receive, most_bytes)
    try:
        async with asyncio.timeout(LONGEST_BODY_S):
            return b"".join([part async for part in _parts(bounded)])
    except TimeoutError:
        raise BodyTooSlow(f"the body did not come within {LONGEST_BODY_S:g} s") from None


async def _parts(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyTooSlow("the body broke off")
        yield message.get("body", b"")
        more = message.get("more_body", False)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives a body which was read already, then whatever comes."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
