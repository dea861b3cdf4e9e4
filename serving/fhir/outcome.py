"""OperationOutcome: the one error shape of the clinical addresses, made of the one error shape of all others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ISSUE_CODES: Mapping[str, str] = {
    "not_json": "structure",
    "not_an_object": "structure",
    "wrong_resource": "structure",
    "wrong_type": "structure",
    "too_many_entries": "too-long",
    "body_too_large": "too-long",
    "missing_field": "required",
    "missing_parameter": "required",
    "missing_prefetch": "required",
    "no_diagnosis": "required",
    "out_of_range": "value",
    "not_finite": "value",
    "value_refused": "value",
    "wrong_parameter": "value",
    "wrong_hook_request": "invalid",
    "wrong_feedback": "invalid",
    "another_patient": "business-rule",
    "wrong_search": "value",
    "not_allowed": "code-invalid",
    "unknown_therapy": "code-invalid",
    "unknown_histology": "code-invalid",
    "unknown_agent": "code-invalid",
    "unknown_gene": "code-invalid",
    "contradiction": "business-rule",
    "no_model_for_therapy": "not-supported",
    "not_fhir_content": "not-supported",
    "wrong_content_type": "not-supported",
    "not_acceptable": "not-supported",
    "method_not_allowed": "not-supported",
    "unauthenticated": "login",
    "forbidden": "forbidden",
    "csrf_token_missing": "forbidden",
    "only_loopback": "forbidden",
    "too_many_requests": "throttled",
    "no_such_route": "not-found",
    "no_such_resource": "not-found",
    "no_such_service": "not-found",
    "unknown_prediction": "not-found",
    "erased_record": "deleted",
    "not_ready": "transient",
    "audit_unavailable": "transient",
    "deadline_exceeded": "timeout",
    "body_too_slow": "timeout",
    "invalid_idempotency_key": "value",
    "idempotency_key_reused": "conflict",
    "internal_fault": "exception",
}
"""Code of a refusal to ``OperationOutcome.issue.code``; what is not listed is ``processing``."""

_NOT_TEXT = re.compile(r"[^\r\n\t\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What a FHIR string may not hold: control characters."""

_EXPRESSION = re.compile(r"[A-Z][A-Za-z]+([.\[(][\w.\[\]()'/:|-]*)?")
"""A field that is written as a path into a resource, and not as a field of a case."""


def issue(severity: str, code: str, text: str, expression: str | None = None, coding: str | None = None) -> Any:
    """Return one issue.

    Parameters
    ----------
    severity, code
        Of FHIR's closed lists.
    text
        For a person; control characters are taken out.
    expression
        FHIRPath of the element.
    coding
        Our own code of the refusal, put before the text in brackets when given.
    """
    said = f"{text} [{coding}]" if coding else text
    found: dict[str, Any] = {"severity": severity, "code": code, "details": {"text": plain(said)}}
    if expression and _EXPRESSION.fullmatch(expression):
        found["expression"] = [expression]
    return found


def operation_outcome(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return the OperationOutcome of an error object of :func:`serving.errors.error_body`.

    Examples
    --------
    >>> found = operation_outcome({"code": "missing_field", "message": "no diagnosis", "field": "Bundle.entry"})
    >>> found["issue"][0]["code"], found["issue"][0]["expression"]
    ('required', ['Bundle.entry'])
    """
    parts = error.get("problems") or [error]
    issues = [_issue(part, "fatal" if part["code"] == "internal_fault" else "error") for part in parts]
    if error.get("request_id"):
        issues[0]["diagnostics"] = plain(f"request id {error['request_id']}")
    return {"resourceType": "OperationOutcome", "issue": issues}


def _issue(part: Mapping[str, Any], severity: str) -> Any:
    code = str(part["code"])
    return issue(severity, ISSUE_CODES.get(code, "processing"), str(part["message"]), part.get("field"), code)


def plain(text: str) -> str:
    r"""Return a text that a FHIR string can hold, never empty.

    Examples
    --------
    >>> plain("a\x00b"), plain("")
    ('a b', '-')
    """
    return _NOT_TEXT.sub(" ", text).strip() or "-"
