"""What reading a bundle gives: the case or cases, where every value came from, and what was not understood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from features.from_cases import batch_of
from features.line_derivation import SOURCES
from features.prior_history import history_of
from features.sources.mcode.refusals import BundleRefused

if TYPE_CHECKING:
    from features.case import Case
    from features.sources.mcode.findings import Finding, Missing, NotUnderstood, Taken
    from features.sources.mcode.therapies import TherapyAsked


@dataclass(frozen=True, slots=True)
class PriorLines:
    """Systemic lines before the index date, where the number came from, and the resources behind it."""

    value: int | None
    source: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadCase:
    """A bundle as read.

    Attributes
    ----------
    raw
        The case as a JSON object, without its therapy.
    cases
        One case per therapy, in the order of ``therapies``; empty when there are errors.
    taken
        Every value of the case and the resource it came from.
    not_understood
        Everything that was seen and not used.
    findings
        Errors, warnings and remarks, in that order.
    missing
        Inputs that were not found, with codes to ask for.
    index_date, index_date_source
        ``YYYY-MM-DD`` or None; ``request``, ``parameters``, ``bundle``, ``derived``, ``unknown``.
    cancer_patient
        Whether any cancer was seen at all.
    incomplete
        Whether the request says itself that something was not sent.
    """

    raw: dict[str, Any]
    cases: tuple[Case, ...]
    therapies: tuple[TherapyAsked, ...]
    taken: tuple[Taken, ...]
    not_understood: tuple[NotUnderstood, ...]
    findings: tuple[Finding, ...]
    missing: tuple[Missing, ...]
    index_date: str | None = None
    index_date_source: str = "unknown"
    cancer_patient: bool = False
    patient_reference: str | None = None
    condition_reference: str | None = None
    incomplete: bool = False
    lines_source: str = "unknown"
    _lines: list[PriorLines] = field(default_factory=list, repr=False, compare=False)

    @property
    def case(self) -> Case | None:
        """Return the case of the first therapy, None when there are errors."""
        return self.cases[0] if self.cases else None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return what stands in the way of a case."""
        return tuple(one for one in self.findings if one.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Return what a reader of the answer should know."""
        return tuple(one for one in self.findings if one.severity == "warning")

    @property
    def prior_lines(self) -> PriorLines:
        """Return the number of lines; derived by :mod:`features.line_derivation` where nobody states it."""
        if not self._lines:
            self._lines.append(self._prior_lines())
        return self._lines[0]

    def _prior_lines(self) -> PriorLines:
        if self.raw.get("prior_lines") is not None:
            evidence = self.sources("prior_lines")
            return PriorLines(self.raw["prior_lines"], self.lines_source, evidence)
        case = self.case
        if case is None:
            return PriorLines(None, "unknown")
        lines = history_of(batch_of([case])).lines
        source = SOURCES[int(lines.source[0])]
        named = {"stated": "explicit", "given": "explicit"}.get(source, source)
        value = None if named == "unknown" else int(lines.number[0])
        return PriorLines(value, named, self.sources("prior_therapies"))

    def sources(self, name: str) -> tuple[str, ...]:
        """Return the references behind a field, or behind any field under it.

        ``sources("tmb")`` is what ``tmb.mut_per_mb`` came from; ``sources("prior_therapies")`` all medications.
        """
        under = (f"{name}.", f"{name}[")
        found = (one.reference for one in self.taken if one.field == name or one.field.startswith(under))
        return tuple(dict.fromkeys(reference for reference in found if reference))

    def raise_for_errors(self) -> None:
        """Raise one refusal of all errors.

        Raises
        ------
        BundleRefused
            When there is any error.
        """
        if self.errors:
            raise BundleRefused(self.errors)
