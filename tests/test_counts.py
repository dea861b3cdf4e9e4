"""Responders of n with exact intervals, two-way tables, and the description of a cohort."""

from __future__ import annotations

import pytest

from features.case import read_case
from features.cohort import Cohort, Outcome
from features.counts import Share, UnknownCalls, check_calls, two_way
from features.describe import describe
from features.provenance import Provenance


@pytest.mark.parametrize(
    ("responders", "n", "low", "high"),
    [
        # published_arms.csv: summit_btc 4/25 prints 4.5 to 36.1
        (4, 25, 0.045, 0.361),
        (0, 15, 0.0, 0.218),
        (15, 15, 0.782, 1.0),
        # Clopper and Pearson by R 4, binom.test(58, 425)
        (58, 425, 0.1053, 0.1729),
    ],
)
def test_exact_intervals(responders: int, n: int, low: float, high: float) -> None:
    assert Share(responders, n).interval == pytest.approx((low, high), abs=6e-4)


def test_none_of_none() -> None:
    assert (Share(0, 0).interval, Share(0, 0).text) == (None, "0/0")


def cohort() -> Cohort:
    """Return six invented cases in two arms."""
    silent = {"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12G", "variant_classification": "Silent"}
    found = {
        "gene": "KRAS",
        "kind": "mutation",
        "protein_change": "p.G12C",
        "variant_classification": "Missense_Mutation",
    }
    rows = [
        ("nivolumab", [found], Outcome(1, "PR")),
        ("nivolumab", [silent], Outcome(0, "SD")),
        ("nivolumab", [], Outcome(1, "CR")),
        ("nivolumab", None, Outcome(0, "PD")),
        ("nivolumab", [found], Outcome(0, "NE", "no scan")),
        ("docetaxel", [], Outcome(0, "PD")),
    ]
    cases = [
        read_case(
            {
                "case_id": str(place),
                "histology": "LUAD",
                "therapy": {"agents": [agent]},
                "alterations": alterations,
                "assay": {"genes_tested": ["KRAS"]},
                "specimen": {"source": "blood" if place == 2 else "tissue"},
                "prior_lines": 1 if place else None,
                "prior_systemic_therapy": True,
            }
        )
        for place, (agent, alterations, _) in enumerate(rows)
    ]
    return Cohort.of_cases(cases, [outcome for *_, outcome in rows], Provenance("c", endpoint="orr"))


def _arm(**options: object) -> tuple[str, str]:
    row = two_way(cohort(), ["KRAS"], **options)[1]  # type: ignore[arg-type]  # each test gives its own
    return (f"{row.with_it.responders}/{row.with_it.n}", f"{row.without.responders}/{row.without.n}")


def test_tables_count_the_tested_and_evaluable() -> None:
    assert [row.therapy for row in two_way(cohort(), ["KRAS"])] == ["docetaxel", "nivolumab"]
    assert _arm() == ("1/2", "1/1")
    assert _arm(calls="nonsynonymous") == ("1/1", "1/2")
    assert _arm(not_evaluable=True) == ("1/3", "1/1")
    assert _arm(specimen="blood") == ("0/0", "1/1")


def test_a_gene_that_was_not_tested_gives_an_empty_table() -> None:
    assert all(row.with_it.n + row.without.n == 0 for row in two_way(cohort(), ["EGFR"]))


def test_a_driver_class_in_place_of_a_gene() -> None:
    row = two_way(cohort(), ["KRAS_G12C"])[1]
    assert (row.with_it.responders, row.with_it.n, row.without.n) == (1, 1, 2)


def test_calls_that_are_no_choice() -> None:
    with pytest.raises(UnknownCalls, match="nonsynonymous"):
        check_calls("all")


def test_a_description() -> None:
    found = describe(cohort())
    assert found["response"]["estimand"]["responders"] == 2
    assert (found["response"]["estimand"]["n"], found["response"]["evaluable"]["n"]) == (6, 5)
    assert found["response"]["reasons"] == {"no scan": 1}
    assert found["missing"]["prior_lines"] == 1
    assert [row["name"] for row in found["prior_lines"]] == ["1", "some, number unknown"]
    assert found["genes"] == [{"name": "KRAS", "cases": 2}]
    assert found["sequenced"] == 5
