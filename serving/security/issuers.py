"""The token issuers that are trusted: a JSON file that the operator writes; nothing is ever fetched.

::

    {"issuers": [{"issuer": "https://login.hospital.example", "audience": ["https://oncorespond.hospital.example"],
                  "algorithms": ["ES384"], "roles": ["predict", "outcome"], "default_roles": [], "once": false,
                  "jku": [], "keys": [{"kty": "EC", "kid": "2026-1", "crv": "P-384", "x": "...", "y": "..."}]}]}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from jwt.exceptions import PyJWTError

from features.errors import seen_text
from features.vocabulary import nearest
from serving.security.refusals import IssuersRefused
from serving.security.routes import Role, read_roles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ASYMMETRIC = ("ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
"""Algorithms whose verifying key cannot sign. ``none`` and every HMAC are never accepted (RFC 8725, 3.1 and 3.2)."""

FEWEST_RSA_BITS = 2048
"""RFC 7518, 3.3."""

_SECRET_PARTS = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
"""Members of a JWK that hold a private or symmetric key; a file of public keys has none."""

_FIELDS = ("issuer", "audience", "algorithms", "keys", "roles", "default_roles", "once", "jku", "cds_hooks")
_NEEDED = ("issuer", "audience", "algorithms", "keys", "roles")


@dataclass(frozen=True, eq=False)
class Issuer:
    """One trusted issuer.

    Attributes
    ----------
    audiences
        What ``aud`` must name: addresses of this service.
    keys
        Public keys by their ``kid``.
    roles
        What its tokens may do at most; a token's ``roles`` claim chooses among them.
    default_roles
        What a token without a ``roles`` claim may do.
    once
        Whether each token is accepted once only (client assertions, CDS Hooks); its ``jti`` is kept until it expires.
    jku
        Key addresses that a token's header may name. They are compared, never fetched.
    cds_hooks
        Whether it is a CDS client: its tokens name the very endpoint as audience, count once, and open nothing but
        ``/cds-services`` (:mod:`serving.cds_hooks.client_token`).
    """

    name: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    keys: Mapping[str, jwt.PyJWK]
    roles: frozenset[Role]
    default_roles: frozenset[Role]
    once: bool
    jku: tuple[str, ...]
    cds_hooks: bool = False


def read_issuers(path: Path) -> dict[str, Issuer]:
    """Read the file of issuers.

    Raises
    ------
    IssuersRefused
        When it is absent, not of the form above, names an algorithm that is not asymmetric, or holds a private,
        symmetric or short key.
    """
    if not path.is_file():
        raise IssuersRefused(f"there is no file {path.name}", field="ORP_ISSUERS", way_out="See docs/security.md.")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        entries = stored["issuers"]
    except (OSError, ValueError, KeyError, TypeError):
        raise IssuersRefused(f'{path.name} is no JSON object {{"issuers": [...]}} that can be read') from None
    issuers = [_issuer(entry, f"issuers[{place}]") for place, entry in enumerate(entries)]
    names = [one.name for one in issuers]
    if len(set(names)) < len(names):
        raise IssuersRefused("two entries are of one issuer", way_out="Put all its keys into one entry.")
    return {one.name: one for one in issuers}


def _issuer(entry: Any, place: str) -> Issuer:
    if not isinstance(entry, dict):
        raise IssuersRefused(f"an object is asked for, seen {type(entry).__name__}", field=place)
    for name in entry:
        if name not in _FIELDS:
            raise IssuersRefused(
                f"unknown key {seen_text(name)}", field=place, allowed=nearest(name, _FIELDS) or _FIELDS
            )
    hooks = entry.get("cds_hooks", False) is True
    missing = [name for name in _NEEDED if not entry.get(name) and not (hooks and name == "audience")]
    if missing:
        raise IssuersRefused(f"{missing[0]} is missing or empty", field=place)
    algorithms = _texts(entry, "algorithms", place)
    weak = [name for name in algorithms if name not in ASYMMETRIC]
    if weak:
        raise IssuersRefused(f"{weak[0]!r} is not accepted", field=f"{place}.algorithms", allowed=ASYMMETRIC)
    return Issuer(
        name=str(entry["issuer"]),
        audiences=_texts(entry, "audience", place),
        algorithms=algorithms,
        keys=_keys(entry["keys"], f"{place}.keys"),
        roles=read_roles(_texts(entry, "roles", place)),
        default_roles=read_roles(_texts(entry, "default_roles", place)),
        once=hooks or entry.get("once", False) is True,
        jku=_texts(entry, "jku", place),
        cds_hooks=hooks,
    )


def _texts(entry: Mapping[str, Any], name: str, place: str) -> tuple[str, ...]:
    found = entry.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise IssuersRefused("a list of texts is asked for", field=f"{place}.{name}")
    return tuple(found)


def _keys(entries: Any, place: str) -> dict[str, jwt.PyJWK]:
    if not isinstance(entries, list):
        raise IssuersRefused("a list of JSON Web Keys is asked for", field=place)
    return dict(_key(entry, f"{place}[{number}]") for number, entry in enumerate(entries))


def _key(entry: Any, place: str) -> tuple[str, jwt.PyJWK]:
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        raise IssuersRefused("a JSON Web Key with a `kid` is asked for", field=place)
    if entry.get("kty") == "oct" or _SECRET_PARTS & set(entry):
        raise IssuersRefused("this key is not public", field=place, way_out="List verifying keys only.")
    try:
        key = jwt.PyJWK(entry)
    except (PyJWTError, ValueError, TypeError):
        raise IssuersRefused("this JSON Web Key cannot be read", field=place) from None
    bits = getattr(key.key, "key_size", FEWEST_RSA_BITS)
    if entry["kty"] == "RSA" and bits < FEWEST_RSA_BITS:
        raise IssuersRefused(f"an RSA key of {bits} bits; {FEWEST_RSA_BITS} are the fewest", field=place)
    return entry["kid"], key
