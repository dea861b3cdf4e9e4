"""Specimens: tissue or blood, how old, and which one a result came from.

A report of tumour and matched normal names two specimens; the tissue is the one its findings are of, unless a finding
names the blood itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.sources.mcode import codes
from features.sources.mcode.plain import record
from features.sources.mcode.systems import concept

if TYPE_CHECKING:
    from features.sources.mcode.index import Index, Resource

_BLOOD_WORDS = ("blood", "plasma", "serum", "ctdna", "cfdna", "liquid biopsy", "blut")
_TISSUE_WORDS = ("tissue", "tumor", "tumour", "biopsy", "ffpe", "paraffin", "resection", "gewebe", "biopsie")


def source_of_specimen(specimen: Resource) -> str:
    """Return ``tissue``, ``blood`` or "" for a Specimen."""
    kind = concept(specimen.body.get("type"))
    written = {one.code.upper() for one in kind.codings if one.system in {"v2-0487", "sct", ""}}
    if written & codes.TISSUE_SPECIMEN:
        return "tissue"
    if written & codes.BLOOD_SPECIMEN:
        return "blood"
    words = " ".join(kind.words).casefold()
    if any(word in words for word in _TISSUE_WORDS):
        return "tissue"
    return "blood" if any(word in words for word in _BLOOD_WORDS) else ""


def specimens_of(index: Index, resource: Resource) -> list[Resource]:
    """Return the specimens of a result: its own, else those of the reports that list it."""
    own = index.find(record(resource.body.get("specimen")), resource, "Specimen")
    if own is not None:
        return [own]
    if record(resource.body.get("specimen")):
        return []
    reports = index.reports_of(resource)
    found = [one for report in reports for one in index.find_all(report.body.get("specimen"), report, "Specimen")]
    return list(dict.fromkeys(found))


def tumour_specimen(specimens: list[Resource]) -> Resource | None:
    """Return the one specimen that findings are of: the only tissue beside blood, or the only one."""
    if len(specimens) <= 1:
        return specimens[0] if specimens else None
    tissue = [one for one in specimens if source_of_specimen(one) == "tissue"]
    return tissue[0] if len(tissue) == 1 else None


def source_of(index: Index, resource: Resource) -> str:
    """Return ``tissue``, ``blood`` or "" for the specimen of a result."""
    found = tumour_specimen(specimens_of(index, resource))
    return source_of_specimen(found) if found is not None else ""
