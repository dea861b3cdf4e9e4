"""Class of therapy within the levels of a histology: nested, learned, and none that says nothing of its own."""

from __future__ import annotations

from typing import Any

from features.case import read_case
from features.from_cases import batch_of
from features.therapy_in_histology import LEAST_CASES, TherapyInHistologyBuilder, levels_of

MONO, BOTH = ("nivolumab",), ("nivolumab", "ipilimumab")


def batch(*given: tuple[str, tuple[str, ...], int]) -> Any:
    raws = [{"histology": code, "therapy": {"agents": list(agents)}} for code, agents, n in given for _ in range(n)]
    return batch_of([read_case(raw) for raw in raws])


def test_levels_are_those_of_the_lineage_the_broadest_first() -> None:
    assert levels_of("ipilimumab+nivolumab", "CCRCC")[0] == "pd1_pdl1+ctla4 in KIDNEY"
    assert levels_of("ipilimumab+nivolumab", "CCRCC")[-1] == "pd1_pdl1+ctla4 in CCRCC"
    assert levels_of("osimertinib", "LUAD") == levels_of("nivolumab", "") == ()


def test_a_level_needs_cases_and_gives_way_to_what_holds_the_same_cases() -> None:
    n = LEAST_CASES
    fitted = TherapyInHistologyBuilder().fit(
        batch(("CCRCC", MONO, n), ("CCRCC", BOTH, n), ("SKCM", BOTH, n - 1), ("SKCM", MONO, n), ("LUAD", MONO, n))
    )
    assert "pd1_pdl1 in KIDNEY" in fitted.levels
    assert "pd1_pdl1+ctla4 in KIDNEY" in fitted.levels
    assert not [level for level in fitted.levels if "CCRCC" in level], "the same cases as in KIDNEY"
    assert not [level for level in fitted.levels if "LUNG" in level], "all of them had this class"
    assert "pd1_pdl1+ctla4 in SKIN" not in fitted.levels, "one case too few"


def test_a_class_seen_in_one_histology_only_is_that_class() -> None:
    n = LEAST_CASES
    fitted = TherapyInHistologyBuilder().fit(batch(("CCRCC", BOTH, n), ("CCRCC", MONO, n), ("SKCM", MONO, n)))
    assert not [level for level in fitted.levels if "ctla4" in level]


def test_columns_are_raised_at_every_level_and_the_narrowest_is_shown() -> None:
    builder = TherapyInHistologyBuilder(("pd1_pdl1 in LUAD", "pd1_pdl1 in LUNG"))
    cases = batch(("LUAD", MONO, 1), ("LUSC", MONO, 1), ("LUAD", BOTH, 1))
    assert builder.build(cases).tolist() == [[1, 1], [0, 1], [0, 0]]
    assert [builder.show(cases, row)[0].value for row in range(3)] == ["pd1_pdl1 in LUAD", "pd1_pdl1 in LUNG", None]
    assert "Lung Adenocarcinoma (LUAD)" in builder.show(cases, 0)[0].text
    assert "too few training cases" in builder.show(cases, 2)[0].text
