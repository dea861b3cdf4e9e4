"""Alterations from the texts of golden tables: ``GENE notation [classification] (germline)``, ``GENE kind detail``."""

from __future__ import annotations

import re
from typing import Any

from features.case import Alteration

STATUSES = {"absent", "not_detected"}


def fields_of(text: str) -> dict[str, Any]:
    """Return the fields of the alteration that a text stands for."""
    gene, _, rest = text.strip().partition(" ")
    words = rest.split(" ")
    status = words.pop() if words[-1] in STATUSES else "present"
    rest = " ".join(words)
    kind, _, detail = rest.partition(" ")
    found: dict[str, Any] = {"gene": gene, "status": status}
    if kind == "fusion":
        return {**found, "kind": "fusion", "partner": detail or None}
    if kind in {"amplification", "deletion", "expression"}:
        return {**found, "kind": kind, "level": detail or None}
    if rest == "mutation" and status != "present":
        return {**found, "kind": "mutation"}
    classification = re.search(r"\[(.+)\]$", rest)
    notation = re.sub(r"\s*(\[.+\]|\(germline\))$", "", rest)
    coding = re.search(r"(^|:)c\.", notation)
    return {
        **found,
        "kind": "mutation",
        "protein_change": notation or None if not coding else None,
        "cdna_change": notation if coding else None,
        "variant_classification": classification[1] if classification else None,
        "origin": "germline" if rest.endswith("(germline)") else None,
    }


def alteration_of(text: str) -> Alteration:
    """Return the alteration that a text stands for, not checked, so that a test can see who refuses it."""
    return Alteration.model_construct(**fields_of(text))
