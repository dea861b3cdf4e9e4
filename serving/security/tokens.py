"""Bearer tokens (JWT): verified with a listed key of a listed issuer, for this audience, for 15 minutes at most.

A verdict is kept by the token's hash until the token expires, so that a client pays for one verification (2 ms with
ES384) and not for every request. A token that counts once is never kept.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

import jwt
from jwt.exceptions import ExpiredSignatureError, InvalidAudienceError, MissingRequiredClaimError, PyJWTError

from serving.security.refusals import Unauthenticated
from serving.security.routes import ROLES, Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serving.security.issuers import Issuer

LONGEST_LIFE_SECONDS = 15 * 60
"""From ``iat`` to ``exp``: a stolen token is of use for a quarter of an hour."""

LEEWAY_SECONDS = 30
"""By how much the issuer's clock may differ from ours."""

LONGEST_TOKEN = 8192
"""Characters; a longer one is not even read."""

MOST_KEPT = 10_000
"""Verdicts kept; the oldest is dropped first."""

LONGEST_JTI = 256
"""Characters of what makes a token the one that it is."""

LONGEST_NAME = 80
"""Characters of a subject or tenant as a caller is named by it."""

_REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
_KEYS_IN_HEADER = ("jwk", "x5c", "x5u", "crit")
"""Header members that bring their own key or demand an extension; a token with one is refused."""


class OnceStore(Protocol):
    """Remembers which tokens were used; the audit database is one, so that it holds across workers and restarts."""

    def claim(self, issuer: str, jti: str, expires_at: float) -> bool:
        """Return True the first time, and False ever after until ``expires_at`` (seconds since 1970) has passed."""
        ...


class OnceInMemory:
    """A :class:`OnceStore` of one process, for tests and ``--dev``."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._used: dict[tuple[str, str], float] = {}

    def claim(self, issuer: str, jti: str, expires_at: float) -> bool:
        """Return True the first time; see :class:`OnceStore`."""
        now = self._clock()
        self._used = {key: until for key, until in self._used.items() if until > now}
        if (issuer, jti) in self._used:
            return False
        self._used[issuer, jti] = expires_at
        return True


class Tokens:
    """Verifies tokens of the listed issuers.

    Parameters
    ----------
    issuers
        By name, from :func:`serving.security.issuers.read_issuers`.
    once
        Where used tokens are remembered.
    clock
        Seconds since 1970, for what is kept; PyJWT reads its own clock for ``exp``.
    """

    def __init__(self, issuers: Mapping[str, Issuer], once: OnceStore, clock: Callable[[], float] = time.time) -> None:
        self._issuers = issuers
        self._once = once
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    def caller(self, token: str) -> Caller:
        """Return whose token this is; see :meth:`verify`."""
        return self.verify(token)[0]

    def verify(self, token: str) -> tuple[Caller, float]:
        """Return whose token this is, and until when (seconds since 1970).

        Raises
        ------
        Unauthenticated
            When it is not accepted. Only of a token whose signature is right does the text say why.
        """
        if len(token) > LONGEST_TOKEN:
            raise Unauthenticated(cause="too_long")
        digest = hashlib.sha256(token.encode()).digest()
        kept = self._kept.get(digest)
        if kept and kept[1] > self._clock():
            return kept
        issuer = self._issuers.get(issuer_named(token))
        if issuer is None:
            raise Unauthenticated(cause="unknown_issuer")
        claims = verified_claims(token, issuer, list(issuer.audiences), _REQUIRED)
        found = self._caller(claims, issuer), float(claims["exp"])
        if issuer.once:
            use_up(claims, issuer, self._once)
        else:
            self._keep(digest, found)
        return found

    def _caller(self, claims: Mapping[str, Any], issuer: Issuer) -> Caller:
        asked = claims.get("roles")
        if asked is None:
            roles = issuer.default_roles
        elif isinstance(asked, list):
            roles = frozenset(role for role in ROLES if role in asked) & issuer.roles
        else:
            raise Unauthenticated("the claim `roles` of this token is no list", cause="roles_unreadable")
        return Caller(f"token:{issuer.name}#{told_name('sub', str(claims['sub']))}", roles, "token")

    def _keep(self, digest: bytes, found: tuple[Caller, float]) -> None:
        self._kept[digest] = found
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def told_name(claim: str, text: str) -> str:
    """Return what a caller is named by: a long text by its beginning and its hash, so that no two are one caller.

    Raises
    ------
    Unauthenticated
        When it is no plain text; it stands in logs and in the database.

    Examples
    --------
    >>> told_name("sub", "ward-7"), told_name("sub", "x" * 81) == told_name("sub", "x" * 82)
    ('ward-7', False)
    """
    if not text.isprintable():
        raise Unauthenticated(f"the claim `{claim}` of this token is no plain text", cause=f"{claim}_unreadable")
    if len(text) <= LONGEST_NAME:
        return text
    return f"{text[:56]}~{hashlib.sha256(text.encode()).hexdigest()[:23]}"


def issuer_named(token: str) -> str:
    """Return the issuer that a token names, which nobody has vouched for yet; empty when it names none.

    Raises
    ------
    Unauthenticated
        When it is no token that can be read.
    """
    try:
        named = jwt.decode_complete(token, options={"verify_signature": False})["payload"].get("iss")
    except (PyJWTError, ValueError, RecursionError, AttributeError):
        raise Unauthenticated(cause="unreadable_token") from None
    return named if isinstance(named, str) else ""


def verified_claims(token: str, issuer: Issuer, audience: list[str], required: list[str]) -> dict[str, Any]:
    """Return the claims of a token that a listed key of its issuer signed, for this audience, for 15 minutes at most.

    Parameters
    ----------
    audience
        Of which the token must name one, exactly.
    required
        Claims that it must have.

    Raises
    ------
    Unauthenticated
        Whatever of this does not hold. Only of a token whose signature is right does the text say what.
    """
    key = _key_of(jwt.get_unverified_header(token), issuer)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(issuer.algorithms),
            audience=audience,
            issuer=issuer.name,
            leeway=LEEWAY_SECONDS,
            options={"require": required},
        )
    except ExpiredSignatureError:
        raise Unauthenticated("this token has expired", cause="expired") from None
    except InvalidAudienceError:
        raise Unauthenticated("this token is for another address or audience", cause="audience") from None
    except MissingRequiredClaimError as error:
        raise Unauthenticated(f"this token has no claim `{error.claim}`", cause="claim_missing") from None
    except (PyJWTError, ValueError, TypeError):
        raise Unauthenticated(cause="signature") from None
    if not 0 < float(claims["exp"]) - float(claims["iat"]) <= LONGEST_LIFE_SECONDS:
        raise Unauthenticated("this token lives longer than 15 minutes", cause="too_long_a_life")
    return claims


def use_up(claims: Mapping[str, Any], issuer: Issuer, once: OnceStore) -> None:
    """Note that a token was used, so that it opens nothing again.

    Raises
    ------
    Unauthenticated
        When it was used before, or has nothing that tells it from others.
    """
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        raise Unauthenticated("this token needs a `jti`", cause="no_jti")
    if not once.claim(issuer.name, jti, float(claims["exp"]) + LEEWAY_SECONDS):
        raise Unauthenticated("this token was used before", cause="replayed")


def _key_of(header: Mapping[str, Any], issuer: Issuer) -> jwt.PyJWK:
    """Return the listed key that the header names, if the header asks for nothing that is not listed."""
    if header.get("alg") not in issuer.algorithms:
        raise Unauthenticated(cause="algorithm")
    if any(name in header for name in _KEYS_IN_HEADER) or header.get("jku", None) not in (None, *issuer.jku):
        raise Unauthenticated(cause="foreign_key")
    kid = header.get("kid")
    key = issuer.keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise Unauthenticated(cause="unknown_key_id")
    return key
