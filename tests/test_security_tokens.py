"""Tokens: what is accepted, and every forgery that is known."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import jwt
import pytest

from serving.security.gatekeeper import Gatekeeper, SecuritySettings
from serving.security.issuers import Issuer, read_issuers
from serving.security.refusals import IssuersRefused, Unauthenticated
from serving.security.routes import Caller
from serving.security.tokens import LONGEST_TOKEN, OnceInMemory, OnceStore, Tokens
from tests.guarded import (
    AUDIENCE,
    HOOKS,
    ISSUER,
    KID,
    Door,
    assert_refused,
    claims,
    confused_token,
    issuers_file,
    private_key,
    public_jwk,
    token,
    token_of_another_algorithm,
    unsigned_token,
)


def now() -> int:
    """Return the time of the test, not of its import: a whole run of the tests takes longer than a token lives."""
    return int(time.time())


FORGED: dict[str, tuple[Callable[[], str], str]] = {
    "none algorithm": (unsigned_token, "algorithm"),
    "HMAC with the public key": (confused_token, "algorithm"),
    "another asymmetric algorithm": (token_of_another_algorithm, "algorithm"),
    "signed by another key": (lambda: token(signed_by="stolen"), "signature"),
    "unknown key id": (lambda: token({"kid": "2025-9"}), "unknown_key_id"),
    "key id that is a path": (lambda: token({"kid": "../../etc/passwd"}), "unknown_key_id"),
    "brings its own key": (lambda: token({"jwk": public_jwk("stolen")}, "stolen"), "foreign_key"),
    "brings a certificate": (lambda: token({"x5c": ["MII"]}), "foreign_key"),
    "key address that is not listed": (lambda: token({"jku": "https://evil.example/jwks.json"}), "foreign_key"),
    "demands an extension": (lambda: token({"crit": ["b64"], "b64": True}), "unreadable_token"),
    "expired": (lambda: token(iat=now() - 900, exp=now() - 60), "expired"),
    "lives for an hour": (lambda: token(exp=now() + 3600), "too_long_a_life"),
    "lives for an hour, dated ahead": (lambda: token(iat=now() + 3000, exp=now() + 3600), "signature"),
    "expires before it was issued": (lambda: token(iat=time.time() + 20, exp=time.time() + 10), "too_long_a_life"),
    "not yet valid": (lambda: token(nbf=now() + 600), "signature"),
    "wrong audience": (lambda: token(aud="https://other.example"), "audience"),
    "audience that only begins like ours": (lambda: token(aud=AUDIENCE + ".evil.example"), "audience"),
    "no audience": (lambda: token(aud=None), "claim_missing"),
    "unknown issuer": (lambda: token(iss="https://evil.example"), "unknown_issuer"),
    "no issuer": (lambda: token(iss=None), "unknown_issuer"),
    "no expiry": (lambda: token(exp=None), "claim_missing"),
    "no time of issue": (lambda: token(iat=None), "claim_missing"),
    "no subject": (lambda: token(sub=None), "claim_missing"),
    "roles as text": (lambda: token(roles="predict"), "roles_unreadable"),
    "cut short": (lambda: token()[:-8], "signature"),
    "claims changed": (
        lambda: ".".join([token().split(".")[0], token(sub="x").split(".")[1], token().split(".")[2]]),
        "signature",
    ),
    "not a token": (lambda: "a.b.c", "unreadable_token"),
    "very long": (lambda: token(sub="x" * LONGEST_TOKEN), "too_long"),
    "used once without a jti": (lambda: token(iss=HOOKS), "no_jti"),
}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens(read_issuers(issuers_file(tmp_path_factory.mktemp("issuers"))), OnceInMemory())


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Door:
    return Door(tmp_path_factory.mktemp("door"))


@pytest.mark.parametrize("name", FORGED)
def test_forged_tokens_are_not_accepted(tokens: Tokens, name: str) -> None:
    make, cause = FORGED[name]
    with pytest.raises(Unauthenticated) as refused:
        tokens.caller(make())
    assert refused.value.cause == cause


@pytest.mark.parametrize("name", FORGED)
def test_forged_tokens_open_nothing_but_the_probes(door: Door, name: str) -> None:
    make = FORGED[name][0]()
    error = assert_refused(door.ask(make), 401, "unauthenticated")
    assert make not in str(error)
    assert door.ask(make).headers["www-authenticate"].startswith("Bearer")
    assert door.ask(make, "/livez").status_code == 200


def test_a_right_token_has_the_roles_that_it_claims_and_its_issuer_may_give(tokens: Tokens) -> None:
    caller = tokens.caller(token(roles=["predict", "admin", "nonsense"]))
    assert (caller.name, caller.roles) == (f"token:{ISSUER}#tumour-board", {"predict"})
    assert tokens.caller(token(roles=None)).roles == frozenset()
    assert tokens.caller(token(iss=HOOKS, roles=None, jti="1")).roles == {"predict"}


def test_two_long_subjects_are_two_callers(tokens: Tokens) -> None:
    names = {tokens.caller(token(sub="urn:hospital:" + "x" * 100 + end)).name for end in ("a", "b")}
    assert len(names) == 2
    assert max(map(len, names)) <= len(f"token:{ISSUER}#") + 80


def test_a_listed_key_address_is_accepted_and_never_fetched(tokens: Tokens) -> None:
    assert tokens.caller(token({"jku": "https://login.hospital.example/jwks.json"})).by == "token"


def test_a_token_that_counts_once_is_refused_the_second_time(tokens: Tokens) -> None:
    once = token(iss=HOOKS, roles=None, jti="7f3a")
    assert tokens.caller(once).by == "token"
    with pytest.raises(Unauthenticated, match="used before"):
        tokens.caller(once)
    with pytest.raises(Unauthenticated, match="used before"):
        tokens.caller(token(iss=HOOKS, roles=None, jti="7f3a"))


def test_used_tokens_are_forgotten_when_they_have_expired() -> None:
    now = [0.0]
    once = OnceInMemory(lambda: now[0])
    assert once.claim("a", "1", 10.0)
    assert not once.claim("a", "1", 10.0)
    assert once.claim("b", "1", 10.0)
    now[0] = 11.0
    assert once.claim("a", "1", 20.0)


def test_the_verdict_is_kept_until_the_token_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.time()]
    kept = Tokens(read_issuers(issuers_file(tmp_path)), OnceInMemory(), lambda: now[0])
    written = token()
    first = kept.verify(written)
    monkeypatch.setattr(jwt, "decode", lambda *_a, **_k: pytest.fail("verified twice"))
    assert kept.verify(written) == first
    monkeypatch.undo()
    now[0] += 301
    assert kept.verify(written) == first  # asked again; PyJWT's own clock has not moved
    with pytest.raises(Unauthenticated):
        kept.verify(written[:-8] + "AAAAAAAA")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"algorithms": ["HS256"]}, "'HS256' is not accepted"),
        ({"algorithms": ["none"]}, "'none' is not accepted"),
        ({"algorithms": []}, "algorithms is missing"),
        ({"audience": []}, "audience is missing"),
        ({"audience": "x"}, "a list of texts"),
        ({"keys": []}, "keys is missing"),
        ({"keys": [{"kty": "oct", "kid": "1", "k": "c2VjcmV0"}]}, "is not public"),
        ({"keys": [{**public_jwk(), "d": "AAAA"}]}, "is not public"),
        ({"keys": [{"kty": "EC", "kid": "1"}]}, "cannot be read"),
        ({"keys": [{"kty": "EC"}]}, "with a `kid`"),
        ({"roles": ["doctor"]}, "is no role"),
        ({"audiences": ["x"]}, "unknown key 'audiences'"),
    ],
)
def test_issuers_that_would_be_unsafe_are_refused_at_the_start(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    entry = {
        "issuer": ISSUER,
        "audience": [AUDIENCE],
        "algorithms": ["ES384"],
        "keys": [public_jwk()],
        "roles": ["predict"],
    }
    path = tmp_path / "issuers.json"
    path.write_text(json.dumps({"issuers": [{**entry, **change}]}), encoding="utf-8")
    with pytest.raises(Exception, match=says) as refused:
        read_issuers(path)
    assert refused.value.__class__.__module__ == "serving.security.refusals"


def test_short_rsa_keys_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505  # weak on purpose
    short = jwt.algorithms.RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True)
    path = tmp_path / "issuers.json"
    entry = {"issuer": ISSUER, "audience": [AUDIENCE], "algorithms": ["RS256"], "roles": ["predict"]}
    path.write_text(json.dumps({"issuers": [{**entry, "keys": [{**short, "kid": "1"}]}]}), encoding="utf-8")
    with pytest.raises(IssuersRefused, match="1024 bits"):
        read_issuers(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(IssuersRefused, match="can be read"):
        read_issuers(path)
    with pytest.raises(IssuersRefused, match="there is no file"):
        read_issuers(tmp_path / "absent.json")


def test_tokens_are_what_pyjwt_reads(tokens: Tokens) -> None:
    read = jwt.decode(token(), private_key(KID).public_key(), algorithms=["ES384"], audience=AUDIENCE)
    assert read == claims(iat=read["iat"], exp=read["exp"])
    assert jwt.get_unverified_header(token())["kid"] == KID
    assert tokens.caller(token()).roles == {"predict"}


def test_tokens_of_cds_clients_open_their_endpoint_and_nothing_else(tmp_path: Path) -> None:
    path = issuers_file(tmp_path)
    stored = json.loads(path.read_text())
    entry = {**stored["issuers"][0], "issuer": "https://ehr.example", "cds_hooks": True}
    del entry["audience"]
    path.write_text(json.dumps({"issuers": [*stored["issuers"], entry]}))
    asked: list[tuple[list[str], str]] = []

    def hooks(issuers: Mapping[str, Issuer], _once: OnceStore) -> Callable[[str, str], Caller | None]:
        def client(_token: str, at: str) -> Caller | None:
            asked.append((list(issuers), at))
            return Caller("token:https://ehr.example", frozenset({"predict"}), "token")

        return client

    settings = SecuritySettings(keys_folder=tmp_path / "keys", issuers_file=path)
    sent = {"authorization": f"Bearer {token(iss='https://ehr.example', aud=None, jti='1')}"}
    gatekeeper = Gatekeeper.from_settings(settings, OnceInMemory(), hooks)
    assert gatekeeper.admit("POST", "/cds-services/x", sent, "here")[0].name == "token:https://ehr.example"
    assert asked == [(["https://ehr.example"], "/cds-services/x")]
    without = Gatekeeper.from_settings(settings, OnceInMemory())
    for keeper, at in ((gatekeeper, "/predict"), (gatekeeper, "/fhir/metadata"), (without, "/cds-services/x")):
        with pytest.raises(Unauthenticated):
            keeper.admit("POST", at, sent, "here")
    with pytest.raises(Unauthenticated):
        gatekeeper.exchange(sent["authorization"].removeprefix("Bearer "), "here")
    assert len(asked) == 1
