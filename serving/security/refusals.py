"""Why a caller is not let in. No text repeats a token, a key or anything else that was sent."""

from __future__ import annotations

from typing import ClassVar

from features.errors import Refusal

NOT_ACCEPTED = "the credentials were not accepted"
"""All that is told of credentials that nobody vouches for: an unknown key, a forged signature, a foreign issuer."""


class Unauthenticated(Refusal):
    """No credentials, or credentials that were not accepted.

    Attributes
    ----------
    cause
        For the log alone: a code such as ``expired`` or ``unknown_key``.
    """

    code: ClassVar[str] = "unauthenticated"
    http_status = 401

    def __init__(self, message: str = NOT_ACCEPTED, *, cause: str = "not_accepted") -> None:
        self.cause = cause
        super().__init__(
            message, way_out="Send `Authorization: Bearer` with an API key or a token; see docs/security.md."
        )

    def log_text(self) -> str:
        """Return code and cause; neither holds anything that was sent."""
        return f"{self.code}: {self.cause}"


class Forbidden(Refusal):
    """The caller is known, and has not the role of this route."""

    code: ClassVar[str] = "forbidden"
    http_status = 403


class ForeignForm(Refusal):
    """A browser sent a request with its session but without the CSRF token of that session."""

    code: ClassVar[str] = "csrf_token_missing"
    http_status = 403


class TooManyRequests(Refusal):
    """The caller asks faster than it may.

    Attributes
    ----------
    retry_after_seconds
        When one more request will be answered.
    """

    code: ClassVar[str] = "too_many_requests"
    http_status = 429

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message, way_out=f"Ask again in {retry_after_seconds:.1f} seconds.")


class NoWayIn(Refusal):
    """The service would start without anybody who may come in, or without having to ask who does."""

    code: ClassVar[str] = "no_way_in"


class KeyFileRefused(Refusal):
    """A file of keys that others can read, or that is not what it should be."""

    code: ClassVar[str] = "key_file_refused"
    exit_code = 3


class IssuersRefused(Refusal):
    """The file of token issuers is not usable: a symmetric algorithm, a short key, a missing field."""

    code: ClassVar[str] = "issuers_refused"
    exit_code = 3


class NoSuchKey(Refusal):
    """An API key was named that the file does not have."""

    code: ClassVar[str] = "no_such_key"
    http_status = 404


class UnknownRole(Refusal):
    """A role that no route asks for."""

    code: ClassVar[str] = "unknown_role"
