"""The token of a CDS client: listed issuer and key, this very address, once; nothing is fetched."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.testclient import TestClient

from serving.cds_hooks.client_token import HookClients
from serving.security.api_keys import ApiKeys
from serving.security.gatekeeper import Gatekeeper, SecuritySettings
from serving.security.issuers import read_issuers
from serving.security.limits import Rate
from serving.security.middleware import SecurityMiddleware
from serving.security.refusals import Unauthenticated
from serving.security.tokens import OnceInMemory
from tests.guarded import KID, confused_token, echo, private_key, public_jwk, unsigned_token

EHR, BASE = "https://ehr.hospital.example", "https://oncorespond.hospital.example"
SERVICE = "/cds-services/response-estimate-orders"
JKU = f"{EHR}/jwks.json"


def issuers(folder: Path, **changes: Any) -> Path:
    entry = {
        "issuer": EHR,
        "cds_hooks": True,
        "algorithms": ["ES384"],
        "keys": [public_jwk()],
        "roles": ["predict", "outcome"],
        "jku": [JKU],
        **changes,
    }
    path = folder / "issuers.json"
    path.write_text(json.dumps({"issuers": [entry]}), encoding="utf-8")
    return path


def client_token(path: str = SERVICE, header: dict[str, Any] | None = None, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": EHR,
        "aud": f"{BASE}{path}",
        "iat": now,
        "exp": now + 300,
        "jti": str(uuid.uuid4()),
        "tenant": "ward",
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    headers = {"kid": KID, "typ": "JWT", **(header or {})}
    return jwt.encode(kept, private_key(KID), algorithm="ES384", headers=headers)


@pytest.fixture
def clients(tmp_path: Path) -> HookClients:
    return HookClients(read_issuers(issuers(tmp_path)), OnceInMemory(), BASE)


@pytest.mark.parametrize("path", ["/cds-services", SERVICE, f"{SERVICE}/feedback"])
def test_a_token_opens_the_address_it_is_for(clients: HookClients, path: str) -> None:
    caller = clients(client_token(path), path)
    assert caller is not None
    assert (caller.name, sorted(caller.roles)) == (f"token:{EHR}#ward", ["outcome", "predict"])


def test_a_token_opens_no_other_address(clients: HookClients) -> None:
    for path in ("/cds-services", f"{SERVICE}/feedback", f"{SERVICE}x"):
        with pytest.raises(Unauthenticated, match="another address"):
            clients(client_token(SERVICE), path)


def test_a_token_counts_once(clients: HookClients) -> None:
    token = client_token()
    assert clients(token, SERVICE) is not None
    with pytest.raises(Unauthenticated, match="used before"):
        clients(token, SERVICE)


def test_what_was_refused_has_not_used_its_token_up(clients: HookClients) -> None:
    token = client_token()
    with pytest.raises(Unauthenticated):
        clients(token, "/cds-services")
    assert clients(token, SERVICE) is not None


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"jti": None}, "claim_missing"),
        ({"jti": ""}, "no_jti"),
        ({"jti": "x" * 300}, "no_jti"),
        ({"aud": None}, "claim_missing"),
        ({"aud": BASE}, "audience"),
        ({"exp": 1_700_000_000, "iat": 1_699_999_000}, "expired"),
        ({"exp": 4_000_000_000}, "too_long_a_life"),
        ({"iat": None}, "claim_missing"),
        ({"tenant": "ward\0"}, "tenant_unreadable"),
    ],
)
def test_claims_that_are_not_accepted(clients: HookClients, changes: dict[str, Any], cause: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        clients(client_token(**changes), SERVICE)
    assert refusal.value.cause == cause


@pytest.mark.parametrize(
    ("header", "cause"),
    [
        ({"jku": "https://attacker.example/jwks.json"}, "foreign_key"),
        ({"jku": JKU + "?"}, "foreign_key"),
        ({"x5u": "https://attacker.example"}, "foreign_key"),
        ({"jwk": {"kty": "EC"}}, "foreign_key"),
        ({"kid": "unknown"}, "unknown_key_id"),
    ],
)
def test_headers_that_bring_another_key(clients: HookClients, header: dict[str, Any], cause: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        clients(client_token(header=header), SERVICE)
    assert refusal.value.cause == cause


def test_a_listed_jku_is_accepted_and_not_fetched(clients: HookClients, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr("socket.socket.connect", no_network)
    assert clients(client_token(header={"jku": JKU}), SERVICE) is not None


def test_a_key_of_somebody_else(clients: HookClients) -> None:
    claims = jwt.decode(client_token(), options={"verify_signature": False})
    forged = jwt.encode(claims, ec.generate_private_key(ec.SECP384R1()), algorithm="ES384", headers={"kid": KID})
    with pytest.raises(Unauthenticated) as refusal:
        clients(forged, SERVICE)
    assert refusal.value.cause == "signature"


@pytest.mark.parametrize("token", [unsigned_token(), confused_token(), "a.b.c", "", "x" * 9000])
def test_tokens_of_others_are_left_to_others(clients: HookClients, token: str) -> None:
    assert clients(token, SERVICE) is None


def test_at_the_door(tmp_path: Path) -> None:
    """Below /cds-services the token is looked at; elsewhere it opens nothing, whatever its audience."""
    ApiKeys(tmp_path / "keys").add("somebody", ["admin"])
    settings = SecuritySettings(
        keys_folder=tmp_path / "keys", issuers_file=issuers(tmp_path), failed_logins=Rate(1e-6, 1000)
    )
    gatekeeper = Gatekeeper.from_settings(
        settings, OnceInMemory(), hooks=lambda found, once: HookClients(found, once, BASE)
    )
    client = TestClient(SecurityMiddleware(echo, gatekeeper))

    def status(path: str, token: str) -> int:
        return client.post(path, headers={"authorization": f"Bearer {token}"}).status_code

    token = client_token()
    assert status(SERVICE, token) == 200
    assert status(SERVICE, token) == 401
    assert status("/predict", client_token("/predict")) == 401
    assert status("/fhir/$predict-response", client_token("/fhir/$predict-response")) == 401
    assert status(f"{SERVICE}/feedback", client_token(f"{SERVICE}/feedback")) == 200
