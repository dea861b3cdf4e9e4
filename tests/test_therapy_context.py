"""Therapy in context: why a regimen has no match, and what came before, as nested levels learned from training."""

from __future__ import annotations

from features.case import Case, read_case
from features.from_cases import batch_of
from features.therapy_context import HISTORY, NO_MATCH, TherapyContextBuilder

L858R = {"gene": "EGFR", "kind": "mutation", "protein_change": "p.L858R"}


def case(alterations: list[dict[str, str]] | None, **more: object) -> Case:
    raw = {"histology": "LUAD", "therapy": {"agents": ["gefitinib"]}, "alterations": alterations, **more}
    return read_case(raw)


WILD = case([], assay={"genes_tested": ["EGFR"]}, prior_systemic_therapy=False)
UNTESTED = case(None, prior_systemic_therapy=False)
MATCHED = case([L858R], prior_systemic_therapy=False)
AGAIN = case([L858R], prior_therapies=[{"agents": ["erlotinib"], "line": 1}])
UNKNOWN = case([L858R])
TRAINING = batch_of([WILD] * 30 + [UNTESTED] * 25 + [MATCHED] * 60 + [AGAIN] * 22 + [UNKNOWN] * 40)


def levels(fitted: TherapyContextBuilder, one: Case) -> list[str]:
    values = fitted.build(batch_of([one]))[0]
    return [level for level, value in zip(fitted.levels, values, strict=True) if value]


def test_ruled_out_and_not_tested_are_two_levels_and_a_match_is_neither() -> None:
    fitted = TherapyContextBuilder().fit(TRAINING)
    assert "gefitinib, its target ruled out" in levels(fitted, WILD)
    assert "gefitinib, its target not tested" in levels(fitted, UNTESTED)
    assert not [level for level in levels(fitted, MATCHED) if "target" in level]


def test_after_its_class_not_after_it_and_not_known_are_three_levels() -> None:
    fitted = TherapyContextBuilder().fit(TRAINING)
    said = [levels(fitted, one)[-1].rpartition(", ")[2] for one in (AGAIN, MATCHED, UNKNOWN)]
    assert said == ["after its class", "nothing of its class before", "its class not known before"]


def test_a_level_as_large_as_what_it_is_part_of_gives_way() -> None:
    fitted = TherapyContextBuilder().fit(TRAINING)
    assert not any("in LUNG, its target" in level for level in fitted.levels)
    assert TherapyContextBuilder().fit(batch_of([MATCHED] * 50)).levels == ()


def test_a_rare_context_falls_to_its_setting_and_is_shown_so() -> None:
    fitted = TherapyContextBuilder().fit(batch_of([MATCHED] * 60 + [AGAIN] * 5 + [UNKNOWN] * 40))
    assert levels(fitted, AGAIN) == []
    assert [shown.value for shown in fitted.show(batch_of([AGAIN]), 0)] == [None, None]
    assert [shown.feature for shown in fitted.show(TRAINING, 0)] == [NO_MATCH, HISTORY]


def test_people_read_words_and_the_builder_round_trips() -> None:
    fitted = TherapyContextBuilder().fit(TRAINING)
    assert TherapyContextBuilder.from_parameters(fitted.parameters()) == fitted
    assert fitted.show(batch_of([AGAIN]), 0)[1].text.endswith("after its class")
    assert all("_" not in shown.text for shown in fitted.show(batch_of([AGAIN]), 0))


def test_checkpoint_blockade_has_no_levels() -> None:
    nivolumab = read_case({"histology": "SKCM", "therapy": {"agents": ["nivolumab"]}})
    assert TherapyContextBuilder().fit(batch_of([nivolumab] * 50)).levels == ()
