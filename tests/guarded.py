"""What the tests of the door share: an invented issuer with its keys, tokens right and wrong, a guarded application."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.testclient import TestClient

from serving.fhir.error_shape import is_clinical
from serving.security.api_keys import ApiKeys
from serving.security.gatekeeper import Gatekeeper, SecuritySettings
from serving.security.limits import Rate
from serving.security.middleware import SecurityMiddleware
from serving.security.tokens import OnceInMemory

ISSUER, AUDIENCE, KID = "https://login.hospital.example", "https://oncorespond.hospital.example", "2026-1"
HOOKS = "https://ehr.hospital.example"


@lru_cache(maxsize=4)
def private_key(kid: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def public_jwk(kid: str = KID) -> dict[str, Any]:
    written: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(private_key(kid).public_key(), as_dict=True)
    return {**written, "kid": kid}


def issuers_file(folder: Path) -> Path:
    common = {"audience": [AUDIENCE], "algorithms": ["ES384"], "keys": [public_jwk()], "roles": ["predict", "outcome"]}
    entries = [
        {"issuer": ISSUER, **common, "jku": ["https://login.hospital.example/jwks.json"]},
        {"issuer": HOOKS, **common, "default_roles": ["predict"], "once": True},
    ]
    path = folder / "issuers.json"
    path.write_text(json.dumps({"issuers": entries}), encoding="utf-8")
    return path


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    found = {
        "iss": ISSUER,
        "sub": "tumour-board",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 300,
        "roles": ["predict"],
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def token(header: dict[str, Any] | None = None, signed_by: str = KID, **changes: Any) -> str:
    headers = {"kid": KID, **(header or {})}
    return jwt.encode(claims(**changes), private_key(signed_by), algorithm="ES384", headers=headers)


def _part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def token_of_another_algorithm() -> str:
    return jwt.encode(claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": KID})


def unsigned_token() -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT', 'kid': KID})}.{_part(claims())}."


def confused_token() -> str:
    """A token whose HMAC secret is the issuer's public key, as everybody can make one."""
    secret = private_key(KID).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': KID})}.{_part(claims())}"
    mark = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer everything with 200, the caller's name and the size of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    caller = scope["state"].get("caller")
    body = json.dumps({"caller": caller.name if caller else None, "size": size}).encode()
    headers = [(b"content-type", b"application/json"), (b"x-frame-options", b"SAMEORIGIN")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Door:
    """A guarded echo, its gatekeeper and one key for each role."""

    def __init__(self, folder: Path, app: Any = echo, **settings: Any) -> None:
        self.keys = ApiKeys(folder / "keys")
        self.of_role = {role: self.keys.add(f"a-{role}", [role]) for role in ("predict", "outcome", "audit", "admin")}
        chosen = {"failed_logins": Rate(1e-6, 1000), **settings}
        self.gatekeeper = Gatekeeper.from_settings(
            SecuritySettings(keys_folder=folder / "keys", issuers_file=issuers_file(folder), **chosen), OnceInMemory()
        )
        self.client = TestClient(SecurityMiddleware(app, self.gatekeeper), base_url="https://testserver")

    def ask(self, credentials: str | None, path: str = "/model", method: str = "GET", **more: Any) -> Any:
        headers = {**({"authorization": f"Bearer {credentials}"} if credentials else {}), **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)


def assert_refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """Every refusal, on every path, has this one shape, names its request, and shows nothing of our inside."""
    assert response.status_code == status, response.text
    return assert_error_shape(response, code)


def assert_error_shape(response: Any, code: str | None = None) -> dict[str, Any]:
    """Hold an answer to the one error shape; clinical addresses of the whole service tell it in an OperationOutcome."""
    assert "Traceback" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    if response.headers["content-type"].startswith("application/fhir+json"):
        assert is_clinical(response.request.url.path)
        return _assert_outcome(response, code)
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert set(error) <= {"code", "message", "field", "problems", "request_id"}
    assert code in (None, error["code"]), response.text
    assert error["message"]
    assert error["request_id"] == response.headers["x-request-id"]
    return error


def _assert_outcome(response: Any, code: str | None) -> dict[str, Any]:
    outcome: dict[str, Any] = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    first = outcome["issue"][0]
    assert first["severity"] in {"error", "fatal"}
    assert first["details"]["text"].endswith("]" if code is None else f"[{code}]"), response.text
    assert response.headers["x-request-id"] in first["diagnostics"]
    return outcome
