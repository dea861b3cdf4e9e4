"""What a request can be refused for, and the one JSON shape of every refusal.

::

    {"error": {"code": "invalid_case", "message": "...", "request_id": "...",
               "problems": [{"code": "out_of_range", "field": "patient.albumin_g_per_dl", "message": "..."}]}}

``problems`` is there only when a case was refused. docs/errors.md lists every code.
"""

from __future__ import annotations

from typing import Any, ClassVar

from features.errors import Refusal


class NotJson(Refusal):
    """The body is not JSON text, or holds NaN or an infinity, which JSON does not have."""

    code: ClassVar[str] = "not_json"
    http_status = 400


class NotAnObject(Refusal):
    """The body is JSON, but not an object."""

    code: ClassVar[str] = "not_an_object"


class WrongContentType(Refusal):
    """The body is not announced as application/json."""

    code: ClassVar[str] = "wrong_content_type"
    http_status = 415


class BodyTooLarge(Refusal):
    """The body is longer than the service reads."""

    code: ClassVar[str] = "body_too_large"
    http_status = 413


class BodyTooSlow(Refusal):
    """The body did not arrive in time."""

    code: ClassVar[str] = "body_too_slow"
    http_status = 408


class TooManyCases(Refusal):
    """A batch holds more cases than one request may."""

    code: ClassVar[str] = "too_many_cases"


class TherapiesRefused(Refusal):
    """``therapies`` is not a list of regimens, or stands beside ``therapy``."""

    code: ClassVar[str] = "invalid_therapies"


class CasesRefused(Refusal):
    """``cases`` is missing or not a list, or the batch has other keys."""

    code: ClassVar[str] = "invalid_batch"


class NoModelForTherapy(Refusal):
    """No served model judges this kind of therapy."""

    code: ClassVar[str] = "no_model_for_therapy"


class NoSuchRoute(Refusal):
    """There is nothing at this address."""

    code: ClassVar[str] = "no_such_route"
    http_status = 404


class MethodNotAllowed(Refusal):
    """The address exists, the method does not."""

    code: ClassVar[str] = "method_not_allowed"
    http_status = 405


class NotReady(Refusal):
    """No model is loaded, or its self-test has not passed."""

    code: ClassVar[str] = "not_ready"
    http_status = 503


class IdempotencyKeyRefused(Refusal):
    """An Idempotency-Key that is none: empty, too long, sent twice, or with other characters than visible ASCII."""

    code: ClassVar[str] = "invalid_idempotency_key"


class BentoInputRefused(Refusal):
    """What BentoML's client sent is not ``{"case": {...}}``."""

    code: ClassVar[str] = "invalid_bento_input"


class InternalFault(Refusal):
    """A bug of ours; the text carries no value of the request."""

    code: ClassVar[str] = "internal_fault"
    http_status = 500


def error_body(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """Return the JSON object of a refusal.

    Examples
    --------
    >>> error_body(NotJson("the body is not JSON"), "r-1")
    {'error': {'code': 'not_json', 'message': 'the body is not JSON', 'request_id': 'r-1'}}
    """
    return {"error": {**_cut(refusal.to_dict()), "request_id": request_id}}


LONGEST_MESSAGE, LONGEST_FIELD = 3_000, 200
"""Characters; a sent key or id that is repeated in a text may have a million."""


def _cut(told: dict[str, Any]) -> dict[str, Any]:
    """Return an error's parts with texts of bounded length, those of its problems too."""
    found = dict(told)
    for name, longest in (("message", LONGEST_MESSAGE), ("field", LONGEST_FIELD)):
        if len(found.get(name, "")) > longest:
            found[name] = found[name][: longest - 3] + "..."
    if "problems" in found:
        found["problems"] = [_cut(problem) for problem in found["problems"]]
    return found
