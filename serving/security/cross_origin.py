"""Pages of other hosts (CORS): off, unless the operator lists their origins; cookies are never for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Send

    from serving.security.asgi import Headers

_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type, idempotency-key"),
    (b"access-control-max-age", b"600"),
    (b"content-length", b"0"),
]


class CrossOrigin:
    """Answers the questions of browsers on behalf of pages of other hosts.

    Parameters
    ----------
    allowed
        Origins as browsers write them: ``https://sandbox.example``. There is no wildcard.

    Examples
    --------
    >>> CrossOrigin(("https://a.example",)).headers({"origin": "https://b.example"})
    []
    """

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = frozenset(allowed)

    def headers(self, headers: Mapping[str, str]) -> Headers:
        """Return what is put on an answer for a listed origin; nothing for others."""
        origin = headers.get("origin")
        if origin is None or origin not in self._allowed:
            return []
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", b"x-request-id"),
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"vary", b"origin"),
        ]

    async def preflight(self, method: str, headers: Mapping[str, str], send: Send) -> bool:
        """Answer the preflight of a listed origin; it carries no credentials and learns nothing."""
        if method != "OPTIONS" or "access-control-request-method" not in headers or not self.headers(headers):
            return False
        await send({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT)})
        await send({"type": "http.response.body", "body": b""})
        return True
