"""Specimens, assays and alterations of a case as FHIR resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features import genes
from features.sources.mcode import codes
from features.sources.mcode.systems import URL
from features.sources.mcode.variant_parts import bare
from features.sources.mcode.written import Pages, coded, loinc, quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.case import Alteration, Assay, Case, Specimen

_TYPE = {"tissue": "TUMOR", "blood": "PLAS"}
_CHANGE = {"fusion": "SO:0001565", "amplification": "SO:0001880"}
_EXACT = ("status", "variant_classification", "exon", "partner", "copies", "level", "cancer_cell_fraction")


def write_findings(pages: Pages, case: Case) -> None:
    """Write the specimen or the specimens with what was tested and found."""
    if case.specimens is None:
        _write(pages, "1", case.specimen, case.assay, case.alterations)
        return
    for place, one in enumerate(case.specimens, start=1):
        _write(pages, str(place), one, one.assay, one.alterations)


def _write(
    pages: Pages, name: str, specimen: Specimen | None, assay: Assay | None, alterations: Sequence[Alteration] | None
) -> None:
    link: dict[str, Any] = {}
    if specimen is not None:
        link = {"specimen": _specimen(pages, name, specimen)}
        _own(pages, f"specimen-{name}-stated", "specimen", {"valueBoolean": True}, link)
        if specimen.tumor_purity is not None:
            _own(
                pages,
                f"specimen-{name}-purity",
                "specimen.tumor_purity",
                {"valueQuantity": {"value": specimen.tumor_purity}},
                link,
            )
    if assay is not None and assay.panel is not None:
        _own(pages, f"panel-{name}", "assay.panel", {"valueString": assay.panel}, link)
    if assay is not None and assay.genes_tested is not None:
        _own(pages, f"tested-{name}", "assay.genes_tested", {"valueBoolean": True}, link)
        parts = [_component("gene", {"valueCodeableConcept": gene_concept(one)}) for one in assay.genes_tested]
        if parts:
            pages.observation(f"regions-{name}", loinc("regions_studied"), component=parts, **link)
    if alterations is not None:
        _own(pages, f"findings-{name}", "alterations", {"valueBoolean": True}, link)
        for place, one in enumerate(alterations, start=1):
            _variant(pages, f"variant-{name}-{place}", one, link)


def _specimen(pages: Pages, name: str, specimen: Specimen) -> dict[str, Any]:
    content: dict[str, Any] = {"subject": {"reference": pages.patient}}
    if specimen.source is not None:
        content["type"] = coded("v2-0487", _TYPE[specimen.source])
    if specimen.days_before_index is not None:
        content["collection"] = {"collectedDateTime": pages.before(specimen.days_before_index)}
    return pages.add("Specimen", f"specimen-{name}", **content)


def _own(pages: Pages, name: str, path: str, value: dict[str, Any], link: dict[str, Any]) -> None:
    pages.observation(name, {"coding": [{"system": URL["own"], "code": path}]}, **value, **link)


def gene_concept(symbol: str) -> dict[str, Any]:
    """Return a gene: its HGNC id where the vocabulary has it, else the symbol as code.

    Examples
    --------
    >>> gene_concept("BRAF")["coding"][0]["code"]
    'HGNC:1097'
    """
    row = genes.row(symbol)
    return coded("hgnc", row.hgnc_id if row is not None and row.hgnc_id else symbol, symbol)


def _component(part: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"code": coded("loinc", codes.PARTS[part][0]), **value}


def _variant(pages: Pages, name: str, one: Alteration, link: dict[str, Any]) -> None:
    said = "LA9633-4" if one.status == "present" else "LA9634-2"
    parts = [_component("gene", {"valueCodeableConcept": gene_concept(one.gene)})]
    parts += [*_notation("protein", one.protein_change), *_notation("cdna", one.cdna_change)]
    if one.vaf is not None:
        parts.append(_component("vaf", {"valueQuantity": quantity(one.vaf, "1")}))
    if one.origin is not None:
        answer = next(code for code, origin in codes.ORIGIN.items() if origin == one.origin)
        parts.append(_component("source_class", {"valueCodeableConcept": coded("loinc", answer)}))
    if one.copies is not None:
        parts.append(_component("copies", {"valueQuantity": quantity(one.copies, "1")}))
    if one.kind in _CHANGE:
        parts.append(_component("dna_change_type", {"valueCodeableConcept": coded("so", _CHANGE[one.kind])}))
    consequence = next((code for code, word in codes.CONSEQUENCE.items() if word == one.variant_classification), "")
    if consequence:
        parts.append({"code": coded("tbd", "molecular-consequence"), "valueCodeableConcept": coded("so", consequence)})
    parts += _own_parts(one)
    pages.observation(name, loinc("variant"), valueCodeableConcept=coded("loinc", said), component=parts, **link)


def _notation(slot: str, written: str | None) -> list[dict[str, Any]]:
    if written is None:
        return []
    value = coded("hgvs", written) if written.startswith(("p.", "c.")) else {"text": written}
    return [_component(slot, {"valueCodeableConcept": value})]


def _own_parts(one: Alteration) -> list[dict[str, Any]]:
    """Return the fields that no public code carries exactly, by our own codes; the kind always."""
    exact: list[tuple[str, Any]] = [("kind", one.kind)]
    for name in _EXACT:
        value = getattr(one, name)
        if value is not None and not (name == "status" and value == "present"):
            exact.append((name, value))
    for name, written in (("protein_change", one.protein_change), ("cdna_change", one.cdna_change)):
        if written is not None and (bare(written) != written or not written.startswith(("p.", "c."))):
            exact.append((name, written))
    return [
        {
            "code": {"coding": [{"system": URL["own"], "code": name}]},
            **({"valueQuantity": {"value": value}} if isinstance(value, (int, float)) else {"valueString": value}),
        }
        for name, value in exact
    ]
