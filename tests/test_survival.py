"""Survival for evaluation: Harrell's c against every pair by hand, read by a manifest, never a feature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines.utils import concordance_index

from features.batch import Batch
from features.case import read_case
from features.cohort import Cohort, Outcome
from features.cohort_refusals import PostIndexColumn
from features.provenance import Provenance
from tests.quick_recipe import recipe, two_cohorts
from training.concordance import InvalidSurvival, concordance
from training.fit import fit_contenders
from training.survival import survival_table


def by_hand(months, died, score, weight):
    wins = pairs = 0.0
    for i in range(len(months)):
        for j in range(len(months)):
            if died[i] and (months[i] < months[j] or (months[i] == months[j] and not died[j])):
                pairs += weight[i] * weight[j]
                wins += weight[i] * weight[j] * ((score[j] > score[i]) + 0.5 * (score[j] == score[i]))
    return wins / pairs if pairs else np.nan


patient = st.tuples(st.integers(0, 6), st.integers(0, 1), st.integers(0, 4), st.integers(0, 3))


@given(st.lists(patient, min_size=1, max_size=12))
def test_it_agrees_with_every_pair_by_hand(patients):
    months, died, score, weight = (np.array(one, dtype=float) for one in zip(*patients, strict=True))
    assert concordance(months, died, score, weight) == pytest.approx(by_hand(months, died, score, weight), nan_ok=True)
    both = concordance(months, died, score, np.vstack([weight, np.ones_like(weight)]))
    assert both[1] == pytest.approx(concordance(months, died, score), nan_ok=True)


@pytest.mark.parametrize("decimals", [0, 1, 6], ids=["many ties", "ties", "distinct"])
def test_it_agrees_with_lifelines(decimals):
    random = np.random.default_rng(1)
    months, died = np.round(random.exponential(10, 700), decimals), (random.random(700) < 0.6).astype(float)
    for score in (np.round(random.random(700), 2), np.full(700, 0.3), -months):
        assert concordance(months, died, score) == pytest.approx(concordance_index(months, score, died), abs=1e-12)


def test_without_a_pair_lifelines_stops_and_ours_is_nan():
    for months, died, score in (([3.0], [1.0], [0.2]), ([3.0, 5.0], [0.0, 0.0], [0.2, 0.4])):
        with pytest.raises(ZeroDivisionError):
            concordance_index(months, score, died)
        assert np.isnan(concordance(months, died, score))


def test_what_is_unknown_must_be_left_out():
    with pytest.raises(InvalidSurvival):
        concordance([1.0, np.nan], [1, 0], [0.1, 0.2])
    with pytest.raises(InvalidSurvival):
        concordance([1.0, -2.0], [1, 0], [0.1, 0.2])


def cohort(name, n=60, endpoint=None):
    random = np.random.default_rng(len(name))
    cases = [
        read_case({"case_id": f"{name}-{i}", "histology": "LUAD", "therapy": {"class": "other_unspecified"}})
        for i in range(n)
    ]
    outcomes = [Outcome(None, survival_months=float(m), died=int(m < 12)) for m in random.exponential(10, n)]
    return Cohort.of_cases(cases, outcomes, Provenance(name, endpoint=endpoint, synthetic=True))


def test_survival_is_kept_with_the_outcomes_and_no_batch_has_it(tmp_path):
    one = cohort("control")
    again = Cohort.load(one.save(tmp_path / "control"))
    assert again.content_hash == one.content_hash
    assert np.array_equal(again.survival[0], one.survival[0])
    batch: Batch = again.batch()
    assert not any("surviv" in path or "died" in path for path in (*batch.numbers, *batch.texts))
    with pytest.raises(PostIndexColumn):
        Cohort(
            cases=one.cases.append_column("OS_Months", one.outcomes.column("survival_months")),
            alterations=one.alterations,
            specimens=one.specimens,
            prior_therapies=one.prior_therapies,
            outcomes=one.outcomes,
            provenance=one.provenance,
        )


def test_both_groups_stand_in_the_table_and_few_deaths_are_counted():
    contenders = fit_contenders(recipe("base_rate", "histology_base_rate"), two_cohorts(80))
    table = survival_table(contenders, cohort("treated"), cohort("control", 6), "class:pd1_pdl1")
    assert [row["predictor"] for row in table.rows] == ["model", "base_rate", "histology_base_rate"]
    row = table.rows[1]
    assert row["treated"].value == 0.5
    assert row["treated_n"].endswith("/60")
    few = cohort("control", 6).survival[1].sum() < 5
    assert np.isnan(row["control"].value) == few
