"""The golden tables are as large as issue 3 asks for, every row has a source, and no row is there twice."""

from __future__ import annotations

import pytest

from tests.cases import golden

LEAST = {"notations": 150, "matching": 60, "prior_lines": 30}


@pytest.mark.parametrize(("topic", "least"), LEAST.items())
def test_enough_golden_rows_each_with_a_source(topic: str, least: int) -> None:
    rows = golden(topic)
    assert len({row["input"] for row in rows}) == len(rows) >= least
    assert all(row["source"] for row in rows)


def test_at_least_twenty_rows_are_conflicts_of_mismatch_repair() -> None:
    rows = golden("mismatch_repair")
    assert all(row["source"] for row in rows)
    conflicts = [row for row in rows if row["expected"].endswith(" 1")]
    assert len({row["input"] for row in conflicts}) == len(conflicts) >= 20


def test_the_matches_that_the_issue_names_are_there() -> None:
    said = [row["input"] for row in golden("matching")]
    for drug, finding in (
        ("vemurafenib", "BRAF V600E"),
        ("gefitinib", "EGFR T790M"),
        ("osimertinib", "EGFR T790M"),
        ("alectinib", "ALK G1202R"),
        ("imatinib", "KIT "),
        ("imatinib", "PDGFRA D842V"),
        ("trastuzumab", "ERBB2 amplification"),
        ("neratinib", "ERBB2 "),
    ):
        assert any(text.startswith(drug) and finding in text for text in said), (drug, finding)
