"""The alterations builder: three values for three states of knowledge, blood, germline, and what must never matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.alteration_columns import COLUMNS, GENES, PATHWAYS, PLACE
from features.alterations import AlterationsBuilder, class_matrix
from features.case import Alteration, read_case
from features.finding_levels import facts_of
from features.from_cases import batch_of
from tests.alteration_texts import fields_of

BUILDER = AlterationsBuilder()
PANEL = ["EGFR", "KRAS", "TP53", "STK11", "BRAF", "ALK", "ROS1", "RET", "ERBB2", "PTEN", "PIK3CA"]
TEXTS = [
    "EGFR L858R",
    "EGFR T790M",
    "KRAS G12C",
    "STK11 Q37*",
    "TP53 R175H",
    "BRAF V600E",
    "ALK fusion EML4",
    "B2M M1?",
    "ERBB2 amplification",
    "CDKN2A deletion",
    "DNMT3A R882H",
    "KIT expression 3+",
    "BRCA1 Q1756fs (germline)",
    "KRAS mutation absent",
    "ALK fusion absent",
    "EGFR mutation not_detected",
    "PTEN deletion",
]
PASSENGERS = ["TTN R33A", "MUC16 P100L", "BRAF A762V", "CSMD3 Q50fs", "EGFR R521K"]
DRIVERS = [place for place, column in enumerate(COLUMNS) if column.name != "passengers_log1p"]


def case(
    *findings: str, tested: list[str] | None = PANEL, source: str | None = "tissue", **more: Any
) -> dict[str, Any]:
    return {
        "histology": "LUAD",
        "therapy": {"agents": ["osimertinib"]},
        "assay": {"genes_tested": tested},
        "specimen": {"source": source},
        "alterations": [fields_of(text) for text in findings],
        **more,
    }


def values(*cases: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return BUILDER.build(batch_of([read_case(one) for one in cases]))


def value(name: str, one: dict[str, Any]) -> float:
    return float(values(one)[0, PLACE[name]])


def same(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def test_columns_are_few_and_named_once() -> None:
    names = [column.name for column in COLUMNS]
    assert len(names) == len(set(names)) <= 45
    assert all(column.sign_source for column in COLUMNS if column.expected_sign)


def test_present_absent_and_unknown_are_three_things() -> None:
    assert value("stk11_loss", case("STK11 Q37*")) == 1
    assert value("stk11_loss", case()) == 0
    assert np.isnan(value("stk11_loss", case(tested=["EGFR"])))
    assert np.isnan(value("stk11_loss", case(alterations=None)))
    assert np.isnan(value("passengers_log1p", case(alterations=None)))


def test_a_reported_negative_needs_no_panel() -> None:
    assert value("kras_mutation", case("KRAS mutation absent", tested=None)) == 0
    assert np.isnan(value("kras_mutation", case("KRAS G12C absent", tested=None)))


def test_fusion_column_is_negative_only_when_all_three_are() -> None:
    assert np.isnan(value("kinase_fusion_driver", case("ALK fusion absent", tested=["RET"])))
    assert value("kinase_fusion_driver", case("ALK fusion absent", tested=["RET", "ROS1"])) == 0


def test_two_together_are_known_when_one_is_absent() -> None:
    assert value("kras_with_stk11", case("KRAS G12C", "STK11 Q37*")) == 1
    assert value("kras_with_stk11", case("KRAS mutation absent", tested=None)) == 0
    assert np.isnan(value("kras_with_stk11", case("KRAS G12C", tested=["KRAS"])))


def test_blood_is_not_wild_type() -> None:
    silent, shedding = case(source="blood"), case("TP53 R175H", source="blood")
    assert np.isnan(value("stk11_loss", silent))
    assert value("stk11_loss", shedding) == 0
    assert value("findings_from_blood", shedding) == 1
    assert value("target_not_detected", shedding) == 1
    assert value("target_wild_type", shedding) == 0
    assert value("target_wild_type", case("TP53 R175H")) == 1


def test_clonal_haematopoiesis_is_set_apart_in_blood() -> None:
    blood = case("DNMT3A R882H", source="blood")
    assert value("clonal_haematopoiesis_log1p", blood) == np.log1p(1)
    assert np.isnan(value("stk11_loss", blood)), "a clone of blood cells does not show tumour DNA"
    assert np.isnan(value("clonal_haematopoiesis_log1p", case("DNMT3A R882H")))


def test_germline_is_kept_apart() -> None:
    assert value("tp53_altered", case("TP53 R175H (germline)")) == 0
    assert value("hrr_loss", case("BRCA1 Q1756fs (germline)")) == 1
    assert value("passengers_log1p", case("BRCA2 N372H (germline)")) == 0


def test_small_cell_transformation() -> None:
    changed = {**case("EGFR L858R"), "histology": "SCLC", "histology_at_diagnosis": "LUAD"}
    assert value("small_cell_transformation", changed) == 1
    assert value("small_cell_transformation", {**changed, "histology_at_diagnosis": "SCLC"}) == 0
    assert value("small_cell_transformation", case("EGFR L858R")) == 0


def specimen(days: int, source: str, *findings: str) -> dict[str, Any]:
    return {
        "source": source,
        "days_before_index": days,
        "assay": {"genes_tested": PANEL},
        "alterations": [fields_of(text) for text in findings],
    }


def test_disagreement_between_tissue_and_blood_is_kept() -> None:
    start = {"histology": "LUAD", "therapy": {"agents": ["osimertinib"]}}
    tissue = specimen(200, "tissue", "EGFR L858R")
    assert value("specimens_disagree", {**start, "specimens": [tissue, specimen(10, "blood", "EGFR L858R")]}) == 0
    differ = {**start, "specimens": [tissue, specimen(10, "blood", "EGFR L858R", "EGFR T790M")]}
    assert value("specimens_disagree", differ) == 1
    assert value("resistance_present", {**differ, "therapy": {"agents": ["gefitinib"]}}) == 1
    assert np.isnan(value("specimens_disagree", case("EGFR L858R")))


def test_an_old_specimen_warns() -> None:
    old = batch_of([read_case(case("EGFR L858R", specimen={"source": "tissue", "days_before_index": 412}))])
    assert [text for text in BUILDER.warnings(old, 0) if text.startswith("old_specimen: ") and "412" in text]


def test_clonality_is_relative_to_the_highest_fraction() -> None:
    one = case("EGFR L858R", "TP53 R175H")
    one["alterations"][0]["vaf"], one["alterations"][1]["vaf"] = 0.1, 0.4
    assert value("match_clonality", one) == pytest.approx(0.25)
    one["alterations"][0]["cancer_cell_fraction"] = 0.9
    assert value("match_clonality", one) == pytest.approx(0.9)
    assert np.isnan(value("match_clonality", case("TP53 R175H")))


def test_an_unreadable_notation_leaves_its_gene_unknown_and_warns() -> None:
    """A case refuses such a notation; a batch from a foreign table may still hold one."""
    batch = batch_of([read_case(case("STK11 Q37*", "EGFR L858R"))])
    bad = [
        Alteration.model_construct(gene=gene, kind="mutation", protein_change="??", status="present")
        for gene in ("STK11", "EGFR")
    ]
    filled = [one.model_copy(update=dict.fromkeys(set(Alteration.model_fields) - set(one.__dict__))) for one in bad]
    object.__setattr__(batch.findings, "levels", tuple(filled))
    found = BUILDER.build(batch)[0]
    assert np.isnan(found[PLACE["stk11_loss"]])
    assert found[PLACE["target_untested"]] == 1
    assert class_matrix(batch, ["STK11_LOSS", "KRAS_MUTATION"]).tolist() == [[255, 0]]
    assert [text for text in BUILDER.warnings(batch, 0) if text.startswith("unreadable_alteration: ")]


@given(
    st.lists(st.sampled_from(TEXTS), unique=True),
    st.randoms(use_true_random=False),
    st.sampled_from(["tissue", "blood"]),
)
def test_order_never_matters(texts: list[str], random: Any, source: str) -> None:
    shuffled = random.sample(texts, len(texts))
    assert same(values(case(*texts, source=source)), values(case(*shuffled, source=source)))


@given(st.lists(st.sampled_from(TEXTS), unique=True), st.lists(st.sampled_from(PASSENGERS), min_size=1, unique=True))
def test_a_passenger_never_changes_a_driver_column(texts: list[str], passengers: list[str]) -> None:
    before, after = values(case(*texts)), values(case(*texts, *passengers))
    assert same(before[:, DRIVERS], after[:, DRIVERS])
    place = PLACE["passengers_log1p"]
    assert np.expm1(after[0, place]) == pytest.approx(np.expm1(before[0, place]) + len(passengers))


@given(st.sampled_from(["KRAS", "EGFR", "STK11", "TP53", "BRAF", "PTEN", "PIK3CA"]))
def test_unknown_is_never_negative(gene: str) -> None:
    tested, untested = values(case(tested=[gene]), case(tested=["TTN"]))
    places = [PLACE[status.name] for status in GENES if status.genes == (gene,)]
    assert places
    assert not np.isnan(tested[places]).any()
    assert np.isnan(untested[places]).all()


@given(st.lists(st.lists(st.sampled_from(TEXTS), unique=True, max_size=5), min_size=2, max_size=6))
def test_one_case_and_a_batch_give_the_same_bits(cases: list[list[str]]) -> None:
    therapies = ["osimertinib", "pembrolizumab", "vemurafenib", "olaparib", "sotorasib", "alectinib"]
    records = [
        case(*texts, therapy={"agents": [therapies[i]]}, source=("tissue", "blood")[i % 2])
        for i, texts in enumerate(cases)
    ]
    together = values(*records)
    for row, record in zip(together, records, strict=True):
        assert row.tobytes() == values(record)[0].tobytes()


@pytest.mark.parametrize(
    ("one", "other"),
    [("EGFR p.(Leu858Arg)", "EGFR L858R"), ("ALK fusion EML4-ALK", "EML4 fusion ALK"), ("EGFR del19", "EGFR ex19del")],
)
def test_a_synonym_gives_the_same_row(one: str, other: str) -> None:
    assert same(values(case(one)), values(case(other)))


def test_class_matrix_knows_three_states() -> None:
    ids = ["EGFR_T790M", "EGFR_L858R", "EGFR_SENSITISING", "KRAS_G12C", "BRCA_LOSS", "ERBB2_IHC3"]
    batch = batch_of([read_case(case("EGFR L858R")), read_case(case("EGFR L858R", source="blood"))])
    assert class_matrix(batch, ids).tolist() == [[0, 1, 1, 0, 255, 255], [255, 1, 1, 255, 255, 255]]
    assert class_matrix(batch_of([]), ids).shape == (0, 6)


def test_show_names_the_finding_the_row_and_what_is_unknown() -> None:
    batch = batch_of([read_case(case("EGFR L858R", "EGFR T790M", tested=["EGFR"]))])
    shown = {one.feature: one for one in BUILDER.show(batch, 0)}
    assert set(shown) == {column.feature for column in COLUMNS}
    assert shown["egfr_driver"].text == "EGFR driver (L858R, T790M)"
    assert any("EGFR_T790M" in source for source in shown["egfr_driver"].sources)
    assert shown["kras_mutation"].value is None
    assert shown["kras_mutation"].unknown


def test_empty_batch_and_parameters() -> None:
    assert BUILDER.build(batch_of([])).shape == (0, len(COLUMNS))
    assert AlterationsBuilder.from_parameters(BUILDER.parameters()).columns() == COLUMNS


def test_pathways_read_their_own_classes() -> None:
    assert {status.name for status in PATHWAYS if status.pathway} == {status.name for status in PATHWAYS}
    assert value("pathway_pi3k", case("PIK3CA H1047R")) == 1
    assert value("pathway_pi3k", case()) == 0
    assert facts_of([Alteration.model_validate(fields_of("PIK3CA H1047R"))])[0].present
