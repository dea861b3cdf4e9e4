"""Pools and leakage: what may never be fitted together, ids told apart, cases without outcome counted."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.config import CohortSettings
from experiments.leakage import SharedPatients, own_trials, without_shared_patients
from features.case import read_case
from features.cohort import Cohort, Outcome
from features.provenance import Provenance
from training.pool import CannotPool, Pool


def cohort(name: str, n: int = 6, shift: float = 0.0, **provenance) -> Cohort:
    cases = [
        read_case(
            {
                "case_id": str(i),
                "patient_id": f"p{i // 2}",
                "histology": "LUAD",
                "tmb": {"mut_per_mb": 1.37 * i + shift},
                "patient": {"albumin_g_per_dl": 3 + 0.13 * (i % 11), "age_years": 40.0 + (7 * i) % 37 + shift},
                "therapy": {"class": "pd1_pdl1"},
            }
        )
        for i in range(n)
    ]
    outcomes = [Outcome(None, reason="lost") if i == 0 else Outcome(i % 2) for i in range(n)]
    return Cohort.of_cases(cases, outcomes, Provenance(name, **{"endpoint": "orr", **provenance}))


def test_cases_without_outcome_are_counted_and_left_out():
    pool = Pool.of([cohort("one")])
    assert len(pool) == 5
    assert pool.without_outcome == {"one": 1}
    assert pool.outcome.tolist() == [1.0, 0.0, 1.0, 0.0, 1.0]


def test_the_same_id_in_two_cohorts_is_two_people():
    pool = Pool.of([cohort("one"), cohort("two")])
    assert len(set(pool.patients.tolist())) == 6
    assert pool.source.tolist() == ["one"] * 5 + ["two"] * 5
    assert len(pool.take(np.array([0, 9]))) == 2


@pytest.mark.parametrize(
    ("second", "text"),
    [
        ({"synthetic": True}, "synthetic cohorts are mixed with real"),
        ({"endpoint": "dcb"}, "dcb, orr are never pooled"),
    ],
)
def test_what_is_unlike_is_never_pooled(second, text):
    with pytest.raises(CannotPool, match=text):
        Pool.of([cohort("one"), cohort("two", **second)])


def test_shared_patients_stop_the_run_unless_the_file_says_how():
    ours, theirs = cohort("ours", 40), cohort("theirs", 40)
    with pytest.raises(SharedPatients, match="40 of 40 cases are probably patients of theirs"):
        without_shared_patients([ours], [theirs], CohortSettings(("ours",), ("theirs",)))
    settings = CohortSettings(("ours",), ("theirs",), "remove_from_training", "the same hospital")
    kept, found = without_shared_patients([ours], [theirs], settings)
    assert len(kept[0]) == 0
    assert found[0].removed == 40
    assert "left out of training: the same hospital" in found[0].sentence


def test_own_trials_are_named_once():
    families, cohorts = own_trials([Provenance("a", trial_family="oak", published_cohort="oak"), Provenance("b")])
    assert (families, cohorts) == (("oak",), ("oak",))
