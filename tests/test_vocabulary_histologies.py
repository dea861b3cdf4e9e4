"""The histology vocabulary: hygiene of the table, and the names that people really write."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from features import histology
from features.errors import UnknownHistology
from features.vocabulary import table
from tests.cases import golden

if TYPE_CHECKING:
    from pathlib import Path

ROWS = table("histologies")
CODES = {row["code"] for row in ROWS}
ICDO3 = re.compile(r"\d{4}/\d")
LORIS_TYPES = (
    "NSCLC",
    "Melanoma",
    "Renal",
    "Bladder",
    "Head & Neck",
    "Gastric",
    "Hepatobiliary",
    "SCLC",
    "Sarcoma",
    "Colorectal",
    "Endometrial",
    "Esophageal",
    "Ovarian",
    "Mesothelioma",
    "Pancreatic",
    "Breast",
)


def test_codes_are_unique_and_sorted() -> None:
    codes = [row["code"] for row in ROWS]
    assert codes == sorted(set(codes))
    assert len(codes) >= 130


def test_every_parent_is_a_row_and_every_chain_ends() -> None:
    assert {row["parent"] for row in ROWS} - {""} <= CODES
    for code in CODES:
        assert len(histology.lineage(code)) <= 7


def test_every_row_has_a_tissue_a_source_and_a_version() -> None:
    bare = [
        row["code"] for row in ROWS if not all(row[k] for k in ("name", "tissue", "main_type", "source", "version"))
    ]
    assert bare == []


def test_no_name_stands_for_two_codes() -> None:
    holders: dict[str, set[str]] = defaultdict(set)
    for code in CODES:
        row = histology.row(code)
        for name in (code, row.name, *row.synonyms):
            holders[histology.folded(name)].add(code)
    assert {name: codes for name, codes in holders.items() if len(codes) > 1} == {}


def test_every_name_and_synonym_resolves_to_its_row() -> None:
    for code in CODES:
        row = histology.row(code)
        assert {histology.resolve_for_arm(name) for name in (code, row.name, *row.synonyms)} == {code}


def test_morphology_and_snomed_are_codes() -> None:
    for code in CODES:
        row = histology.row(code)
        assert all(ICDO3.fullmatch(morphology) for morphology in row.icdo3), code
        assert all(concept.isdigit() for concept in row.snomed), code


def test_a_basket_is_never_a_case() -> None:
    baskets = {row["code"] for row in ROWS if row["arms_only"]}
    assert "MIXED" in baskets
    assert baskets.isdisjoint(histology.codes())
    for basket in baskets:
        with pytest.raises(UnknownHistology, match="basket"):
            histology.resolve(basket)


@pytest.mark.parametrize("name", LORIS_TYPES)
def test_the_cancer_types_of_loris_resolve(name: str) -> None:
    assert histology.resolve(name) in histology.codes()


@pytest.mark.parametrize("row", golden("histologies"), ids=lambda row: row["case"])
def test_golden_names(row: dict[str, str]) -> None:
    if row["expected"].startswith("!"):
        with pytest.raises(UnknownHistology, match=row["expected"][1:]):
            histology.resolve(row["input"])
    else:
        assert histology.resolve(row["input"]) == row["expected"]


def test_golden_table_is_large_enough() -> None:
    assert len(golden("histologies")) >= 60


def test_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(UnknownHistology) as refused:
        histology.resolve("Lung Adenocarcinomaa")
    assert "LUAD (Lung Adenocarcinoma)" in refused.value.allowed
    assert "Nearest: LUAD" in str(refused.value)


@pytest.mark.shared
def test_every_arm_and_every_cohort_code_resolves(shared_dir: Path) -> None:
    with (shared_dir / "evidence" / "published_arms.csv").open(encoding="utf-8") as arms:
        codes = {arm["oncotree_code"] for arm in csv.DictReader(arms)}
    with (shared_dir / "data" / "rizvi18" / "CLIN_sample.txt").open(encoding="utf-8") as samples:
        codes |= {sample["ONCOTREE_CODE"] for sample in csv.DictReader(samples, delimiter="\t")}
    codes |= {"BILIARY_TRACT", "CHOL", "GBC", "AMPCA"}
    for code in codes - {"HISTIOCYTOSIS"}:
        assert histology.resolve_for_arm(code) == code
    assert histology.resolve_for_arm("HISTIOCYTOSIS") == "HDCN"
