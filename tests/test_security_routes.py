"""Who reaches what, over the whole application: every route with each kind of wrong token, and with each role alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.metrics import ServiceMetrics
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from serving.security.api_keys import ApiKeys
from serving.security.limits import Rate
from tests.guarded import (
    HOOKS,
    assert_refused,
    confused_token,
    issuers_file,
    token,
    token_of_another_algorithm,
    unsigned_token,
)
from tests.served_app import guarded_app

ID = "019ab0c4-6c00-7d3e-a1b2-0123456789ab"
ROLES = ("predict", "outcome", "audit", "admin")
EVERY = " ".join(ROLES)
ROUTES: dict[tuple[str, str], str] = {
    ("GET", "/"): EVERY,
    ("GET", "/docs"): EVERY,
    ("GET", "/openapi.json"): EVERY,
    ("GET", "/schema.json"): EVERY,
    ("GET", "/version"): EVERY,
    ("GET", "/model"): EVERY,
    ("GET", "/model/card"): EVERY,
    ("GET", "/vocabulary/panels"): EVERY,
    ("GET", "/schema/case"): EVERY,
    ("POST", "/audit/logout"): EVERY,
    ("POST", "/predict"): "predict",
    ("POST", "/predict/batch"): "predict",
    ("POST", "/rank"): "predict",
    ("POST", "/bento/predict"): "predict",
    ("POST", "/fhir/$predict-response"): "predict",
    ("GET", "/fhir/metadata"): EVERY,
    ("GET", "/fhir/AuditEvent"): "audit",
    ("GET", "/cds-services"): "predict",
    ("POST", "/cds-services/x"): "predict",
    ("POST", "/cds-services/x/feedback"): "predict outcome",
    ("GET", f"/predictions/{ID}"): "predict audit",
    ("POST", f"/predictions/{ID}/outcome"): "outcome",
    ("POST", f"/predictions/{ID}/decision"): "predict outcome",
    ("GET", "/audit"): "audit",
    ("GET", "/audit/predictions"): "audit",
    ("GET", f"/audit/predictions/{ID}"): "audit",
    ("POST", f"/audit/predictions/{ID}/review"): "audit",
    ("GET", "/audit/explanations"): "audit",
    ("GET", "/audit/integrity"): "audit",
    ("GET", "/metrics"): "audit admin",
    ("GET", "/admin/x"): "admin",
    ("GET", "/nowhere"): "admin",
    ("GET", "/static_content/index.html"): "admin",
    ("POST", "/livez"): "admin",
    ("PUT", "/predict"): "admin",
    ("DELETE", f"/predictions/{ID}"): "admin",
    ("OPTIONS", "/predict"): "admin",
    ("GET", "/predict/"): "admin",
    ("GET", "/x//model"): "admin",
}
"""Written by hand from the issue, not read from the table that it tests."""

WRONG: dict[str, Callable[[], str | None]] = {
    "none": lambda: None,
    "a word": lambda: "secret",
    "an unknown key": lambda: "orp_00000000_" + "A" * 43,
    "expired": lambda: token(iat=int(time.time()) - 900, exp=int(time.time()) - 300),
    "unsigned": unsigned_token,
    "HMAC of the public key": confused_token,
    "another algorithm": token_of_another_algorithm,
    "another issuer": lambda: token(iss="https://elsewhere.example"),
    "another audience": lambda: token(aud="https://elsewhere.example"),
    "another's signature": lambda: token(signed_by="another"),
    "too long a life": lambda: token(exp=int(time.time()) + 7200),
    "its own key": lambda: token(header={"jwk": {"kty": "EC"}}),
    "changed": lambda: token()[:-6] + "AAAAAA",
    "two parts": lambda: token().rpartition(".")[0],
}


class Whole:
    """The whole application behind its door, with issuers and one key for each role."""

    def __init__(self, served_models: Path, folder: Path) -> None:
        predictor = Predictor.from_folder(served_models, synthetic=True)
        keys = ApiKeys(folder / "door-keys")
        self.of_role = {role: keys.add(f"a-{role}", [role]) for role in ROLES}
        app = guarded_app(
            predictor,
            ServiceMetrics(),
            folder,
            acknowledged_by="the tests",
            dev_token="",
            issuers_file=issuers_file(folder),
            failed_logins=Rate(1e-6, 100_000),
        )
        self.client = TestClient(app)

    def ask(self, method: str, path: str, credentials: str | None, **more: Any) -> Any:
        headers = {"authorization": f"Bearer {credentials}"} if credentials else {}
        return self.client.request(method, path, headers=headers, follow_redirects=False, **more)


@pytest.fixture(scope="module")
def whole(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(served_models, tmp_path_factory.mktemp("door"))


CODES = {401: "unauthenticated", 403: "forbidden"}


def _told(response: Any, path: str) -> bool:
    """Tell whether a refusal is told in the one shape; below clinical addresses that is an OperationOutcome."""
    assert response.headers["x-request-id"]
    if path.startswith(("/fhir", "/cds-services")):
        return bool(response.json()["resourceType"] == "OperationOutcome")
    return bool(response.json()["error"]["code"] == CODES[response.status_code])


@pytest.mark.parametrize("kind", WRONG)
def test_with_wrong_credentials_nothing_answers_but_the_probes(whole: Whole, kind: str) -> None:
    for method, path in ROUTES:
        response = whole.ask(method, path, WRONG[kind](), json=EXAMPLE_CASE if method == "POST" else None)
        assert response.status_code == 401, (method, path, response.text)
        assert _told(response, path)
    for probe in ("/livez", "/readyz"):
        assert whole.ask("GET", probe, WRONG[kind]()).status_code == 200


def test_a_token_that_counts_once_opens_once(whole: Whole) -> None:
    once = token(iss=HOOKS, jti="j-1", roles=None)
    assert whole.ask("GET", "/model", once).status_code == 200
    for method, path in ROUTES:
        assert whole.ask(method, path, once).status_code == 401, (method, path)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_reaches_only_its_routes(whole: Whole, role: str) -> None:
    for (method, path), roles in ROUTES.items():
        response = whole.ask(method, path, whole.of_role[role], json={} if method == "POST" else None)
        if role in roles.split():
            assert response.status_code not in (401, 403, 500), (method, path, response.text)
        else:
            assert response.status_code == 403, (method, path, response.text)
            assert _told(response, path)


def test_every_route_of_the_document_is_in_the_table(whole: Whole) -> None:
    document = whole.ask("GET", "/openapi.json", whole.of_role["admin"]).json()
    known = {(method, path.replace(ID, "{}").replace("panels", "{}")) for method, path in ROUTES}
    known |= {("GET", "/schema/{}")}
    for path, methods in document["paths"].items():
        plain = "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
        for method in methods:
            asked = (method.upper(), plain)
            assert asked in known or plain in ("/livez", "/readyz") or plain.startswith(("/fhir/", "/cds-services/"))


def test_a_revoked_key_opens_nothing_more(served_models: Path, tmp_path: Path) -> None:
    whole = Whole(served_models, tmp_path)
    assert whole.ask("GET", "/model", whole.of_role["admin"]).status_code == 200
    ApiKeys(tmp_path / "door-keys").revoke("a-admin")
    assert_refused(whole.ask("GET", "/model", whole.of_role["admin"]), 401, "unauthenticated")
