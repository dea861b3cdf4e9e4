"""The JSON Web Token of a CDS client: of a listed issuer and key, for this very address, and good for one call.

It differs from other tokens of ours: it has no ``sub``, its ``aud`` is the address that it is sent to (CDS Hooks 2.0,
"Trusting CDS Clients"), and its ``jti`` counts once. ``jku`` is compared with what is listed and never fetched.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.security.refusals import Unauthenticated
from serving.security.routes import Caller
from serving.security.tokens import LONGEST_TOKEN, issuer_named, told_name, use_up, verified_claims

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.security.issuers import Issuer
    from serving.security.tokens import OnceStore

_REQUIRED = ["iss", "aud", "exp", "iat", "jti"]


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
        issuer = self._issuer_of(token)
        if issuer is None:
            return None
        claims = verified_claims(token, issuer, [f"{self.public_url}{path}"], _REQUIRED)
        tenant = claims.get("tenant")
        about = f"#{told_name('tenant', tenant)}" if isinstance(tenant, str) else ""
        use_up(claims, issuer, self.once)
        return Caller(f"token:{issuer.name}{about}", issuer.default_roles or issuer.roles, "token")

    def _issuer_of(self, token: str) -> Issuer | None:
        if len(token) <= LONGEST_TOKEN:
            with suppress(Unauthenticated):
                return self.issuers.get(issuer_named(token))
        return None
