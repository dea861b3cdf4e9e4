"""Sessions of browsers: opened by a key or token, closed with their key; forms carry the token of theirs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request

from serving.one_shape import add_error_shape
from serving.security.limits import Rate
from serving.security.login import add_login_routes, csrf_field
from serving.security.sessions import COOKIE, Sessions
from tests.guarded import Door, assert_refused, token


class LoginDoor(Door):
    """A guarded application with the login and one form."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        app = FastAPI()
        add_error_shape(app)

        @app.post("/audit/review")
        async def review(request: Request) -> dict[str, str]:
            return {"caller": request.state.caller.name, "body": (await request.body()).decode()}

        @app.get("/audit")
        async def page() -> dict[str, str]:
            return {"page": "audit"}

        super().__init__(folder, app, **settings)
        add_login_routes(app, lambda: self.gatekeeper)

    def log_in(self, credentials: str) -> str:
        found = self.client.post("/audit/login", json={"token": credentials})
        assert found.status_code == 200, found.text
        return str(found.json()["csrf_token"])


@pytest.fixture
def door(tmp_path: Path) -> LoginDoor:
    return LoginDoor(tmp_path)


def test_a_key_is_exchanged_for_a_cookie_that_scripts_and_other_hosts_cannot_use(door: LoginDoor) -> None:
    response = door.client.post("/audit/login", json={"token": door.of_role["audit"]})
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for word in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
        assert word in cookie
    assert door.of_role["audit"] not in cookie + response.text
    assert door.client.get("/audit").json() == {"page": "audit"}


def test_a_form_logs_in_and_is_sent_on(door: LoginDoor) -> None:
    assert "<form" in door.client.get("/audit/login").text
    sent = door.client.post("/audit/login", data={"token": door.of_role["audit"]}, follow_redirects=False)
    assert (sent.status_code, sent.headers["location"]) == (303, "/audit")


def test_whatever_changes_something_needs_the_csrf_token_of_that_session(door: LoginDoor) -> None:
    csrf = door.log_in(door.of_role["audit"])
    other = "0" * 64
    for headers in ({}, {"x-csrf-token": other}, {"x-csrf-token": ""}):
        assert_refused(door.client.post("/audit/review", headers=headers, json={}), 403, "csrf_token_missing")
    foreign = {"x-csrf-token": csrf, "sec-fetch-site": "cross-site"}
    assert_refused(door.client.post("/audit/review", headers=foreign), 403, "csrf_token_missing")
    assert_refused(door.client.post("/audit/review", data={"note": "x"}), 403, "csrf_token_missing")
    assert door.client.post("/audit/review", headers={"x-csrf-token": csrf}).json()["caller"] == "key:a-audit"
    form = door.client.post("/audit/review", data={"note": "agreed", "csrf_token": csrf}).json()
    assert form["body"] == f"note=agreed&csrf_token={csrf}"


def test_the_csrf_token_of_another_session_is_refused(door: LoginDoor) -> None:
    first = door.log_in(door.of_role["audit"])
    door.client.cookies.clear()
    second = door.log_in(door.of_role["audit"])
    assert first != second
    assert_refused(door.client.post("/audit/review", headers={"x-csrf-token": first}), 403, "csrf_token_missing")


def test_a_session_has_the_roles_of_its_key_and_ends_with_it(door: LoginDoor) -> None:
    csrf = door.log_in(door.of_role["audit"])
    assert_refused(door.client.post("/predict", headers={"x-csrf-token": csrf}), 403, "forbidden")
    door.keys.revoke("a-audit")
    assert_refused(door.client.get("/audit"), 401, "unauthenticated")
    door.keys.add("a-audit", ["audit"])
    assert_refused(door.client.get("/audit"), 401, "unauthenticated")


def test_logging_out_takes_the_cookie_away(door: LoginDoor) -> None:
    csrf = door.log_in(door.of_role["audit"])
    assert "Max-Age=0" in door.client.post("/audit/logout", headers={"x-csrf-token": csrf}).headers["set-cookie"]
    assert_refused(door.client.get("/audit"), 401, "unauthenticated")


def test_a_session_that_a_token_opened_ends_with_the_token(door: LoginDoor) -> None:
    response = door.client.post("/audit/login", json={"token": token(exp=int(time.time()) + 120)})
    assert 100 < response.json()["seconds"] <= 120


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"token": "wrong"}', "application/json", 401),
        (b"{}", "application/json", 401),
        (b'{"token": 7}', "application/json", 401),
        (b"[]", "application/json", 422),
        (b"{", "application/json", 400),
        (b"token", "text/plain", 415),
        (b"x" * 20_000, "application/json", 413),
    ],
)
def test_bad_logins_are_refused(door: LoginDoor, body: bytes, kind: str, status: int) -> None:
    response = door.client.post("/audit/login", content=body, headers={"content-type": kind})
    assert response.status_code == status
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("body", [b"token=", b"", b"token=wrong", b"\xff&token=\xff", b"token=a&token=b"])
def test_a_form_that_fails_leads_back_to_the_page(door: LoginDoor, body: bytes) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    response = door.client.post("/audit/login", content=body, headers=kind, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/audit/login?failed=1")
    assert "set-cookie" not in response.headers


def test_a_browser_that_is_not_known_is_led_to_the_login(door: LoginDoor) -> None:
    page = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    found = door.client.get("/audit/predictions", headers=page, follow_redirects=False)
    assert (found.status_code, found.headers["location"]) == (303, "/audit/login")
    assert_refused(door.client.get("/auditor", headers=page), 401, "unauthenticated")
    assert_refused(door.client.get("/model", headers=page), 401, "unauthenticated")
    assert_refused(door.client.get("/audit"), 401, "unauthenticated")
    assert_refused(door.client.post("/audit/review", headers=page), 401, "unauthenticated")


def test_wrong_logins_run_out(tmp_path: Path) -> None:
    door = LoginDoor(tmp_path, failed_logins=Rate(per_second=0.001, burst=2))
    found = [door.client.post("/audit/login", json={"token": "wrong"}).status_code for _ in range(3)]
    assert found == [401, 401, 429]


def test_a_session_that_we_did_not_sign_or_that_has_ended_is_refused(door: LoginDoor) -> None:
    caller = door.gatekeeper.bearer(door.of_role["audit"])[0]
    foreign, _ = Sessions(b"k" * 32, lambda _key: True).open(caller)
    ended, _ = door.gatekeeper.sessions.open(caller, until=time.time() - 1)
    right, _ = door.gatekeeper.sessions.open(caller)
    changed = right[:-1] + ("0" if right[-1] != "0" else "1")
    for session in (foreign, ended, changed, "", ".", "é.x"):
        headers = [(b"cookie", f"{COOKIE}={session}".encode("latin-1"))]
        assert_refused(door.client.get("/audit", headers=headers), 401, "unauthenticated")


def test_forms_carry_their_token(door: LoginDoor) -> None:
    assert door.gatekeeper.sessions.csrf_token("s") in csrf_field(door.gatekeeper, "s")
