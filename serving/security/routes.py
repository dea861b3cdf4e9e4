"""Which role opens which route: one table, closed for whatever it does not list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, get_args

from serving.security.refusals import UnknownRole

if TYPE_CHECKING:
    from collections.abc import Iterable

Role = Literal["predict", "outcome", "audit", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

OPEN: Final = "open"
ANY: Final = "any"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes
    ----------
    name
        As the audit log has it: ``key:ward-7``, ``token:https://issuer.example/#subject``, ``dev``.
    roles
        What it may do.
    by
        How it came in. A session is a browser's: whatever it changes needs a CSRF token.
    session
        The signed session text, which the CSRF token is bound to; empty otherwise.
    key_identity
        Which API key it came in with (or opened its session with); empty otherwise.
    """

    name: str
    roles: frozenset[Role]
    by: Literal["key", "token", "dev", "session"] = "key"
    session: str = ""
    key_identity: str = ""


@dataclass(frozen=True, slots=True)
class RouteRule:
    """One row of the table: methods, path pattern (``{id}`` is one segment, ``*`` the rest), and the roles it asks for.

    ``roles`` is ``open`` (the probes and the login), ``any`` (whoever is known) or the roles of which one is needed.
    """

    methods: str
    pattern: str
    roles: Literal["open", "any"] | tuple[Role, ...]


ROUTES: tuple[RouteRule, ...] = (
    RouteRule("GET", "/livez", OPEN),
    RouteRule("GET", "/readyz", OPEN),
    RouteRule("GET POST", "/audit/login", OPEN),
    RouteRule("GET", "/audit/login/static/*", OPEN),
    RouteRule("POST", "/audit/logout", ANY),
    RouteRule("GET", "/", ANY),
    RouteRule("GET", "/docs", ANY),
    RouteRule("GET", "/openapi.json", ANY),
    RouteRule("GET", "/schema.json", ANY),
    RouteRule("GET", "/docs.json", ANY),
    RouteRule("GET", "/version", ANY),
    RouteRule("GET", "/model", ANY),
    RouteRule("GET", "/model/card", ANY),
    RouteRule("GET", "/vocabulary/{name}", ANY),
    RouteRule("GET", "/schema/{name}", ANY),
    RouteRule("POST", "/predict", ("predict",)),
    RouteRule("POST", "/predict/batch", ("predict",)),
    RouteRule("POST", "/rank", ("predict",)),
    RouteRule("POST", "/bento/predict", ("predict",)),
    RouteRule("GET", "/fhir/metadata", ANY),
    RouteRule("GET", "/fhir/AuditEvent", ("audit",)),
    RouteRule("POST", "/fhir/*", ("predict",)),
    RouteRule("GET", "/fhir/*", ("predict",)),
    RouteRule("GET", "/predictions/{id}", ("predict", "audit")),
    RouteRule("POST", "/predictions/{id}/outcome", ("outcome",)),
    RouteRule("POST", "/predictions/{id}/decision", ("predict", "outcome")),
    RouteRule("GET", "/cds-services", ("predict",)),
    RouteRule("POST", "/cds-services/{id}", ("predict",)),
    RouteRule("POST", "/cds-services/{id}/feedback", ("predict", "outcome")),
    RouteRule("GET POST", "/audit", ("audit",)),
    RouteRule("GET POST", "/audit/*", ("audit",)),
    RouteRule("GET", "/metrics", ("audit", "admin")),
    RouteRule("GET POST", "/admin/*", ("admin",)),
)
"""Read from the top; the first row that fits counts. HEAD asks what GET asks. Anything else needs ``admin``, so that a
route that nobody thought of, BentoML's own among them, is closed to everybody else."""

UNLISTED = RouteRule("*", "other", ("admin",))


def _regex(pattern: str) -> str:
    parts = re.split(r"(\{\w+\}|\*)", pattern)
    return "".join(".*" if part == "*" else "[^/]+" if part.startswith("{") else re.escape(part) for part in parts)


_READ = [(frozenset(rule.methods.split()), re.compile(_regex(rule.pattern), re.DOTALL), rule) for rule in ROUTES]


def rule_for(method: str, path: str) -> RouteRule:
    """Return the row that a request falls under.

    Parameters
    ----------
    method
        HTTP method, upper case.
    path
        Decoded path, as ASGI gives it. A path that is not in its plainest form (``//``, ``/./``, a slash at its end)
        falls under no row.

    Examples
    --------
    >>> rule_for("POST", "/predict").roles, rule_for("GET", "/predictions/7").roles
    (('predict',), ('predict', 'audit'))
    >>> rule_for("GET", "/livez").roles, rule_for("POST", "/livez").roles, rule_for("GET", "//livez").roles
    ('open', ('admin',), ('admin',))
    """
    if len(path) <= _LONGEST_KEPT:
        return _rule_for_short(method, path)
    return _found(method, path)


_LONGEST_KEPT = 60
"""Characters of a path whose row is remembered; longer ones hold ids and come once."""


@lru_cache(maxsize=1024)
def _rule_for_short(method: str, path: str) -> RouteRule:
    return _found(method, path)


def _found(method: str, path: str) -> RouteRule:
    asked = "GET" if method == "HEAD" else method
    if "//" in path or "/./" in path or "/../" in path:
        return UNLISTED
    return next((rule for methods, regex, rule in _READ if asked in methods and regex.fullmatch(path)), UNLISTED)


def may(caller: Caller, rule: RouteRule) -> bool:
    """Tell whether a known caller may use a route.

    Examples
    --------
    >>> may(Caller("key:a", frozenset({"audit"})), rule_for("POST", "/predict"))
    False
    """
    if isinstance(rule.roles, str):
        return True
    return not caller.roles.isdisjoint(rule.roles)


def read_roles(names: Iterable[str]) -> frozenset[Role]:
    """Return roles by their names.

    Raises
    ------
    UnknownRole
        When a name is no role.

    Examples
    --------
    >>> sorted(read_roles(["audit", "predict"]))
    ['audit', 'predict']
    """
    found = list(names)
    unknown = [name for name in found if name not in ROLES]
    if unknown:
        raise UnknownRole(f"{unknown[0][:40]!r} is no role", allowed=ROLES)
    return frozenset(role for role in ROLES if role in found)
