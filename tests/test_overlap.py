"""Whom do two cohorts share? Invented people, some of them twice."""

from __future__ import annotations

import numpy as np
import pytest

from features.case import read_case
from features.cohort import Cohort
from features.overlap import overlap, step
from features.provenance import Provenance


def people(name: str, seed: int, n: int = 150, ids: str | None = None) -> Cohort:
    """Return a cohort of invented lungs and melanomas."""
    draw = np.random.default_rng(seed)
    cases = []
    for place in range(n):
        raw = {
            "case_id": f"{name}-{place}",
            "patient_id": None if ids is None else f"{ids}-{place}",
            "histology": "LUAD" if place % 3 else "MEL",
            "therapy": {"class": "pd1_pdl1"},
            "tmb": {"mut_per_mb": round(float(draw.lognormal(1.8, 0.9)), 1)},
            "patient": {
                "age_years": float(draw.integers(40, 90)),
                "albumin_g_per_dl": round(float(draw.normal(3.9, 0.4)), 1),
            },
        }
        cases.append(read_case(raw))
    return Cohort.of_cases(cases, None, Provenance(name))


def joined(one: Cohort, other: Cohort, rows: range) -> Cohort:
    """Return ``one`` with some people of ``other`` under new ids."""
    cases = list(one) + [case.model_copy(update={"case_id": f"again-{case.case_id}"}) for case in other.take(rows)]
    return Cohort.of_cases(cases, None, one.provenance)


def test_strangers_match_no_more_than_chance() -> None:
    found = overlap(people("a", 1), people("b", 2))
    assert not found.probable
    assert found.decisive
    assert found.matched <= found.expected + 4 * np.sqrt(found.expected + 1)


def test_people_who_are_in_both_are_found() -> None:
    second = people("b", 2)
    found = overlap(joined(people("a", 1), second, range(30)), second)
    pairs = {pair.case: pair.against for pair in found.pairs}
    assert found.probable
    assert all(pairs[f"again-b-{place}"] in {p.against for p in found.pairs} for place in range(30))
    assert found.matched >= 30 > found.expected


def test_the_answer_is_repeatable_and_does_not_depend_on_row_order() -> None:
    one, other = people("a", 1), people("b", 2)
    again = overlap(one, other)
    assert overlap(one, other) == again
    turned = overlap(one.take(range(149, -1, -1)), other)
    assert {(p.case, p.against) for p in turned.pairs} == {(p.case, p.against) for p in again.pairs}


def test_the_same_patient_id_is_enough() -> None:
    assert overlap(people("a", 1, 9, ids="p"), people("b", 2, 9, ids="p")).probable


def test_too_few_fields_in_common_is_said() -> None:
    cases = [read_case({"case_id": str(i), "histology": "LUAD", "therapy": {"class": "pd1_pdl1"}}) for i in range(5)]
    found = overlap(Cohort.of_cases(cases, None, Provenance("bare")), people("b", 2))
    assert (found.decisive, found.probable, found.matched) == (False, False, 0)


@pytest.mark.parametrize(("values", "expected"), [([53, 58, 63, 68], 5.0), ([1.0], 0.0), ([np.nan, np.nan], 0.0)])
def test_steps(values: list[float], expected: float) -> None:
    assert step(np.array(values, dtype=float)) == expected
