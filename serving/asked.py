"""What a route takes from its request: the body, who asks, when, and the Idempotency-Key."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from typing import TYPE_CHECKING

from serving.audit.entries import Once
from serving.audit.recorded import Asked
from serving.body import MOST_BYTES
from serving.errors import BodyTooLarge, BodyTooSlow, IdempotencyKeyRefused, WrongContentType
from serving.security.asgi import LONGEST_BODY_S
from serving.security.refusals import Unauthenticated
from serving.security.routes import Caller, rule_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

IDEMPOTENCY_KEY = "idempotency-key"

KEY_PATTERN = "^[!-~]{1,255}$"
"""Of an Idempotency-Key: visible ASCII."""

_KEY = re.compile(KEY_PATTERN)


async def read_body(request: Request, kinds: Sequence[str] = ("application/json",)) -> bytes:
    """Read a body of bounded size; the size is checked while it arrives.

    Parameters
    ----------
    kinds
        Content types that are let through, lower case, without parameters.

    Raises
    ------
    WrongContentType, BodyTooLarge, BodyTooSlow
        415, 413, 408.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in kinds:
        raise WrongContentType(f"content type {kind[:40]!r}", way_out=f"Send {' or '.join(kinds)}.")
    try:
        async with asyncio.timeout(LONGEST_BODY_S):
            return await _whole(request)
    except TimeoutError:
        raise BodyTooSlow(f"the body did not come within {LONGEST_BODY_S:g} s") from None


async def _whole(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise BodyTooLarge(f"the body is longer than {MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def caller_of(request: Request) -> Caller:
    """Return who asks, as the door found out.

    Raises
    ------
    Unauthenticated
        When no door was passed: a route that is reached in another way answers nobody.
    """
    found = getattr(request.state, "caller", None)
    if not isinstance(found, Caller):
        raise Unauthenticated("nobody is known by this request", cause="no_door")
    return found


def asked_of(request: Request, body: bytes) -> Asked:
    """Return what the audit log records of a request: caller, route, time of arrival, Idempotency-Key.

    Parameters
    ----------
    body
        The whole body; with the address it says whether a repeated key comes with the same request.

    Raises
    ------
    Unauthenticated, IdempotencyKeyRefused
        401, 422.
    """
    caller = caller_of(request).name
    key = idempotency_key(request)
    digest = hashlib.sha256(request.url.path.encode() + b"\0" + body).hexdigest()
    return Asked(
        caller=caller,
        arrived=getattr(request.state, "arrived", None) or time.perf_counter(),
        once=None if key is None else Once(key, caller, digest),
        route=rule_for(request.method, request.url.path).pattern,
    )


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key of a request; None when it has none.

    Raises
    ------
    IdempotencyKeyRefused
        When there are several, or it is not 1 to 255 visible ASCII characters.
    """
    sent = request.headers.getlist(IDEMPOTENCY_KEY)
    if not sent:
        return None
    if len(sent) > 1 or not _KEY.fullmatch(sent[0]):
        raise IdempotencyKeyRefused(
            "one Idempotency-Key of 1 to 255 visible ASCII characters is asked for", way_out="Send a UUID."
        )
    return sent[0]
