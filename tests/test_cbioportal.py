"""Study folders in cBioPortal's shapes, with invented rows: matrix and list, mangled headers, timelines."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
import yaml

from features.cohort import Cohort
from features.sources.manifest import build
from features.sources.manifest_refusals import SourceNotFound, UnusableColumn

RULES: dict[str, Any] = {
    "format": 1,
    "cohort": {
        "id": "study",
        "title": "Invented study",
        "source": "nobody",
        "licence": "CC0-1.0",
        "assay": "IMPACT",
        "endpoint": "orr",
        "denominator": "itt",
    },
    "study": {"keep_samples": [{"unless": {"SAMPLE_TYPE": "Normal"}, "otherwise": "matched normal"}]},
    "ids": {"case": "{PATIENT_ID}"},
    "fields": {"histology": {"column": "ONCOTREE_CODE", "when_blank": "CHOL"}},
    "therapy": {"agents": [{"value": ["neratinib"]}]},
    "specimens": [{"name": "tumour", "unknown_where": [{"SAMPLE_ID": ""}], "fields": {"panel": "GENE_PANEL"}}],
    "outcome": {
        "best_response": {"column": "BOR", "codes": {c: c for c in ("CR", "PR", "SD", "PD", "NE")}},
        "reasons": {"NE": "no scan"},
    },
}
PATIENTS = (
    "#Patient IdentiFemaleier\tBest\n#STRING\tSTRING\nPATIENT_ID\tBOR\tOS_MONTHS\nP1\tPR\t3\nP2\tNE\t4\nP3\tSD\t5\n"
)
SAMPLES = (
    "PATIENT_ID\tSAMPLE_ID\tSAMPLE_TYPE\tONCOTREE_CODE\tGENE_PANEL\n"
    "P1\tS1\tPrimary\tGBC\tIMPACT468\nP1\tN1\tNormal\tNormal\tIMPACT468\nP2\tS2\tMetastasis\tCHOL\tIMPACT468\n"
)
MAF = (
    "#version 2.4\n"
    "Hugo_Symbol\tVariant_Classification\tTumor_Sample_Barcode\tHGVSp_Short\tHGVSc\tt_alt_count\tt_ref_count\n"
    "ERBB2\tMissense_Mutation\tS1\tp.S310F\tc.929C>T\t25\t75\nTP53\tNonsense_Mutation\tS2\tp.R213*\t\t\t\n"
    "KRAS\tSilent\tN1\tp.G12G\t\t1\t1\n"
)


def study(folder: Path, **changes: Any) -> Cohort:
    """Write a study folder and build it."""
    for name, text in (
        ("data_clinical_patient.txt", PATIENTS),
        ("data_clinical_sample.txt", SAMPLES),
        ("data_mutations.txt", MAF),
    ):
        if not (folder / name).exists():
            (folder / name).write_text(text)
    (folder / "m.yaml").write_text(yaml.safe_dump({**RULES, **changes}))
    return build(folder / "m.yaml", folder)


def _found(cohort: Cohort, row: int) -> list[tuple[str, str]]:
    return [(a.gene, a.kind) for a in cohort.case(row).alterations or ()]


def test_clinical_and_mutations(tmp_path: Path) -> None:
    cohort = study(tmp_path)
    first, second, third = cohort
    assert (first.histology, second.histology, third.histology) == ("GBC", "CHOL", "CHOL")
    assert [(a.gene, a.protein_change, a.vaf) for a in first.alterations or ()] == [("ERBB2", "p.S310F", 0.25)]
    assert (second.alterations or ())[0].vaf is None
    assert third.alterations is None
    assert cohort.response.tolist() == [1.0, 0.0, 0.0]
    report = cohort.build or {}
    assert report["findings"]["samples of data_clinical_sample.txt"] == {"left out: matched normal": 1, "kept": 2}
    assert report["after_index"] == ["OS_MONTHS"]


def test_copy_number_matrix_gzipped(tmp_path: Path) -> None:
    text = "Hugo_Symbol\tEntrez_Gene_Id\tS1\tS2\nERBB2\t1\t2\t0\nCDKN2A\t2\t-1.5\t-2\nMET\t3\tNA\t1\n"
    (tmp_path / "data_cna.txt").write_text("x")
    (tmp_path / "data_cna.txt").unlink()
    (tmp_path / "CNA.txt.gz").write_bytes(gzip.compress(text.encode()))
    cohort = study(tmp_path, study={**RULES["study"], "copy_number": ["CNA.txt.gz"]})
    assert ("ERBB2", "amplification") in _found(cohort, 0)
    assert ("CDKN2A", "deletion") in _found(cohort, 1)
    assert (cohort.build or {})["findings"]["CNA.txt.gz"]["left out: call '-1.5' is no event"] == 1


def test_copy_number_list_and_structural_variants(tmp_path: Path) -> None:
    (tmp_path / "data_CNA.tsv").write_text(
        "Samples\tGene\tGene panel\tCNA\nS1\tMET\tIMPACT468\tAMP\nS2\tPTEN\tIMPACT468\tDeepDel\n"
    )
    (tmp_path / "data_sv.txt").write_text(
        "Sample_Id\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol\nS1\tFGFR2\tBICC1\nS2\tEML4\tALK\n"
    )
    cohort = study(tmp_path)
    assert {("MET", "amplification"), ("FGFR2", "fusion")} <= set(_found(cohort, 0))
    assert {("PTEN", "deletion"), ("ALK", "fusion")} <= set(_found(cohort, 1))


def test_a_mangled_header_is_put_right_by_name(tmp_path: Path) -> None:
    mangled = MAF.replace("Variant_Classification", "Consequence").replace(
        "t_alt_count\tt_ref_count", "t_ref_count\tt_alt_count"
    )
    (tmp_path / "data_mutations.txt").write_text(mangled)
    renamed = {"Variant_Classification": "Consequence", "t_alt_count": "t_ref_count", "t_ref_count": "t_alt_count"}
    first = study(tmp_path, study={**RULES["study"], "renamed": renamed}).case(0)
    assert [(a.variant_classification, a.vaf) for a in first.alterations or ()] == [("Missense_Mutation", 0.25)]


def test_the_panel_matrix_joins_the_samples(tmp_path: Path) -> None:
    (tmp_path / "data_gene_panel_matrix.txt").write_text("SAMPLE_ID\tmutations\tcna\nS1\tIMPACT341\tIMPACT341\n")
    specimens = [{"name": "tumour", "fields": {"panel": ["GENE_PANEL_MATRIX", "GENE_PANEL"]}}]
    cohort = study(tmp_path, specimens=specimens)
    assert cohort.cases.column("assay.panel").to_pylist()[:2] == ["IMPACT341", "IMPACT468"]


def test_the_timeline_gives_what_started_before(tmp_path: Path) -> None:
    (tmp_path / "data_timeline_treatment.txt").write_text(
        "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tAGENT\nP1\t-200\t-50\tCarboplatin\nP1\t-200\t-50\tPemetrexed\nP1\t10\t20\tNivolumab\nP2\t-9\t\tMagic\n"
    )
    timeline = {"file": "data_timeline_treatment.txt", "index_day": 0}
    cohort = study(tmp_path, study={**RULES["study"], "timeline_treatment": timeline})
    (prior,) = cohort.case(0).prior_therapies or ()
    assert (prior.agents, prior.started_days_before_index, prior.ended_days_before_index) == (
        ("carboplatin", "pemetrexed"),
        200.0,
        50.0,
    )
    assert (cohort.build or {})["unreadable"]["prior_therapies"] == {"Magic": 1}


def test_two_samples_of_one_patient_are_never_chosen_by_us(tmp_path: Path) -> None:
    with pytest.raises(UnusableColumn, match="keep_samples"):
        study(tmp_path, study={})


def test_a_folder_that_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(RULES))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceNotFound, match="data_clinical_patient"):
        build(tmp_path / "m.yaml", tmp_path / "empty")
    with pytest.raises(SourceNotFound, match="folder"):
        build(tmp_path / "m.yaml", tmp_path / "none")
