"""The door over HTTP: who comes in, to which routes, how often, with how much; sessions and other hosts."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from serving.errors import NotReady
from serving.security.gatekeeper import Gatekeeper, SecuritySettings, new_dev_token
from serving.security.limits import Rate
from serving.security.middleware import SecurityMiddleware
from serving.security.refusals import NoWayIn
from serving.security.routes import ROLES, ROUTES, rule_for
from serving.security.routes import UNLISTED as UNLISTED_RULE
from tests.guarded import Door, assert_refused, echo, token

OPEN = {
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/audit/login"),
    ("POST", "/audit/login"),
    ("GET", "/audit/login/static/x/y"),
}
SOME = [
    (method, rule.pattern.replace("{id}", "7").replace("{name}", "case").replace("*", "x/y"), rule)
    for rule in ROUTES
    for method in rule.methods.split()
]
UNLISTED = [
    ("GET", "/nowhere"),
    ("POST", "/livez"),
    ("DELETE", "/predict"),
    ("GET", "/livez/"),
    ("GET", "/LIVEZ"),
    ("GET", "/docs/oauth2-redirect"),
    ("POST", "/bento/x"),
    ("OPTIONS", "/predict"),
]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Door:
    return Door(tmp_path_factory.mktemp("door"))


@pytest.mark.parametrize(("method", "path"), [*((m, p) for m, p, _ in SOME), *UNLISTED])
@pytest.mark.parametrize("credentials", [None, "orp_00000000_" + "A" * 43, "secret"], ids=["none", "unknown", "word"])
def test_without_credentials_only_the_probes_and_the_login_answer(
    door: Door, method: str, path: str, credentials: str | None
) -> None:
    response = door.ask(credentials, path, method)
    if (method, path) in OPEN:
        assert response.status_code == 200
    else:
        assert_refused(response, 401, "unauthenticated")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_reaches_only_its_routes(door: Door, role: str) -> None:
    for method, path, rule in SOME:
        response = door.ask(door.of_role[role], path, method)
        if isinstance(rule.roles, str) or role in rule.roles:
            assert response.status_code == 200, (method, path)
        else:
            assert_refused(response, 403, "forbidden")
    for method, path in UNLISTED:
        expected = 200 if role == "admin" else 403
        assert door.ask(door.of_role[role], path, method).status_code == expected, (method, path)


@pytest.mark.parametrize("path", ["//livez", "/x/../livez", "/./livez", "/livez\n", "livez", "", "/livez%00"])
def test_paths_that_are_not_in_their_plainest_form_fall_under_no_row(path: str) -> None:
    assert rule_for("GET", path) is UNLISTED_RULE


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"authorization": "Bearer"},
        {"authorization": "bearer  "},
        {"authorization": "Token x"},
        {"cookie": "__Host-oncorespond=x.y"},
        {"cookie": "__Host-oncorespond="},
        {"x-api-key": "x"},
    ],
)
def test_other_ways_to_say_who_one_is_open_nothing(door: Door, headers: dict[str, str]) -> None:
    assert_refused(door.client.get("/model", headers=headers), 401, "unauthenticated")


def test_two_authorizations_and_tokens_in_addresses_open_nothing(door: Door) -> None:
    key = door.of_role["predict"]
    twice = [("authorization", f"Bearer {key}"), ("authorization", "Bearer x")]
    assert_refused(door.client.get("/model", headers=twice), 401, "unauthenticated")
    assert_refused(door.client.get(f"/model?token={key}&access_token={key}"), 401, "unauthenticated")


def test_a_token_comes_in_with_its_roles(door: Door) -> None:
    assert door.ask(token(), "/predict", "POST").json()["caller"].endswith("#tumour-board")
    assert_refused(door.ask(token(), "/metrics"), 403, "forbidden")
    assert_refused(door.ask(token(roles=[]), "/predict", "POST"), 403, "forbidden")


def test_without_anybody_who_may_come_in_the_service_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(NoWayIn, match="oncorespond keys add"):
        Gatekeeper.from_settings(SecuritySettings(keys_folder=tmp_path / "none"))
    door = Door(tmp_path)
    for role in ROLES:
        door.keys.revoke(f"a-{role}")
    with pytest.raises(NoWayIn):
        Gatekeeper.from_settings(SecuritySettings(keys_folder=tmp_path / "keys"))


def test_the_dev_token_opens_everything_and_leaves_no_file(tmp_path: Path) -> None:
    secret = new_dev_token()
    settings = SecuritySettings(keys_folder=tmp_path / "keys", dev_token=secret)
    client = TestClient(SecurityMiddleware(echo, Gatekeeper.from_settings(settings)))
    assert client.get("/metrics", headers={"authorization": f"Bearer {secret}"}).json()["caller"] == "dev"
    assert_refused(client.get("/metrics", headers={"authorization": f"Bearer {secret}x"}), 401, "unauthenticated")
    assert not (tmp_path / "keys").exists()


def test_a_dev_token_that_somebody_thought_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoWayIn, match="32 characters"):
        Gatekeeper.from_settings(SecuritySettings(keys_folder=tmp_path, dev_token="x" * 31))


def test_settings_come_from_the_environment() -> None:
    found = SecuritySettings.from_environment({"ORP_KEYS": "k", "ORP_CORS_ORIGINS": "https://a.example, "})
    assert SecuritySettings.from_environment({"ORP_RATE_PER_SECOND": "50"}).per_caller == Rate(50.0, 100)
    with pytest.raises(NoWayIn, match="whole number"):
        SecuritySettings.from_environment({"ORP_RATE_PER_SECOND": "many"})
    assert (found.keys_folder, found.dev_token, found.allowed_origins) == (Path("k"), "", ("https://a.example",))


def test_a_caller_that_asks_too_fast_waits_and_others_do_not(tmp_path: Path) -> None:
    door = Door(tmp_path, per_caller=Rate(per_second=0.001, burst=3))
    fast = [door.ask(door.of_role["predict"]).status_code for _ in range(4)]
    assert fast == [200, 200, 200, 429]
    refused = door.ask(door.of_role["predict"])
    assert_refused(refused, 429, "too_many_requests")
    assert int(refused.headers["retry-after"]) > 100
    assert door.ask(door.of_role["audit"]).status_code == 200
    assert door.ask(None, "/livez").status_code == 200


def test_wrong_credentials_from_one_address_run_out_and_right_ones_are_accepted_there(tmp_path: Path) -> None:
    door = Door(tmp_path, failed_logins=Rate(per_second=0.001, burst=2))
    wrong = [door.ask("orp_00000000_" + "A" * 43).status_code for _ in range(3)]
    assert wrong == [401, 401, 429]
    assert door.ask(door.of_role["predict"]).status_code == 200
    assert door.ask(None).status_code == 401


def test_a_body_may_not_be_longer_than_the_limit(tmp_path: Path) -> None:
    door = Door(tmp_path, most_bytes=1000)
    key = door.of_role["predict"]
    assert door.ask(key, "/predict", "POST", content=b"x" * 1000).json()["size"] == 1000
    assert_refused(door.ask(key, "/predict", "POST", content=b"x" * 1001), 413, "body_too_large")
    assert_refused(door.ask(key, "/predict", "POST", content=iter([b"x" * 600] * 2)), 413, "body_too_large")
    for length in ("9" * 40, "1001"):
        headers = {"content-length": length}
        assert_refused(door.ask(key, "/predict", "POST", headers=headers), 413, "body_too_large")


def test_every_answer_has_the_security_headers_and_a_route_may_set_its_own(door: Door) -> None:
    for response in (door.ask(door.of_role["predict"]), door.ask(None), door.ask(None, "/livez")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert "access-control-allow-origin" not in response.headers
    assert door.ask(None, "/livez").headers["x-frame-options"] == "SAMEORIGIN"
    assert door.ask(None).headers["x-frame-options"] == "DENY"


def test_pages_of_other_hosts_ask_only_when_they_are_listed(tmp_path: Path) -> None:
    door = Door(tmp_path, allowed_origins=("https://sandbox.example",))
    ask = {"access-control-request-method": "POST"}
    listed = door.client.options("/predict", headers={"origin": "https://sandbox.example", **ask})
    assert (listed.status_code, listed.headers["access-control-allow-origin"]) == (204, "https://sandbox.example")
    assert "access-control-allow-credentials" not in listed.headers
    other = door.client.options("/predict", headers={"origin": "https://sandbox.example.evil.example", **ask})
    assert_refused(other, 401, "unauthenticated")
    assert "access-control-allow-origin" not in other.headers
    answered = door.ask(door.of_role["predict"], headers={"origin": "https://sandbox.example"})
    assert answered.headers["cross-origin-resource-policy"] == "cross-origin"


def _failing(fault: Exception) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise fault

    return app


def test_faults_behind_the_door_have_the_error_shape_without_values(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door(tmp_path, _failing(ValueError("albumin 3.9 of patient p-1")))
    with caplog.at_level(logging.DEBUG):
        response = door.ask(door.of_role["predict"], "/bento/predict", "POST")
    assert_refused(response, 500, "internal_fault")
    assert "p-1" not in response.text + caplog.text
    refusing = Door(tmp_path / "2", _failing(NotReady("no model is being served")))
    assert_refused(refusing.ask(refusing.of_role["predict"]), 503, "not_ready")


def test_credentials_reach_no_log(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    secrets = [token(), token(exp=1), door.of_role["audit"], "orp_00000000_" + "S" * 43]
    with caplog.at_level(logging.DEBUG):
        for secret in secrets:
            door.ask(secret, "/predict", "POST")
    assert "unauthenticated" in json.dumps([vars(one) for one in caplog.records], default=str)
    for secret in secrets:
        assert secret[-20:] not in json.dumps([vars(one) for one in caplog.records], default=str)


def test_websockets_are_closed(door: Door) -> None:
    with pytest.raises(WebSocketDisconnect), door.client.websocket_connect("/predict"):
        pass
