"""References between resources: relative, absolute, versioned, urn:uuid, contained, by identifier."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from features.sources.mcode.gather import Resource
from features.sources.mcode.plain import Json, record, records, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Index", "Resource"]

_TAIL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?/?$")
_ELSEWHERE = ("?", "Practitioner", "Organization", "Encounter", "Location", "Device", "Group")
"""Conditional references, and kinds that no value is read from: not finding them is no finding."""


@dataclass(slots=True)
class Index:
    """All resources of a request, and how to find one by any form of reference."""

    resources: list[Resource]
    _by_name: dict[str, Resource] = field(default_factory=dict)
    _by_identifier: dict[tuple[str, str, str], Resource | None] = field(default_factory=dict)
    _by_kind: dict[str, list[Resource]] = field(default_factory=dict)
    _reports: dict[Resource, list[Resource]] | None = None

    def __post_init__(self) -> None:
        for one in self.resources:
            self._by_kind.setdefault(one.kind, []).append(one)
            self._by_name.setdefault(one.reference, one)
            if one.full_url:
                self._by_name.setdefault(one.full_url, one)
                if tail := tail_of(one.full_url):
                    self._by_name.setdefault(tail, one)
            for identifier in records(one.body.get("identifier")):
                key = (one.kind, text(identifier.get("system")), text(identifier.get("value")))
                if key[2]:
                    self._by_identifier[key] = None if key in self._by_identifier else one

    def of_kind(self, *kinds: str) -> Iterator[Resource]:
        """Yield the resources of the kinds, in the one order."""
        for kind in kinds:
            yield from self._by_kind.get(kind, ())

    def find(self, reference: object, source: Resource | None = None, kind: str = "") -> Resource | None:
        """Return the resource that a Reference points to, None when it is not here.

        Parameters
        ----------
        reference
            The Reference object (``reference`` or ``identifier``).
        source
            The resource it stands in, for ``#contained``.
        kind
            Kind that an identifier alone is looked for in.
        """
        body = record(reference)
        written = text(body.get("reference"))
        if written.startswith("#"):
            holder = (source.holder or source) if source else None
            return self._by_name.get(f"{holder.reference}#{written[1:]}") if holder else None
        if written:
            return self._by_name.get(written) or self._by_name.get(tail_of(written))
        identifier = record(body.get("identifier"))
        of = text(body.get("type")) or kind
        return self._by_identifier.get((of, text(identifier.get("system")), text(identifier.get("value"))))

    def find_all(self, references: object, source: Resource, kind: str = "") -> Iterator[Resource]:
        """Yield the resources that a list of References (or one) points to, leaving out what is not here."""
        for one in records(references):
            found = self.find(one, source, kind)
            if found is not None:
                yield found

    def reports_of(self, result: Resource) -> list[Resource]:
        """Return the reports that list a resource among their results."""
        if self._reports is None:
            self._reports = {}
            for report in self.of_kind("DiagnosticReport"):
                for one in self.find_all(report.body.get("result"), report):
                    self._reports.setdefault(one, []).append(report)
        return self._reports.get(result, [])


def tail_of(reference: str) -> str:
    """Return ``Type/id`` of a reference, without server and version; "" when it has none.

    Examples
    --------
    >>> tail_of("https://ehr.example/fhir/R4/Patient/p1/_history/3"), tail_of("urn:uuid:1")
    ('Patient/p1', '')
    """
    hit = _TAIL.search(reference)
    return hit[1] if hit else ""


def matters(reference: Json) -> bool:
    """Return whether a reference that leads nowhere is worth a finding."""
    written = text(reference.get("reference"))
    return bool(written) and not any(part in written for part in _ELSEWHERE)


def dangling(index: Index, source: Resource, references: Iterable[Json]) -> Iterator[str]:
    """Yield the references of a resource that lead nowhere and matter."""
    for one in references:
        if matters(one) and index.find(one, source) is None:
            yield text(one.get("reference"))
