"""What was given before, where nothing is known of the histology, and what a drug hits beside its class."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from features.case import read_case
from features.evidence_profile import PDL1_LEVELS, pdl1_level, profiles_of
from features.evidence_terms import terms_of
from features.from_cases import batch_of
from features.sources.published_arms import arms
from models.evidence import EvidenceTerm

RET = [{"gene": "RET", "kind": "fusion"}]
EGFR_AND_MET = [
    {"gene": "EGFR", "kind": "mutation", "protein_change": "L858R"},
    {"gene": "MET", "kind": "amplification"},
]
HER2 = [{"gene": "ERBB2", "kind": "mutation", "protein_change": "A775_G776insYVMA"}]


@cache
def term() -> EvidenceTerm:
    return EvidenceTerm.fit([arm for arm in arms() if arm.family == "targeted"])


def case(agents: list[str], alterations: list[dict[str, Any]], before: list[dict[str, Any]] | None = None) -> Any:
    raw: dict[str, Any] = {
        "histology": "NSCLC",
        "alterations": alterations,
        "prior_lines": 1,
        "therapy": {"agents": agents},
    }
    return read_case({**raw, "prior_therapies": before} if before is not None else raw)


def log_odds(*asked: Any, **more: Any) -> float:
    return float(term().evaluate(batch_of([case(*asked, **more)])).log_odds[0])


def terms(*asked: Any) -> dict[str, float]:
    return dict(terms_of(profiles_of(batch_of([case(*asked)]))[0][0]))


def test_a_multikinase_drug_that_was_not_given_for_the_target_leaves_the_next_one_its_chance() -> None:
    without = log_odds(["selpercatinib"], RET, [{"agents": ["carboplatin"]}])
    assert log_odds(["selpercatinib"], RET, [{"agents": ["cabozantinib"]}]) == pytest.approx(without)
    assert log_odds(["selpercatinib"], RET, [{"agents": ["pralsetinib"]}]) < without - 1


def test_what_is_aimed_at_for_the_first_time_is_not_marked_down() -> None:
    alone = terms(["osimertinib"], EGFR_AND_MET[:1], [{"agents": ["osimertinib"]}])
    together = terms(["osimertinib", "savolitinib"], EGFR_AND_MET, [{"agents": ["osimertinib"]}])
    assert (alone["prior:same target"], together["prior:same target"]) == (1.0, 0.5)
    assert "prior:same target" not in terms(["savolitinib"], EGFR_AND_MET, [{"agents": ["osimertinib"]}])


def test_an_earlier_class_is_read_as_its_first_generation() -> None:
    after_class = terms(["osimertinib"], EGFR_AND_MET[:1], [{"class": "egfr"}])
    assert after_class == terms(["osimertinib"], EGFR_AND_MET[:1], [{"agents": ["gefitinib"]}])
    assert "prior:no later generation" in terms(["erlotinib"], EGFR_AND_MET[:1], [{"class": "egfr"}])


def test_a_braf_inhibitor_after_another_is_no_later_generation() -> None:
    v600 = [{"gene": "BRAF", "kind": "mutation", "protein_change": "V600E"}]
    naive, again = (
        log_odds(["dabrafenib", "trametinib"], v600, [{"agents": [name]}]) for name in ("cisplatin", "vemurafenib")
    )
    assert again < naive - 1


def test_what_a_drug_hits_beside_its_class_is_told_from_its_targets() -> None:
    name = "design:acts beside its class"
    assert name in terms(["neratinib"], HER2)
    assert name not in terms(["zongertinib"], HER2)
    assert name not in terms(["neratinib", "trastuzumab"], HER2)  # two drugs: a design of its own
    assert term().fitted.coefficients[term().names.index(name)] < 0
    assert log_odds(["zongertinib"], HER2) > log_odds(["neratinib"], HER2)


@pytest.mark.parametrize("code", ["UDMN", "CUP", "OTHER"])
def test_a_histology_that_is_not_known_is_read_as_arms_of_many(code: str) -> None:
    arm = next(one for one in arms() if one.arm_id == "match_Y").readings[0][1]
    unknown = arm.model_copy(update={"histology": code})
    found = term().evaluate(batch_of([arm, unknown]))
    assert found.log_odds[0] == found.log_odds[1]


@pytest.mark.parametrize(
    ("gene", "level", "expected"),
    [("PD-L1", "high", "high"), ("CD274", "1+", "positive"), ("PDL1", "negative", "negative"), ("ERBB2", "3+", None)],
)
def test_a_stain_of_pdl1_among_the_findings_is_its_level(gene: str, level: str, expected: str | None) -> None:
    read = case(["pembrolizumab"], [{"gene": gene, "kind": "expression", "level": level}])
    assert PDL1_LEVELS[int(pdl1_level(batch_of([read]))[0])] == expected


def test_a_change_that_cannot_be_read_is_unknown_and_no_passenger() -> None:
    odd = case(["erlotinib"], [{"gene": "EGFR", "kind": "mutation", "cdna_change": "c.2573T>G"}])
    broken = odd.alterations[0].model_copy(update={"cdna_change": None, "protein_change": "something else"})
    profile = profiles_of(batch_of([odd.model_copy(update={"alterations": (broken,)})]))[0][0]
    assert [one.detail for one in profile.findings or ()] == ["unspecified"]
