"""A finding that is said in another way is the same finding: the evidence does not hang on the wording of a report.

``input`` and ``expected`` are cases. A phrase may name less than a notation (an exon and not the residues), so what is
compared is the log-odds and not the reading.
"""

from __future__ import annotations

import json
from functools import cache

import pytest

from features.case import read_case
from features.from_cases import batch_of
from features.sources.published_arms import arms
from models.evidence import EvidenceTerm
from tests.golden_tables import golden

CLOSE = 0.1
"""Log-odds, 2.5 percent points at most: a class and the class it is part of have coefficients that lie so close."""


@cache
def term() -> EvidenceTerm:
    return EvidenceTerm.fit([arm for arm in arms() if arm.family == "targeted"])


def log_odds(case: str) -> float:
    return float(term().evaluate(batch_of([read_case(json.loads(case))])).log_odds[0])


@pytest.mark.parametrize("row", golden("evidence_spellings"), ids=lambda row: row["case"])
def test_another_wording_gives_the_same_evidence(row: dict[str, str]) -> None:
    assert log_odds(row["input"]) == pytest.approx(log_odds(row["expected"]), abs=CLOSE)


def test_a_change_of_an_exon_that_is_known_is_not_presumed_to_be_another() -> None:
    finding = {"gene": "PDGFRA", "kind": "mutation", "exon": 18}
    named = {"gene": "PDGFRA", "kind": "mutation", "protein_change": "exon 18"}
    other = {**finding, "exon": 12}
    eighteen, phrase, twelve = (
        log_odds(json.dumps({"histology": "GIST", "alterations": [one], "therapy": {"agents": ["imatinib"]}}))
        for one in (finding, named, other)
    )
    assert eighteen == phrase < twelve
