"""What is said beside the estimates: warnings, therapies without an estimate, and what was seen and not understood."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from features.errors import listed
from serving.fhir.outcome import ISSUE_CODES, issue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.errors import Refusal
    from features.sources.mcode import Finding, NotUnderstood, OrderedTherapies, ReadCase

MOST_NOT_UNDERSTOOD = 100
"""Elements that were seen and not understood, listed one by one; the rest is counted."""


def remarks(
    read: ReadCase, ordered: OrderedTherapies | None = None, not_judged: Sequence[Refusal] = ()
) -> dict[str, Any]:
    """Return the OperationOutcome of an answer: nothing in it stopped the answer.

    Parameters
    ----------
    read
        The bundle as it was read.
    ordered
        The drafted orders: one that is not understood stops an answer for itself alone, and is a warning here.
    not_judged
        Refusals of therapies that no model judges, where others are answered.
    """
    issues = [issue("warning", ISSUE_CODES[one.code], str(one), coding=one.code) for one in not_judged]
    issues += [_noticed(one) for one in (*(ordered.findings if ordered else ()), *read.findings)]
    issues += _not_understood([*(ordered.not_understood if ordered else ()), *read.not_understood])
    issues.append(issue("information", "informational", lines_text(read), coding="prior_lines_source"))
    return {"resourceType": "OperationOutcome", "id": str(uuid.uuid4()), "issue": issues}


def said(finding: Finding) -> str:
    """Return what was noticed, with the field of the case that it is about."""
    return f"{finding.field}: {finding.text}" if finding.field else finding.text


def lines_text(read: ReadCase) -> str:
    """Return how the number of prior lines came about, which mCODE has no element for."""
    lines = read.prior_lines
    if lines.value is None:
        return "prior lines: unknown"
    behind = f" from {listed(lines.evidence)}" if lines.evidence else ""
    return f"prior lines: {lines.value}, {lines.source}{behind}"


def _noticed(one: Finding) -> Any:
    severity = "warning" if one.severity == "error" else one.severity
    return issue(severity, one.issue_code, said(one), one.expression, one.code)


def _not_understood(elements: Sequence[NotUnderstood]) -> list[Any]:
    found = [
        issue("information", "informational", _element(one), one.path, "not_understood")
        for one in elements[:MOST_NOT_UNDERSTOOD]
    ]
    if (more := len(elements) - MOST_NOT_UNDERSTOOD) > 0:
        found.append(issue("information", "informational", f"+{more} more not understood", coding="not_understood"))
    return found


def _element(one: NotUnderstood) -> str:
    return f"not used: {one.reference}: {one.what}" + (f" ({one.code})" if one.code else "")
