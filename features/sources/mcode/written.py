"""Pieces of FHIR for the writer: codings, quantities, resources with stable ids, in one growing bundle."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from features.sources.mcode.codes import TOPICS
from features.sources.mcode.systems import URL

_NAMESPACE = uuid.UUID("6f1d3c0e-0c2b-5a0e-9a53-9d3a1f2b7c41")
"""Any fixed number: ids are derived from names below it, so that one case is always the same bytes."""


def coded(system: str, code: str, display: str = "") -> dict[str, Any]:
    """Return a CodeableConcept with one coding.

    Examples
    --------
    >>> coded("loinc", "94076-7")
    {'coding': [{'system': 'http://loinc.org', 'code': '94076-7'}]}
    """
    coding = {"system": URL[system], "code": code}
    return {"coding": [{**coding, "display": display} if display else coding]}


def loinc(topic: str) -> dict[str, Any]:
    """Return the code of a topic: the first that is listed for it."""
    return coded("loinc", TOPICS[topic][0])


def quantity(value: float, code: str, unit: str = "") -> dict[str, Any]:
    """Return a Quantity with a UCUM unit."""
    return {"value": value, "unit": unit or code, "system": URL["ucum"], "code": code}


@dataclass(slots=True)
class Pages:
    """The entries of a bundle that is being written.

    Attributes
    ----------
    index
        The index date; everything undated in the case is dated with it.
    """

    index: date
    entries: list[dict[str, Any]] = field(default_factory=list)
    patient: str = ""

    def add(self, kind: str, name: str, **content: Any) -> dict[str, Any]:
        """Add a resource; return a Reference to it."""
        full_url = f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{kind}/{name}')}"
        body = {"resourceType": kind, **({} if kind == "Patient" else {"id": name}), **content}
        self.entries.append({"fullUrl": full_url, "resource": body})
        return {"reference": full_url}

    def observation(self, name: str, code: dict[str, Any], **content: Any) -> dict[str, Any]:
        """Add a final Observation of the patient at the index date."""
        return self.add(
            "Observation", name, status="final", code=code, subject={"reference": self.patient},
            effectiveDateTime=self.index.isoformat(), **content,
        )  # fmt: skip

    def before(self, days: float) -> str:
        """Return the date so many days before the index date; part of a day is not kept."""
        return (self.index - timedelta(days=round(days))).isoformat()
