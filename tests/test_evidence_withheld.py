"""Undone and wrongly matched drugs are all risk and no benefit: the estimate has to say so, not only point the way.

An ordering ("T790M lowers erlotinib") is not enough: a fall from 70% to 41% would still be read as a good chance.
"""

from __future__ import annotations

import json
from functools import cache

import pytest

from features.case import Case, read_case
from features.from_cases import batch_of
from features.regimens import regimen
from features.sources.published_arms import arms
from models.evidence import EvidenceTerm
from tests.golden_tables import golden


@cache
def term() -> EvidenceTerm:
    return EvidenceTerm.fit([arm for arm in arms() if arm.family == "targeted"])


def rate(case: Case) -> float:
    from scipy.special import expit

    return float(expit(term().evaluate(batch_of([case])).log_odds[0]))


@pytest.mark.parametrize("row", golden("evidence_withheld"), ids=lambda row: row["case"])
def test_a_drug_to_withhold_is_foretold_to_fail(row: dict[str, str]) -> None:
    assert rate(read_case(json.loads(row["input"]))) <= float(row["expected"])


def test_the_drug_that_is_made_for_the_resistance_keeps_its_chance() -> None:
    row = next(one for one in golden("evidence_withheld") if one["case"] == "T790M undoes erlotinib")
    asked = json.loads(row["input"])
    assert rate(read_case({**asked, "therapy": {"agents": ["osimertinib"]}})) > 0.5


def test_selective_for_an_allele_is_what_all_agents_on_that_target_must_be() -> None:
    assert regimen("sotorasib").selective == {"KRAS"}
    assert regimen("class:kras_g12c").selective == {"KRAS"}
    assert regimen("sotorasib+daraxonrasib").selective == frozenset()
    assert regimen("osimertinib").selective == frozenset()
