"""The login of browsers: a key or token is exchanged for a session, and never stands in an address."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.requests import Request  # noqa: TC002  # FastAPI reads the annotations of routes
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from serving.body import read_object
from serving.errors import WrongContentType
from serving.security.asgi import whole_body
from serving.security.refusals import Unauthenticated
from serving.security.sessions import cookie_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from serving.security.gatekeeper import Gatekeeper

MOST_BYTES = 16 * 1024
"""Of a login: a token has at most 8,192 characters."""

LOGIN, LOGIN_FAILED = "/audit/login", "/audit/login?failed=1"

AFTER_LOGIN = "/audit"
"""Where a browser goes with its new session."""

_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>oncorespond: sign in</title></head><body>
<h1>Sign in</h1>
<form method="post" action="/audit/login">
<p><label>API key or token <input type="password" name="token" autocomplete="off" required></label>
<button>Sign in</button></p></form>
</body></html>"""


def add_login_routes(app: FastAPI, gatekeeper_of: Callable[[], Gatekeeper]) -> None:
    """Add ``/audit/login`` and ``/audit/logout`` to the application.

    POST takes JSON ``{"token": "..."}`` and answers 200 with ``{"csrf_token": "...", "seconds": ...}``, or a form and
    answers with a redirect; both set the session's cookie. Logging in counts as failed credentials do.
    """

    @app.get("/audit/login", include_in_schema=False, response_class=HTMLResponse)
    async def login_page() -> Response:
        return HTMLResponse(_PAGE)

    @app.post("/audit/login", include_in_schema=False)
    async def login(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await whole_body(request.receive, MOST_BYTES)
        gatekeeper = gatekeeper_of()
        address = request.client.host if request.client else "unknown"
        try:
            caller, until = gatekeeper.exchange(_sent(kind, body), address)
        except Unauthenticated:
            if kind == _FORM:  # a person is told on the page, and may try again
                return RedirectResponse(LOGIN_FAILED, status_code=303)
            raise
        session, seconds = gatekeeper.sessions.open(caller, until)
        found = (
            RedirectResponse(AFTER_LOGIN, status_code=303)
            if kind == _FORM
            else JSONResponse({"csrf_token": gatekeeper.sessions.csrf_token(session), "seconds": seconds})
        )
        found.headers["set-cookie"] = cookie_header(session, seconds)
        return found

    @app.post("/audit/logout", include_in_schema=False)
    async def logout(request: Request) -> Response:
        by_form = request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM
        found = RedirectResponse(LOGIN, status_code=303) if by_form else JSONResponse({"status": "signed out"})
        found.headers["set-cookie"] = cookie_header("", 0)
        return found


def _sent(kind: str, body: bytes) -> str:
    """Return the key or token of a login."""
    if kind == _JSON:
        sent = read_object(body).get("token")
    elif kind == _FORM:
        sent = next(iter(parse_qs(body.decode("ascii", "replace"), max_num_fields=None).get("token", [])), None)
    else:
        raise WrongContentType(f"content type {kind[:40]!r}", way_out=f"Send {_JSON} or {_FORM}.")
    if not isinstance(sent, str) or not sent:
        raise Unauthenticated("the login has no token", cause="no_credentials")
    return sent.strip()


def csrf_field(gatekeeper: Gatekeeper, session: str) -> str:
    """Return the hidden input that every form of a session carries.

    Parameters
    ----------
    session
        ``request.state.caller.session``.
    """
    return f'<input type="hidden" name="csrf_token" value="{escape(gatekeeper.sessions.csrf_token(session))}">'
