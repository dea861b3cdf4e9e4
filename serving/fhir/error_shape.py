"""Every error of a clinical address as an OperationOutcome, whoever refused: route, door, body limit or last net.

One place instead of one handler per layer: it stands outside all of them and rewrites the one error shape.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from serving.fhir.content import ANSWERED_AS
from serving.fhir.outcome import operation_outcome

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADDRESSES = ("/fhir", "/cds-services")
"""Where errors are OperationOutcomes."""

FIRST_ERROR = 400


def is_clinical(path: str) -> bool:
    """Tell whether a path is one of the clinical addresses.

    Examples
    --------
    >>> is_clinical("/fhir/metadata"), is_clinical("/cds-services"), is_clinical("/fhirx")
    (True, True, False)
    """
    return any(path == address or path.startswith(f"{address}/") for address in ADDRESSES)


class ClinicalErrors:
    """ASGI: rewrites error bodies below :data:`ADDRESSES`; put it outside the door.

    Parameters
    ----------
    app
        What answers, the door included.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and is_clinical(scope["path"]):
            send = _Rewriting(send).send
        await self._app(scope, receive, send)


class _Rewriting:
    """A ``send`` that keeps an error answer back until its body is whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= FIRST_ERROR:
            self._start = message
            return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._parts.append(message.get("body", b""))
        if not message.get("more_body"):
            await self._rewritten(self._start, b"".join(self._parts))

    async def _rewritten(self, start: Message, body: bytes) -> None:
        outcome = _outcome(body)
        if outcome is not None:
            kept = [(name, value) for name, value in start["headers"] if name.lower() not in _REPLACED]
            body = to_json(outcome)
            content = [(b"content-type", ANSWERED_AS.encode()), (b"content-length", str(len(body)).encode())]
            start = {**start, "headers": [*kept, *content]}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


_REPLACED = (b"content-type", b"content-length")


def _outcome(body: bytes) -> dict[str, Any] | None:
    """Return the OperationOutcome of an error body; None when it is something else and stays as it is."""
    try:
        error = json.loads(body)["error"]
        return operation_outcome(error)
    except (ValueError, KeyError, TypeError):
        return None
