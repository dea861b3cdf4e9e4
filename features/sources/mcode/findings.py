"""Findings: what was taken from where, what was seen and not understood, what is wrong, what is missing.

``SAID`` is the table of every finding by its code: how severe it is, and which code an OperationOutcome gives it.
``docs/fhir-mapping.md`` prints the same table, and a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from features.errors import LONGEST_SEEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.sources.mcode.gather import Resource

Severity = Literal["error", "warning", "information"]

SAID: dict[str, tuple[Severity, str]] = {
    "no_histology": ("error", "required"),
    "histology_ambiguous": ("error", "code-invalid"),
    "several_primaries": ("error", "multiple-matches"),
    "several_patients": ("error", "multiple-matches"),
    "patient_not_found": ("error", "not-found"),
    "condition_not_found": ("error", "not-found"),
    "no_therapy": ("error", "required"),
    "therapy_unknown": ("error", "code-invalid"),
    "therapy_conflict": ("error", "code-invalid"),
    "out_of_range": ("error", "value"),
    "prior_lines_invalid": ("error", "value"),
    "index_date_invalid": ("error", "value"),
    "invalid_case": ("error", "value"),
    "after_index": ("warning", "business-rule"),
    "antineoplastic_unknown": ("warning", "code-invalid"),
    "attachment_not_read": ("warning", "not-supported"),
    "comparator": ("warning", "value"),
    "condition_not_active": ("warning", "business-rule"),
    "condition_unconfirmed": ("warning", "business-rule"),
    "conflicting_values": ("warning", "business-rule"),
    "consequence_conflict": ("warning", "code-invalid"),
    "copy_number_relative": ("warning", "value"),
    "curative_intent": ("warning", "business-rule"),
    "dangling_reference": ("warning", "not-found"),
    "deceased": ("warning", "business-rule"),
    "diagnosis_from_order": ("warning", "business-rule"),
    "display_conflict": ("warning", "code-invalid"),
    "drug_conflict": ("warning", "code-invalid"),
    "duplicate_id": ("warning", "business-rule"),
    "findings_incomplete": ("warning", "incomplete"),
    "fusion_both_drive": ("warning", "business-rule"),
    "fusion_by_two_genes": ("warning", "business-rule"),
    "fusion_with_hgvs": ("warning", "business-rule"),
    "gene_conflict": ("warning", "code-invalid"),
    "gene_ids_swapped": ("warning", "code-invalid"),
    "histology_coarse": ("warning", "business-rule"),
    "histology_from_text": ("warning", "code-invalid"),
    "incomplete_page": ("warning", "incomplete"),
    "index_date_derived": ("warning", "business-rule"),
    "ldh_without_limit": ("warning", "value"),
    "malformed_code": ("warning", "code-invalid"),
    "modifier_extension": ("warning", "not-supported"),
    "no_value": ("warning", "value"),
    "not_read": ("warning", "not-supported"),
    "other_subject": ("warning", "business-rule"),
    "partial_date": ("warning", "value"),
    "prefetch_failed": ("warning", "incomplete"),
    "prior_lines_disagree": ("warning", "business-rule"),
    "status_not_final": ("warning", "business-rule"),
    "tmb_of_blood": ("warning", "business-rule"),
    "too_old": ("warning", "business-rule"),
    "undated": ("warning", "value"),
    "unit_not_understood": ("warning", "value"),
    "value_not_understood": ("warning", "value"),
    "variant_unclear": ("warning", "value"),
    "variant_without_value": ("warning", "value"),
    "by_text": ("information", "informational"),
    "matched_normal": ("information", "informational"),
    "older_value": ("information", "informational"),
}
"""Code of a finding: its severity and the issue code (FHIR R4 value set ``issue-type``)."""

_RANK = {"error": 0, "warning": 1, "information": 2}


def cut(value: object) -> str:
    """Return foreign text as a message may repeat it: one line, at most 80 characters.

    Examples
    --------
    >>> cut("a" * 100)[-5:], cut("two   words")
    ('aa...', 'two words')
    """
    shown = " ".join(str(value).split())
    return shown if len(shown) <= LONGEST_SEEN else shown[: LONGEST_SEEN - 3] + "..."


@dataclass(frozen=True, slots=True)
class Taken:
    """One value of the case and where it came from.

    Attributes
    ----------
    field
        Path in the case: ``tmb.mut_per_mb``, ``alterations``.
    value
        As it stands in the case.
    reference
        ``Observation/tmb``, a ``urn:uuid:``, or ``DiagnosticReport/r#o1`` for a contained resource.
    path
        FHIRPath of the element.
    note
        How it was changed on the way (unit, derived), or "".
    """

    field: str
    value: Any
    reference: str
    path: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Something that was seen and not used, in our words; ``code`` is ``system|code`` where it had one."""

    reference: str
    path: str
    what: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """An input that was not found, with the codes that a system can be asked for."""

    field: str
    resource_type: str
    codes: tuple[tuple[str, str], ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """An error, a warning or a remark; ``text`` may repeat what was seen, cut at 80 characters."""

    code: str
    text: str
    field: str = ""
    reference: str = ""
    expression: str = ""

    @property
    def severity(self) -> Severity:
        """Return ``error``, ``warning`` or ``information``, from the table."""
        return SAID[self.code][0]

    @property
    def issue_code(self) -> str:
        """Return the code of an OperationOutcome issue, from the table."""
        return SAID[self.code][1]

    def log_text(self) -> str:
        """Return the code and the field, without any value of a patient."""
        return f"{self.code} at {self.field}" if self.field else self.code


@dataclass(slots=True)
class Notes:
    """Gathers while reading; one per bundle."""

    taken: list[Taken] = field(default_factory=list)
    not_understood: list[NotUnderstood] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def took(self, name: str, value: Any, source: Resource | None, path: str, note: str = "") -> None:
        """Note a value of the case and where it came from."""
        self.taken.append(Taken(name, value, source.reference if source else "", path, note))

    def left(self, source: Resource | None, path: str, what: str, code: str = "") -> None:
        """Note something seen and not used."""
        self.not_understood.append(NotUnderstood(source.reference if source else "", path, what, code))

    def say(self, code: str, message: str, name: str = "", source: Resource | None = None, path: str = "") -> None:
        """Note a finding; its severity follows from its code."""
        self.findings.append(Finding(code, message, name, source.reference if source else "", path))

    def say_and_leave(self, code: str, message: str, name: str, source: Resource | None, path: str) -> None:
        """Note a finding about something that is therefore not used."""
        self.say(code, message, name, source, path)
        self.left(source, path, message)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings once each, errors first, then by code, field and place."""
    once = dict.fromkeys(findings)
    return tuple(sorted(once, key=lambda one: (_RANK[one.severity], one.code, one.field, one.reference, one.text)))
