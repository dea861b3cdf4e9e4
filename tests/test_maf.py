"""MAF and VCF into alterations: the shared examples, and invented rows of the shapes people have."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from features.case import read_case
from features.driver_classes import classes_of
from features.errors import CohortRefusal
from features.sources.maf import alterations_of, alterations_of_maf, classification_of, maf_rows
from features.sources.vcf import alterations_of_vcf

if TYPE_CHECKING:
    from pathlib import Path

GDC = """#version 2.4
Hugo_Symbol	Variant_Classification	Tumor_Sample_Barcode	HGVSc	HGVSp_Short	t_ref_count	t_alt_count	Mutation_Status
BRAF	Missense_Mutation	S1	c.1799T>A	p.V600E	60	40	SOMATIC
TP53	Nonsense_Mutation	S1	c.637C>T	p.R213*	90	10
Unknown	IGR	S1				1	1
BRCA2	Frame_Shift_Del	S1	c.5946del	p.S1982Rfs*22	50	50	GERMLINE
KRAS	Missense_Mutation	S2	c.34G>T	p.??G12C	5	5	SOMATIC
"""
CTDNA = (
    "PtID,gene_name,protein_syntax,cds_syntax,effect,af\n"
    "7,EGFR,p.L858R,c.2573T>G,missense,0.031\n7,MET,,c.3028+1G>T,splice,0.2\n"
)
CSQ = (
    '##INFO=<ID=CSQ,Number=.,Type=String,Description="Ensembl VEP. Format: Allele|Consequence|SYMBOL|HGVSc|HGVSp|PICK">'
)
VCF = f"""##fileformat=VCFv4.2
{CSQ}
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	NORMAL	TUMOR
7	140453136	.	A	T	.	.	CSQ=T|intron_variant|BRAF|||,T|missense_variant|BRAF|ENST00000288602.6:c.1799T>A|ENSP1:p.Val600Glu|1	GT:AD:DP	0/0:40,0:40	0/1:75,25:100
17	7577539	.	G	A	.	.	CSQ=A|synonymous_variant|TP53|ENST00000269305.4:c.375G>T|ENSP2:p.Thr125%3D|1	GT:AD:DP	0/0:40,0:40	0/1:9,1:10
12	25398285	.	C	A	.	.	CSQ=A|missense_variant|KRAS|ENST00000256078.4:c.34G>T|ENSP3:p.Gly12Cys|1	GT:AD:DP	0/1:4,4:8	0/0:10,0:10
"""  # noqa: E501  (lines of a VCF)


@pytest.fixture
def gdc(tmp_path: Path) -> Path:
    path = tmp_path / "data_mutations.txt"
    path.write_text(GDC, encoding="utf-8")
    return path


def test_one_sample_of_a_maf(gdc: Path) -> None:
    found, tally = alterations_of_maf(gdc, "S1")
    assert [(one.gene, one.protein_change, one.vaf, one.origin) for one in found] == [
        ("BRAF", "p.V600E", 0.4, "somatic"),
        ("TP53", "p.R213*", 0.1, None),
        ("BRCA2", "p.S1982Rfs*22", 0.5, "germline"),
    ]
    assert tally.share == 1
    assert classes_of(found[2])[0] == "BRCA2_GERMLINE_LOSS"


def test_alterations_as_a_case_writes_them(gdc: Path) -> None:
    record = {"histology": "MEL", "therapy": {"agents": ["vemurafenib"]}, "alterations": alterations_of(gdc, "S1")}
    assert [one.gene for one in read_case(record).alterations or ()] == ["BRAF", "TP53", "BRCA2"]


def test_what_is_not_understood_is_listed_and_the_row_kept(gdc: Path) -> None:
    found, tally = alterations_of_maf(gdc, "S2")
    assert tally.text() == "0 of 1 understood (0.00%); not: p.??G12C (1)"
    assert (found[0].protein_change, found[0].cdna_change) == (None, "c.34G>T")
    assert classes_of(found[0])[0] == "KRAS_G12C"


def test_an_unknown_sample_is_refused_with_the_nearest(gdc: Path) -> None:
    with pytest.raises(CohortRefusal, match="has no sample 'S3'"):
        alterations_of_maf(gdc, "S3")
    with pytest.raises(CohortRefusal, match="2 samples; name one"):
        alterations_of_maf(gdc)


def test_a_comma_separated_table_compressed(tmp_path: Path) -> None:
    path = tmp_path / "ctdna.csv.gz"
    path.write_bytes(gzip.compress(CTDNA.encode()))
    found, tally = alterations_of_maf(path, "7")
    assert [classes_of(one)[0] for one in found] == ["EGFR_L858R", "MET_EXON14"]
    assert [one.vaf for one in found] == [0.031, 0.2]
    assert (tally.seen, tally.read) == (1, 1)


def test_a_file_without_genes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text("a\tb\n1\t2\n", encoding="utf-8")
    with pytest.raises(CohortRefusal, match="no column of gene symbols"):
        list(maf_rows(path))


def test_a_row_that_lacks_its_consequence_is_read_one_cell_to_the_left() -> None:
    assert classification_of({"Consequence": "Splice_Site", "Variant_Classification": "SNP"}) == "Splice_Site"


def test_an_annotated_vcf(tmp_path: Path) -> None:
    path = tmp_path / "one.vcf"
    path.write_text(VCF, encoding="utf-8")
    found, _ = alterations_of_vcf(path)
    assert [(one.gene, one.vaf) for one in found] == [("BRAF", 0.25), ("TP53", 0.1)]
    assert classes_of(found[0])[0] == "BRAF_V600E"
    with pytest.raises(CohortRefusal, match="has no sample"):
        alterations_of_vcf(path, "TUMOUR")


@pytest.mark.shared
def test_the_shared_maf_of_vep(shared_dir: Path) -> None:
    found, tally = alterations_of_maf(shared_dir / "maf" / "test_output.vep_isoforms.maf")
    assert (tally.share, tally.seen) == (1.0, 15)
    classes = {one.protein_change: classes_of(one)[:1] for one in found if one.protein_change}
    assert classes["p.E545K"] == ("PIK3CA_HELICAL",)
    assert classes["p.D1028H"] == ("MET_EXON14",)
    assert classes["p.T125="] == ()


@pytest.mark.shared
def test_a_maf_without_notation_gives_what_its_classification_says(shared_dir: Path) -> None:
    found, tally = alterations_of_maf(shared_dir / "maf" / "test.maf")
    assert tally.seen == 0
    assert ("BAP1_LOSS",) in {classes_of(one)[:1] for one in found if one.gene == "BAP1"}


@pytest.mark.shared
@pytest.mark.parametrize("name", ["test.vcf", "test_b38.vcf"])
def test_a_vcf_without_annotation_is_refused_with_the_way_out(name: str, shared_dir: Path) -> None:
    with pytest.raises(CohortRefusal, match="Annotate it with VEP"):
        alterations_of_vcf(shared_dir / "maf" / name)
