"""The gatekeeper: from the headers of a request to who asks, whether they may, and how often."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from serving.security.api_keys import ApiKeys, server_key
from serving.security.issuers import read_issuers
from serving.security.limits import FAILED_LOGINS, PER_CALLER, Limiter, Rate
from serving.security.refusals import Forbidden, NoWayIn, Unauthenticated
from serving.security.routes import OPEN, ROLES, Caller, may, rule_for
from serving.security.sessions import Sessions, session_of
from serving.security.tokens import OnceInMemory, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from serving.security.issuers import Issuer
    from serving.security.routes import RouteRule
    from serving.security.tokens import OnceStore

    HookClients = Callable[[str, str], Caller | None]
    """From a token and a path to the CDS client whose token it is; None when it is of another kind of issuer."""

    HooksOf = Callable[[Mapping[str, Issuer], OnceStore], HookClients]

NOBODY = Caller("nobody", frozenset(), "key")
"""Who asks a probe without credentials."""

DEV_TOKEN = "ORP_DEV_TOKEN"  # noqa: S105  # the name of a variable
"""Set by ``oncorespond serve --dev`` for the workers it starts, and by nobody else."""


CDS_SERVICES = "/cds-services"

SHORTEST_DEV_TOKEN = 32
"""Characters; a token that somebody thought up is refused."""


@dataclass(frozen=True)
class SecuritySettings:
    """How the door is built.

    Attributes
    ----------
    keys_folder
        ``$ORP_KEYS``: API keys and the server key; see :mod:`serving.security.api_keys`.
    issuers_file
        ``$ORP_ISSUERS``: trusted token issuers; None when there are none.
    dev_token
        ``$ORP_DEV_TOKEN``: opens everything; empty unless the service was started with ``--dev``.
    allowed_origins
        ``$ORP_CORS_ORIGINS``, separated by commas: browser pages of other hosts that may ask. None by default.
    most_bytes
        Of one request body.
    per_caller
        ``$ORP_RATE_PER_SECOND``: requests a second of one caller, and twice as many at once.
    """

    keys_folder: Path = Path("keys")
    issuers_file: Path | None = None
    dev_token: str = ""
    allowed_origins: tuple[str, ...] = ()
    most_bytes: int = 8 * 1024 * 1024
    per_caller: Rate = PER_CALLER
    failed_logins: Rate = field(default=FAILED_LOGINS)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings of a worker."""
        issuers = environment.get("ORP_ISSUERS")
        origins = environment.get("ORP_CORS_ORIGINS", "")
        rate = environment.get("ORP_RATE_PER_SECOND", "")
        return cls(
            keys_folder=Path(environment.get("ORP_KEYS", "keys")),
            issuers_file=Path(issuers) if issuers else None,
            dev_token=environment.get(DEV_TOKEN, ""),
            allowed_origins=tuple(one.strip() for one in origins.split(",") if one.strip()),
            per_caller=_rate(rate) if rate else PER_CALLER,
        )


def _rate(written: str) -> Rate:
    if not written.isdecimal() or int(written) < 1:
        raise NoWayIn("ORP_RATE_PER_SECOND is no whole number from 1 on", way_out="Leave it out for 500.")
    return Rate(float(written), 2 * int(written))


def new_dev_token() -> str:
    """Return a random token for ``--dev``; print it once."""
    return f"dev_{secrets.token_urlsafe(32)}"


class Gatekeeper:
    """Says who asks and lets in who may; see :meth:`from_settings`."""

    def __init__(
        self,
        settings: SecuritySettings,
        keys: ApiKeys,
        tokens: Tokens,
        sessions: Sessions,
        hook_clients: HookClients | None = None,
    ) -> None:
        self.settings = settings
        self.sessions = sessions
        self._keys = keys
        self._tokens = tokens
        self._hook_clients = hook_clients
        self._dev = hashlib.sha256(settings.dev_token.encode()).digest() if settings.dev_token else None
        self._of_caller = Limiter(settings.per_caller)
        self._failed = Limiter(settings.failed_logins)

    @classmethod
    def from_settings(
        cls, settings: SecuritySettings, once: OnceStore | None = None, hooks: HooksOf | None = None
    ) -> Self:
        """Build the gatekeeper, or refuse to start.

        Parameters
        ----------
        settings
            From the environment or given.
        once
            Where tokens that count once are remembered; in memory when None, which only ``--dev`` should do.
        hooks
            Makes what verifies the tokens of CDS clients, from their issuers and ``once``; without it none is accepted.

        Raises
        ------
        NoWayIn
            Without a dev token, an issuer or an active key; whatever the address the service listens on.
        KeyFileRefused, IssuersRefused
            When a file of keys or issuers is not usable.
        """
        if settings.dev_token and len(settings.dev_token) < SHORTEST_DEV_TOKEN:
            raise NoWayIn(f"{DEV_TOKEN} is shorter than {SHORTEST_DEV_TOKEN} characters", way_out="Use `serve --dev`.")
        keys = ApiKeys(settings.keys_folder)
        issuers = read_issuers(settings.issuers_file) if settings.issuers_file else {}
        if not (settings.dev_token or issuers or keys.active()):
            raise NoWayIn(
                "nobody could come in: there is neither an API key nor a token issuer",
                way_out="Run `oncorespond keys add NAME --role predict`, name issuers with ORP_ISSUERS, "
                "or start with --dev for a token of this one run.",
            )
        key = _session_key(settings, keys)
        remembered = once if once is not None else OnceInMemory()
        tokens = Tokens({name: one for name, one in issuers.items() if not one.cds_hooks}, remembered)
        clients = {name: one for name, one in issuers.items() if one.cds_hooks}
        hook_clients = hooks(clients, remembered) if hooks is not None and clients else None
        return cls(settings, keys, tokens, Sessions(key, keys.opens), hook_clients)

    def admit(self, method: str, path: str, headers: Mapping[str, str], address: str) -> tuple[Caller, RouteRule]:
        """Return who asks and the row of the table, or refuse.

        Parameters
        ----------
        method, path
            Of the request.
        headers
            Lower-case names.
        address
            Of the peer; counts only credentials that failed.

        Raises
        ------
        Unauthenticated, Forbidden, TooManyRequests
            In this order: nobody learns what a route would have asked for before they are known.
        """
        rule = rule_for(method, path)
        if rule.roles == OPEN:
            return NOBODY, rule
        caller = self.identify(headers, address, path)
        self._of_caller.demand(caller.name, "too many requests of this caller")
        if not may(caller, rule):
            wanted = rule.roles if isinstance(rule.roles, tuple) else ()
            raise Forbidden("this caller may not use this route", allowed=[f"role {one}" for one in wanted])
        return caller, rule

    def identify(self, headers: Mapping[str, str], address: str, path: str = "") -> Caller:
        """Return who asks by ``Authorization: Bearer``, else by the session cookie.

        Raises
        ------
        Unauthenticated, TooManyRequests
            When nobody is known by them; the latter when this address has failed too often. Credentials that are
            right are accepted from there all the same: behind a proxy all callers have one address.
        """
        with self._counted(address):
            return self._identify(headers, path)

    def exchange(self, written: str, address: str) -> tuple[Caller, float | None]:
        """Return whose key or token was sent to the login, and until when; see :meth:`identify` and :meth:`bearer`."""
        with self._counted(address):
            return self.bearer(written)

    @contextmanager
    def _counted(self, address: str) -> Iterator[None]:
        try:
            yield
        except Unauthenticated as refusal:
            if refusal.cause != "no_credentials":
                self._failed.demand(address, "too many credentials from here were not accepted")
            raise

    def bearer(self, written: str, path: str = "") -> tuple[Caller, float | None]:
        """Return whose key or token this is, and until when; None is without end.

        A token of a CDS client is one only where ``path`` is below ``/cds-services``; it opens no session.

        Raises
        ------
        Unauthenticated
            When it is nobody's.
        """
        if self._dev is not None and hmac.compare_digest(hashlib.sha256(written.encode()).digest(), self._dev):
            return Caller("dev", frozenset(ROLES), "dev"), None
        if written.count(".") == 2:  # a JWT has three parts, a key none
            if self._hook_clients is not None and path.startswith(CDS_SERVICES):
                client = self._hook_clients(written, path)
                if client is not None:
                    return client, None
            return self._tokens.verify(written)
        return self._keys.caller(written), None

    def _identify(self, headers: Mapping[str, str], path: str) -> Caller:
        scheme, _, written = headers.get("authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer" or not written.strip():
                raise Unauthenticated("the scheme of Authorization is Bearer", cause="scheme")
            return self.bearer(written.strip(), path)[0]
        session = session_of(headers.get("cookie", ""))
        if session is None:
            raise Unauthenticated("nobody is known by this request", cause="no_credentials")
        return self.sessions.caller(session)


def _session_key(settings: SecuritySettings, keys: ApiKeys) -> bytes:
    """Return the key that signs sessions: the server key, or under --dev without keys one that dies with the token."""
    if settings.dev_token and not keys.active():
        return hashlib.sha256(f"sessions\0{settings.dev_token}".encode()).digest()
    return hashlib.sha256(b"sessions\0" + server_key(settings.keys_folder)).digest()
