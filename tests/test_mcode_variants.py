"""Variants of real exports, one invented bundle each: present, absent, unclear; genes, copies, fusions, notations."""

from __future__ import annotations

from typing import Any

import pytest

from features.sources.mcode import ReadCase, read_bundle
from tests.fhir_invented import (
    HGNC,
    HGVS,
    INDEX,
    LOINC,
    SO,
    TBD,
    bundle,
    component,
    concept,
    condition,
    gene,
    hgvs,
    loinc,
    observation,
    patient,
    quantity,
    variant,
)

THERAPY = "pembrolizumab"


def read(*resources: dict[str, Any], **more: Any) -> ReadCase:
    """Read a bundle of a patient with lung adenocarcinoma and these resources."""
    return read_bundle(bundle(patient(), condition(), *resources), **{"therapy": THERAPY, "index_date": INDEX, **more})


def codes(found: ReadCase) -> set[str]:
    """Codes of errors and warnings."""
    return {one.code for one in found.findings if one.severity != "information"}


def v600e(**more: Any) -> dict[str, Any]:
    """BRAF V600E, present."""
    return variant(gene("BRAF", "HGNC:1097"), hgvs("p", "p.Val600Glu"), **more)


BRAF = {"gene": "BRAF", "kind": "mutation", "protein_change": "p.Val600Glu"}
SPECIMEN = {
    "resourceType": "Specimen",
    "id": "s1",
    "type": {"text": "Tumor tissue"},
    "collection": {"collectedDateTime": "2025-12-16"},
}
BLOOD = {
    "resourceType": "Specimen",
    "id": "b1",
    "collection": {"collectedDateTime": "2026-01-05"},
    "type": concept(("http://terminology.hl7.org/CodeSystem/v2-0487", "PLAS")),
}


def test_absent_variants_are_negatives_and_in_blood_not_detected() -> None:
    """Three genes absent are three negatives; no fusion, no mutation."""
    genes = [gene("NRAS", "HGNC:7989"), gene("KIT", "HGNC:6342"), gene("BRAF", "HGNC:1097")]
    found = read(variant(*genes, said="LA9634-2"))
    assert found.raw["alterations"] == [
        {"gene": name, "kind": "mutation", "status": "absent"} for name in ("BRAF", "KIT", "NRAS")
    ]
    assert not codes(found)
    blood = read(BLOOD, variant(gene("BRAF"), said="LA9634-2", specimen={"reference": "Specimen/b1"}))
    assert blood.raw["alterations"] == [{"gene": "BRAF", "kind": "mutation", "status": "not_detected"}]
    one = read(variant(gene("EGFR"), hgvs("p", "p.Thr790Met"), said="LA9634-2"))
    assert one.raw["alterations"] == [
        {"gene": "EGFR", "kind": "mutation", "status": "absent", "protein_change": "p.Thr790Met"}
    ]


@pytest.mark.parametrize(
    "value", [{"valueCodeableConcept": concept((LOINC, "LA11884-6"))}, {}, {"valueString": "see report"}]
)
def test_undecided_variants_are_unknown_not_wild_type(value: dict[str, Any]) -> None:
    """Indeterminate, without a value, or not understood."""
    regions = observation("53041-0", "r1", component=[gene("BRAF"), gene("EGFR")])
    found = read(regions, observation("69548-6", "v1", component=[gene("BRAF"), hgvs("p", "p.V600E")], **value))
    assert "alterations" not in found.raw
    assert found.raw["assay"] == {"genes_tested": ["EGFR"]}


def test_ids_and_names_of_genes_that_differ() -> None:
    """One gene of a present variant: not used, an id of a second system: said, a swap within a set: harmless."""
    found = read(variant(gene("NRAS", "HGNC:6342"), hgvs("p", "p.Q61R")))
    assert "alterations" not in found.raw
    assert "gene_conflict" in codes(found)
    entrez = {
        "code": loinc("48018-6"),
        "valueCodeableConcept": concept(
            (HGNC, "HGNC:950", "BAP1"), ("https://www.ncbi.nlm.nih.gov/gene", "3815", "BAP1")
        ),
    }
    second = read(variant(entrez, hgvs("p", "p.Q590*")))
    assert second.raw["alterations"][0]["gene"] == "BAP1"
    assert "gene_conflict" in codes(second)
    swap = read(variant(gene("NRAS", "HGNC:6342"), gene("KIT", "HGNC:7989"), said="LA9634-2"))
    assert {one["gene"] for one in swap.raw["alterations"]} == {"KIT", "NRAS"}
    assert "gene_ids_swapped" in codes(swap)


@pytest.mark.parametrize(
    "written",
    [
        (HGNC, "HGNC:1097", "BRAF"),
        ("http://www.genenames.org/geneId", "BRAF"),
        ("http://genenames.org/geneId", "1097"),
        ("urn:oid:2.16.840.1.113883.6.281", "HGNC:1097", "B-Raf proto-oncogene"),
    ],
)
def test_genes_by_every_spelling(written: tuple[str, ...]) -> None:
    """Ids with and without prefix, symbols as code, long names."""
    part = {"code": loinc("48018-6"), "valueCodeableConcept": concept(written)}
    assert read(variant(part, hgvs("p", "p.V600E"))).raw["alterations"][0]["gene"] == "BRAF"


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (component("82155-3", valueQuantity=quantity(12, "1")), {"kind": "amplification", "copies": 12.0}),
        (component("82155-3", valueQuantity=quantity(8, comparator=">=")), {"kind": "amplification"}),
        (component("82155-3", valueRange={"low": {"value": 7}, "high": {"value": 9}}), {"kind": "amplification"}),
        (component("82155-3", valueQuantity=quantity(0, "1")), {"kind": "deletion", "copies": 0.0}),
        (component("82155-3", valueQuantity=quantity(3, "1")), None),
        (component("82155-3", valueQuantity=quantity(8, comparator="<")), None),
        (component(concept((TBD, "molecular-consequence")), valueCodeableConcept=concept((SO, "SO:0001742"))), None),
        (
            component(concept((TBD, "molecular-consequence")), valueCodeableConcept=concept((SO + "/", "SO:0001880"))),
            {"kind": "amplification"},
        ),
        (component("48019-4", valueCodeableConcept={"text": "Amplification"}), {"kind": "amplification"}),
    ],
)
def test_copy_numbers(part: dict[str, Any], kind: dict[str, Any] | None) -> None:
    """A number decides from 6 and under 0.5; a relative call alone is no event, and no wild-type either."""
    found = read(variant(gene("ERBB2"), part))
    assert found.raw.get("alterations") == ([{"gene": "ERBB2", **kind}] if kind else None)
    assert ("copy_number_relative" in codes(found)) == (kind is None)


def test_fusions() -> None:
    """Two genes in any order, one gene with a type, the partner in a text; three genes cannot be read."""
    typed = component("48019-4", valueCodeableConcept=concept((SO, "SO:0001565", "gene_fusion")))
    expected = [{"gene": "ALK", "kind": "fusion", "partner": "EML4"}]
    assert read(variant(gene("ALK"), gene("EML4"), typed)).raw["alterations"] == expected
    assert read(variant(gene("EML4"), gene("ALK"), typed)).raw["alterations"] == expected
    assert read(variant(gene("ROS1"), typed)).raw["alterations"] == [{"gene": "ROS1", "kind": "fusion"}]
    text = component("81252-9", valueCodeableConcept={"text": "CD74::ROS1"})
    assert read(variant(gene("ROS1"), typed, text)).raw["alterations"] == [
        {"gene": "ROS1", "kind": "fusion", "partner": "CD74::ROS1"}
    ]
    three = read(variant(gene("A1BG"), gene("EML4"), gene("ALK"), typed))
    assert "alterations" not in three.raw
    assert "variant_unclear" in codes(three)


@pytest.mark.parametrize(
    ("given", "fraction"),
    [
        (quantity(32, "%"), 0.32),
        (quantity(0.32, "1"), 0.32),
        (quantity(0.32), 0.32),
        (quantity(32), None),
        (quantity(3200, "%"), None),
    ],
)
def test_allele_fractions(given: dict[str, Any], fraction: float | None) -> None:
    """Percent or fraction by the unit; a bare number above 1 is neither."""
    found = read(variant(gene("BRAF"), hgvs("p", "p.V600E"), component("81258-6", valueQuantity=given)))
    assert found.raw["alterations"][0].get("vaf") == fraction
    assert ("unit_not_understood" in codes(found)) == (fraction is None)


def test_clinvar_text_gives_the_change() -> None:
    """Where there is no HGVS of its own."""
    part = component(
        "81252-9",
        valueCodeableConcept=concept(
            ("http://www.ncbi.nlm.nih.gov/clinvar", "128144", "NM_024675.3(PALB2):c.3549C>A (p.Tyr1183Ter)")
        ),
    )
    assert read(variant(gene("PALB2"), part)).raw["alterations"] == [
        {"gene": "PALB2", "kind": "mutation", "protein_change": "p.Tyr1183Ter", "cdna_change": "c.3549C>A"}
    ]


def test_notations_that_contradict_each_other() -> None:
    """Code and display of one notation, and a notation against its consequence."""
    part = {"code": loinc("48005-3"), "valueCodeableConcept": concept((HGVS, "p.V600E", "p.V600K"))}
    found = read(variant(gene("BRAF"), part))
    assert "alterations" not in found.raw
    assert "display_conflict" in codes(found)
    same = {"code": loinc("48005-3"), "valueCodeableConcept": concept((HGVS, "NP_004324.2:p.Val600Glu", "p.V600E"))}
    assert read(variant(gene("BRAF"), same)).raw["alterations"][0]["protein_change"] in {"p.V600E", "p.Val600Glu"}
    stop = component(concept((TBD, "molecular-consequence")), valueCodeableConcept=concept((SO, "SO:0001587")))
    other = read(variant(gene("BRAF"), hgvs("p", "p.V600E"), stop))
    assert other.raw["alterations"] == [{"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E"}]
    assert "consequence_conflict" in codes(other)


def test_present_and_absent_at_once() -> None:
    """The finding counts against a negative of the whole gene; the same change both ways is not used."""
    found = read(v600e(), variant(gene("BRAF"), said="LA9634-2", identity="v2"))
    assert found.raw["alterations"] == [BRAF]
    assert "conflicting_values" in codes(found)
    both = read(v600e(), v600e(identity="v2", said="LA9634-2"))
    assert "alterations" not in both.raw


def test_several_specimens_stay_apart() -> None:
    """Tissue and plasma with findings of their own; a result that names no specimen is given none."""
    found = read(
        SPECIMEN,
        BLOOD,
        v600e(specimen={"reference": "Specimen/s1"}),
        variant(gene("TP53"), hgvs("p", "p.R273H"), identity="v2", specimen={"reference": "Specimen/b1"}),
    )
    assert [one["source"] for one in found.raw["specimens"]] == ["tissue", "blood"]
    assert "specimen" not in read(SPECIMEN, v600e()).raw
