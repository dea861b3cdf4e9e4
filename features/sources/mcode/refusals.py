"""Refusals of a bundle: what is no FHIR at all, what is too large or too deep, and what cannot become a case.

Only structure is raised while reading. What is wrong with the content is gathered as findings, all of it, and
:class:`BundleRefused` is raised from them when the caller asks (:meth:`ReadCase.raise_for_errors`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from features.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.sources.mcode.findings import Finding


class BundleRefusal(Refusal):
    """A bundle cannot be read; ``issue_code`` is the code of an OperationOutcome issue (R4 value set issue-type)."""

    code = "bundle_refused"
    issue_code: ClassVar[str] = "structure"
    expression = "Bundle"
    """Where, as FHIRPath."""


class NotABundle(BundleRefusal):
    """The JSON holds no FHIR resource."""

    code = "not_a_bundle"
    http_status = 400


class BundleTooLarge(BundleRefusal):
    """More resources than one patient at one decision can have."""

    code = "bundle_too_large"
    http_status = 413
    issue_code: ClassVar[str] = "too-costly"


class BundleTooDeep(BundleRefusal):
    """Bundles within bundles, deeper than any system writes them."""

    code = "bundle_too_deep"
    http_status = 400


class BundleRefused(BundleRefusal):
    """The content cannot become a case; ``findings`` holds every error, ``issue_code`` is that of the first."""

    code = "bundle_refused"

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{one.code}: {one.text}" for one in self.findings))
        if self.findings:
            self.issue_code = self.findings[0].issue_code  # type: ignore[misc]
            self.expression = self.findings[0].expression or "Bundle"

    def log_text(self) -> str:
        """Return codes and fields of all errors, without any value of a patient."""
        return f"{self.code}: " + ", ".join(one.log_text() for one in self.findings)
