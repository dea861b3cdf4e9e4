"""The JSON Web Token of a CDS client: of a listed issuer and key, for this very address, and good for one call.

It differs from other tokens of ours: it has no ``sub``, its ``aud`` is the address that it is sent to (CDS Hooks 2.0,
"Trusting CDS Clients"), and its ``jti`` counts once. ``jku`` is compared with what is listed and never fetched.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from jwt.exceptions import ExpiredSignatureError, InvalidAudienceError, MissingRequiredClaimError, PyJWTError

from serving.security.refusals import Unauthenticated
from serving.security.routes import Caller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.security.issuers import Issuer
    from serving.security.tokens import OnceStore

LONGEST_LIFE_SECONDS = 15 * 60
LEEWAY_SECONDS = 30
LONGEST_TOKEN = 8192
LONGEST_JTI = 256

_REQUIRED = ["iss", "aud", "exp", "iat", "jti"]
_FORBIDDEN_IN_HEADER = ("jwk", "x5c", "x5u", "crit")
"""Header members that bring their own key or demand an extension."""


@dataclass(frozen=True)
class HookClients:
    """Verifies tokens of CDS clients.

    Parameters
    ----------
    issuers
        Those of ``issuers.json`` that are marked ``cds_hooks``, by name; of others nothing is accepted here.
    once
        Where used tokens are remembered, across workers and restarts.
    public_url
        Where clients reach us; never taken from a request.
    """

    issuers: Mapping[str, Issuer]
    once: OnceStore
    public_url: str

    def __call__(self, token: str, path: str) -> Caller | None:
        """Return whose token this is; None when its issuer is none of ours, so that others may look at it.

        Parameters
        ----------
        path
            Decoded path of the request, without query.

        Raises
        ------
        Unauthenticated
            When it is of one of our issuers and is not accepted.
        """
        if len(token) > LONGEST_TOKEN:
            return None
        issuer = self._issuer_of(token)
        if issuer is None:
            return None
        claims = _claims(token, issuer, f"{self.public_url}{path}")
        self._use(claims, issuer)
        tenant = claims.get("tenant")
        about = f"#{tenant[:80]}" if isinstance(tenant, str) else ""
        return Caller(f"token:{issuer.name}{about}", issuer.default_roles or issuer.roles, "token")

    def _issuer_of(self, token: str) -> Issuer | None:
        try:
            named = jwt.decode_complete(token, options={"verify_signature": False})["payload"].get("iss")
        except (PyJWTError, ValueError, RecursionError, AttributeError):
            return None
        return self.issuers.get(named) if isinstance(named, str) else None

    def _use(self, claims: Mapping[str, Any], issuer: Issuer) -> None:
        jti = claims["jti"]
        if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
            raise Unauthenticated("this token needs a `jti`", cause="no_jti")
        if not self.once.claim(issuer.name, jti, float(claims["exp"]) + LEEWAY_SECONDS):
            raise Unauthenticated("this token was used before", cause="replayed")


def _key_of(token: str, issuer: Issuer) -> jwt.PyJWK:
    header = jwt.get_unverified_header(token)
    if header.get("alg") not in issuer.algorithms:
        raise Unauthenticated(cause="algorithm")
    if any(name in header for name in _FORBIDDEN_IN_HEADER) or header.get("jku") not in (None, *issuer.jku):
        raise Unauthenticated(cause="foreign_key")
    kid = header.get("kid")
    key = issuer.keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise Unauthenticated(cause="unknown_key_id")
    return key


def _claims(token: str, issuer: Issuer, address: str) -> dict[str, Any]:
    key = _key_of(token, issuer)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(issuer.algorithms),
            audience=address,
            issuer=issuer.name,
            leeway=LEEWAY_SECONDS,
            options={"require": _REQUIRED},
        )
    except ExpiredSignatureError:
        raise Unauthenticated("this token has expired", cause="expired") from None
    except InvalidAudienceError:
        raise Unauthenticated("the audience of this token is another address than this", cause="audience") from None
    except MissingRequiredClaimError as error:
        raise Unauthenticated(f"this token has no claim `{error.claim}`", cause="claim_missing") from None
    except (PyJWTError, ValueError, TypeError):
        raise Unauthenticated(cause="signature") from None
    if not 0 < float(claims["exp"]) - float(claims["iat"]) <= LONGEST_LIFE_SECONDS:
        raise Unauthenticated("this token lives longer than 15 minutes", cause="too_long_a_life")
    if float(claims["iat"]) > time.time() + LEEWAY_SECONDS:
        raise Unauthenticated("this token is of the future", cause="future")
    return claims
