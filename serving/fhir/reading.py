"""The refusals of reading a bundle, with every finding as an issue of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from serving.fhir.content import fhir_response
from serving.fhir.outcome import issue

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from features.sources.mcode import BundleRefusal

log = logging.getLogger("oncorespond.serving")


def refused_reading(refusal: BundleRefusal, request: Request) -> Response:
    """Return the OperationOutcome of a bundle that cannot be read, or that holds no case.

    Parameters
    ----------
    refusal
        With ``findings`` when it is about content; each becomes an issue, warnings beside the errors.
    request
        For the id in the log and in the answer.
    """
    request_id = getattr(request.state, "request_id", "-")
    log.info("refused", extra={"refusal": refusal.log_text(), "request_id": request_id})
    issues = outcome_issues(refusal)
    issues[0]["diagnostics"] = f"request id {request_id}"
    return fhir_response({"resourceType": "OperationOutcome", "issue": issues}, refusal.http_status)


def outcome_issues(refusal: BundleRefusal) -> list[dict[str, Any]]:
    """Return the issues of a refusal, errors first."""
    findings = sorted(getattr(refusal, "findings", ()), key=lambda one: one.severity != "error")
    if not findings:
        return [issue("error", refusal.issue_code, str(refusal), refusal.expression, refusal.code)]
    return [issue(one.severity, one.issue_code, one.text, one.expression, one.code) for one in findings]
