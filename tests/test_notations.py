"""Notations: the golden table, and the notations of real files.

``input`` is ``GENE notation``, with ``[classification]`` and ``(germline)`` after it where they are given; for other
kinds ``GENE kind detail``. ``expected`` is the canonical text and the narrowest classes (``-``: none), or ``refused``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.cdna_notation import read_cdna
from features.driver_classes import classes_of, read
from features.errors import UnreadableAlteration
from features.fusions import read_fusion_text
from features.protein_notation import read_protein
from features.sources.maf import CODING, classification_of, first_filled, maf_rows, understood
from features.variant_classification import kind_of_classification
from tests.alteration_texts import alteration_of
from tests.golden_tables import golden

if TYPE_CHECKING:
    from pathlib import Path

GOLDEN = golden("notations")
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
THREE = dict(
    zip(
        RESIDUES,
        [
            "Ala",
            "Cys",
            "Asp",
            "Glu",
            "Phe",
            "Gly",
            "His",
            "Ile",
            "Lys",
            "Leu",
            "Met",
            "Asn",
            "Pro",
            "Gln",
            "Arg",
            "Ser",
            "Thr",
            "Val",
            "Trp",
            "Tyr",
        ],
        strict=True,
    )
)


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: f"{row['case']} {row['input']}")
def test_golden(row: dict[str, str]) -> None:
    alteration = alteration_of(row["input"])
    if row["expected"] == "refused":
        with pytest.raises(UnreadableAlteration) as refused:
            classes_of(alteration)
        assert refused.value.way_out
        return
    found = read(alteration)
    assert not found.unreadable
    assert f"{found.text} | {' '.join(found.narrowest) or '-'}" == row["expected"]


def test_the_golden_table_is_as_long_as_asked() -> None:
    assert len(GOLDEN) >= 150
    assert len({row["input"] for row in GOLDEN}) == len(GOLDEN)
    assert all(row["source"] for row in GOLDEN)


@given(st.sampled_from(RESIDUES), st.integers(2, 3000), st.sampled_from(RESIDUES))
def test_one_and_three_letters_say_the_same(old: str, place: int, new: str) -> None:
    short, long = f"p.{old}{place}{new}", f"p.({THREE[old]}{place}{THREE[new]})"
    assert read_protein(short) == read_protein(long) == read_protein(f"NP_000001.1:{short}")


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for reader in (read_protein, read_cdna, kind_of_classification, read_fusion_text):
        try:
            reader(text)
        except UnreadableAlteration as refusal:
            assert refusal.message  # noqa: PT017


@given(st.sampled_from(["EML4-ALK", "ALK-EML4", "EML4::ALK", "ALK::EML4", "EML4/ALK", "EML4-ALK fusion"]))
def test_partners_in_any_order(text: str) -> None:
    assert read_fusion_text(text).text == "EML4::ALK"


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    ["rizvi18/SNV.txt.gz", "braun/SNV.txt.gz", "summit-biliary/data_mutations_extended.txt", "oak/ctdna_variants.csv"],
)
def test_protein_changes_of_real_files_are_understood(name: str, shared_dir: Path) -> None:
    found = understood(maf_rows(shared_dir / "data" / name))
    assert found.seen > 100
    assert found.share >= 0.99, found.text()


@pytest.mark.shared
def test_cdna_of_a_file_without_protein_changes_is_understood(shared_dir: Path) -> None:
    """Liu's melanomas come without protein changes."""
    readable = []
    for row in maf_rows(shared_dir / "data" / "liu" / "SNV.txt.gz"):
        text = first_filled(row, CODING)
        if text is not None:
            readable.append(bool(read_cdna(text).text))
    assert len(readable) > 100_000


@pytest.mark.shared
def test_long_and_short_notation_of_one_row_agree(shared_dir: Path) -> None:
    pairs = [
        (read_protein(row["HGVSp"]).text, read_protein(row["HGVSp_Short"]).text)
        for row in maf_rows(shared_dir / "data" / "rizvi18" / "SNV.txt.gz")
        if row["HGVSp"] and row["HGVSp_Short"]
    ]
    assert len(pairs) > 2000
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "column"), [("rizvi18/SNV.txt.gz", "HGVSp_Short"), ("braun/SNV.txt.gz", "Protein_Change")]
)
def test_kind_read_from_the_notation_agrees_with_the_classification(name: str, column: str, shared_dir: Path) -> None:
    """A reading that is wrong would pass the share above; the file's own classification is an independent witness."""
    other_words = {
        ("delins", "missense"),  # two neighbouring bases changed
        ("delins", "inframe_deletion"),
        ("delins", "inframe_insertion"),
        ("duplication", "inframe_insertion"),
        ("extension", "stop_loss"),
        ("splice", "noncoding"),  # Splice_Region
        ("synonymous", "noncoding"),
        ("nonsense", "frameshift"),  # a shift whose first new codon is a stop
    }
    rows = [row for row in maf_rows(shared_dir / "data" / name) if row[column]]
    pairs = [(read_protein(row[column]).kind, kind_of_classification(classification_of(row) or "")) for row in rows]
    # Splice_Site of the Broad's files takes in the last bases of an exon, where the protein change is what it says
    unlike = [pair for pair in pairs if pair[0] != pair[1] and pair not in other_words and pair[1] != "splice"]
    assert len(unlike) / len(pairs) <= 0.001, unlike[:10]
