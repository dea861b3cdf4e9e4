"""Browser sessions: a signed cookie, no store. It says who came in, how, and until when; nothing secret lies in it.

The cookie is HttpOnly, Secure, SameSite=Strict and bound to this host (``__Host-``). Whatever changes something also
needs the CSRF token of that very session, which a form carries as ``csrf_token`` and a script as ``x-csrf-token``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import TYPE_CHECKING

from serving.security.refusals import ForeignForm, Unauthenticated
from serving.security.routes import Caller, read_roles

if TYPE_CHECKING:
    from collections.abc import Callable

COOKIE = "__Host-oncorespond"
CSRF_FIELD, CSRF_HEADER = "csrf_token", "x-csrf-token"

LONGEST_SECONDS = 8 * 60 * 60
"""One working day; a session that a token opened ends with the token."""


class Sessions:
    """Issues and reads sessions.

    Parameters
    ----------
    key
        32 bytes that every worker has: the server key.
    still_active
        Asked at every request with the identity of the API key that opened the session: a revoked key ends its
        sessions. Not asked of sessions that a token opened; they end with it.
    """

    def __init__(self, key: bytes, still_active: Callable[[str], bool], clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._still_active = still_active
        self._clock = clock

    def open(self, caller: Caller, until: float | None = None) -> tuple[str, int]:
        """Return the text of a new session and its life in seconds."""
        now = self._clock()
        ends = min(now + LONGEST_SECONDS, until if until is not None else now + LONGEST_SECONDS)
        content = {
            "name": caller.name,
            "roles": sorted(caller.roles),
            "key": caller.key_identity,
            "until": ends,
            "nonce": secrets.token_hex(8),
        }
        body = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
        return f"{body}.{self._sign('session', body)}", max(0, int(ends - now))

    def caller(self, session: str) -> Caller:
        """Return who opened a session.

        Raises
        ------
        Unauthenticated
            When we did not sign it, it has ended, or the key that opened it was revoked.
        """
        body, _, signature = session.partition(".")
        if not hmac.compare_digest(self._sign("session", body).encode(), signature.encode()):
            raise Unauthenticated("there is no such session", cause="session_forged")
        content = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if content["until"] <= self._clock():
            raise Unauthenticated("this session has ended", cause="session_ended")
        if content["key"] and not self._still_active(content["key"]):
            raise Unauthenticated("this session has ended", cause="session_of_revoked_key")
        return Caller(content["name"], read_roles(content["roles"]), "session", session, content["key"])

    def csrf_token(self, session: str) -> str:
        """Return the token that forms of this session carry."""
        return self._sign("csrf", session)

    def check_form(self, caller: Caller, sent: str) -> None:
        """Check the CSRF token of a request that changes something.

        Raises
        ------
        ForeignForm
            When it is not the one of the caller's session.
        """
        if not hmac.compare_digest(self.csrf_token(caller.session).encode(), sent.encode()):
            raise ForeignForm(
                "the request has not the CSRF token of this session",
                way_out=f"Send the form field {CSRF_FIELD} or the header {CSRF_HEADER}.",
            )

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()


def cookie_header(session: str, seconds: int) -> str:
    """Return the value of Set-Cookie; 0 seconds end the session.

    Examples
    --------
    >>> cookie_header("", 0)
    '__Host-oncorespond=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict'
    """
    return f"{COOKIE}={session}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict"


def session_of(cookies: str) -> str | None:
    """Return the session in a Cookie header, None when there is none.

    Examples
    --------
    >>> session_of("a=1; __Host-oncorespond=x.y")
    'x.y'
    """
    for part in cookies.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return None
