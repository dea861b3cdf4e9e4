"""What a CDS Hooks request can be refused for, one class per cause."""

from __future__ import annotations

from typing import ClassVar

from features.errors import Refusal


class WrongHookRequest(Refusal):
    """The request is not what the CDS Hooks specification says: a field is absent or of another type."""

    code: ClassVar[str] = "wrong_hook_request"
    http_status = 400


class MissingPrefetch(Refusal):
    """Prefetch that the service cannot do without is absent, failed or incomplete; nothing is fetched by us."""

    code: ClassVar[str] = "missing_prefetch"
    http_status = 412


class AnotherPatient(Refusal):
    """What was sent is about another patient than the hook's context."""

    code: ClassVar[str] = "another_patient"
    http_status = 400


class NoSuchService(Refusal):
    """There is no CDS service of this id."""

    code: ClassVar[str] = "no_such_service"
    http_status = 404


class WrongFeedback(Refusal):
    """The feedback is not what the CDS Hooks specification says."""

    code: ClassVar[str] = "wrong_feedback"
    http_status = 400
