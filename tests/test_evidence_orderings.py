"""What every tumour board knows: evidence orders pairs of cases as arms and rules say (tests/golden/orderings.csv)."""

from __future__ import annotations

import json
from functools import cache

import pytest

from features.case import read_case
from features.evidence_profile import profiles_of
from features.evidence_terms import family_of
from features.from_cases import batch_of
from features.sources.published_arms import arms
from models.evidence import EvidenceTerm
from tests.cases import golden

ROWS = golden("orderings")
ARM_IDS = {arm.arm_id for arm in arms()}


@cache
def evidence(family: str) -> EvidenceTerm:
    return EvidenceTerm.fit([arm for arm in arms() if arm.family == family])


def log_odds(raw: dict[str, object]) -> float:
    batch = batch_of([read_case(raw)])
    family = family_of(profiles_of(batch)[0][0])
    assert family is not None
    return float(evidence(family).evaluate(batch).log_odds[0])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case"])
def test_ordering(row: dict[str, str]) -> None:
    pair = json.loads(row["input"])
    assert log_odds(pair["higher"]) > log_odds(pair["lower"])


def test_the_golden_table_is_large_enough_and_says_where_each_row_comes_from() -> None:
    assert len(ROWS) >= 30
    assert {row["expected"] for row in ROWS} == {"arms", "rule"}
    for row in ROWS:
        cited = {word.strip(",;") for word in row["source"].split()}
        if row["expected"] == "arms":
            assert cited & ARM_IDS, row["case"]
        else:
            assert "PMID" in cited, row["case"]
