"""Therapy interactions and curves: nested levels learned from training, and columns that bend at declared places."""

from __future__ import annotations

from features.case import Case, read_case
from features.curves import BENDS, CurvesBuilder
from features.from_cases import batch_of
from features.therapy_interactions import UNDONE as UNDONE_FEATURE
from features.therapy_interactions import TherapyInteractionsBuilder

V600E = {"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E"}


def case(histology: str, agents: list[str], alterations: list[dict[str, str]], **more: object) -> Case:
    raw = {"histology": histology, "therapy": {"agents": agents}, "alterations": alterations, **more}
    return read_case(raw)


MELANOMA = case("SKCM", ["vemurafenib"], [V600E])
COLON = case("COAD", ["vemurafenib"], [V600E])
AGAIN = case("SKCM", ["vemurafenib"], [V600E], prior_therapies=[{"agents": ["dabrafenib"]}])
OTHER = case("LUAD", ["osimertinib"], [])
CHECKPOINT = case("SKCM", ["nivolumab"], [V600E])
TRAINING = batch_of([MELANOMA] * 25 + [COLON] * 30 + [AGAIN] * 21 + [OTHER] * 40 + [CHECKPOINT] * 40)


def test_levels_are_nested_and_a_level_as_large_as_its_parent_gives_way() -> None:
    fitted = TherapyInteractionsBuilder().fit(TRAINING)
    assert fitted.levels == (
        "osimertinib",
        "vemurafenib",
        "vemurafenib in BOWEL",
        "vemurafenib in SKIN",
        "vemurafenib in SKIN for BRAF_V600E after the same target",
    )
    row = dict(zip(fitted.levels, fitted.build(batch_of([AGAIN]))[0], strict=True))
    assert [level for level, value in row.items() if value] == [
        "vemurafenib",
        "vemurafenib in SKIN",
        "vemurafenib in SKIN for BRAF_V600E after the same target",
    ]


def test_a_setting_that_training_did_not_have_falls_to_what_it_is_part_of() -> None:
    fitted = TherapyInteractionsBuilder().fit(TRAINING)
    lung = batch_of([case("LUAD", ["vemurafenib"], [V600E])])
    assert fitted.build(lung).sum() == 1
    assert fitted.show(lung, 0)[0].value == "vemurafenib"


def test_people_read_words_and_no_codes() -> None:
    fitted = TherapyInteractionsBuilder().fit(TRAINING)
    for case_ in (AGAIN, case("LUAD", ["vemurafenib"], [V600E])):
        shown = fitted.show(batch_of([case_]), 0)
        assert all("_" not in one.text and "BRAF_V600E" not in one.text for one in shown)
    assert fitted.show(batch_of([AGAIN]), 0)[0].text == "vemurafenib in skin for BRAF V600E after the same target"


KRAS = {"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12D"}
CETUXIMAB = case("COAD", ["cetuximab"], [])
UNDONE = case("COAD", ["cetuximab"], [KRAS])


def test_what_undoes_a_regimen_is_a_feature_of_its_own() -> None:
    fitted = TherapyInteractionsBuilder().fit(batch_of([CETUXIMAB] * 30 + [UNDONE] * 25 + [OTHER] * 40))
    assert fitted.levels == ("cetuximab", "cetuximab undone", "osimertinib")
    assert [column.feature for column in fitted.columns()] == [
        "therapy_in_setting",
        UNDONE_FEATURE,
        "therapy_in_setting",
    ]
    both = batch_of([CETUXIMAB, UNDONE])
    assert fitted.build(both).tolist() == [[1, 0, 0], [1, 1, 0]]
    assert [shown.value for shown in fitted.show(both, 1)] == ["cetuximab", "cetuximab undone"]
    assert fitted.show(both, 0)[1].value is None


def test_checkpoint_blockade_has_no_levels() -> None:
    assert TherapyInteractionsBuilder().fit(batch_of([CHECKPOINT] * 50)).levels == ()


def test_a_hinge_is_nought_below_its_cut_point_and_grows_above() -> None:
    old = case("LUAD", ["nivolumab"], [], patient={"age_years": 70, "pdl1_tps_percent": 50})
    row = dict(zip((one.column().name for one in BENDS), CurvesBuilder().build(batch_of([old]))[0], strict=True))
    assert row["age_years_above_50"] == 2.0
    assert row["age_years_above_65"] == 0.5
    assert row["age_years_above_75"] == 0.0
    assert row["pdl1_tps_percent_from_50"] == 1.0
    assert row["bmi_kg_per_m2_above_25"] != row["bmi_kg_per_m2_above_25"]  # unknown is NaN
