"""Ablation and permutations: the same folds for every row, a null that is a null."""

from __future__ import annotations

import numpy as np
import pytest

from features.sources.synthetic import draw
from tests.quick_recipe import recipe
from training.ablation import ablation_table
from training.fit import with_terms
from training.permutation import null_areas, null_rows, null_table, permuted
from training.pool import Pool


@pytest.fixture(scope="module")
def pool():
    return Pool.of([draw("checkpoint", 240, 3)])


def test_terms_are_switched_as_named():
    settings = with_terms(recipe(), ("linear", "boosted")).settings
    assert (settings.evidence, settings.linear.on, settings.boosted.on) == (False, True, True)


def test_every_combination_is_compared_with_all_on_the_same_folds(pool):
    table = ablation_table(recipe(), pool, folds=2, repeats=1, seed=1, resamples=100)
    assert [row["terms"] for row in table.rows] == ["linear", "boosted", "linear + boosted"]
    assert [row["switched"] for row in table.rows] == [True, False, False]
    assert "brier_less" not in table.rows[-1]
    first, last = table.rows[0], table.rows[-1]
    assert first["brier_less"].value == pytest.approx(first["brier"] - last["brier"], abs=1e-12)
    assert first["auroc_less"].value == pytest.approx(first["auroc"].value - last["auroc"].value, abs=1e-9)
    assert first["brier_less"].low <= first["brier_less"].value <= first["brier_less"].high


def test_permuting_keeps_every_base_rate(pool):
    shuffled = permuted(pool, 1)
    assert not np.array_equal(shuffled.outcome, pool.outcome)
    for code in np.unique(pool.histology):
        held = pool.histology == code
        assert shuffled.outcome[held].sum() == pool.outcome[held].sum()
    assert np.array_equal(permuted(pool, 1).outcome, shuffled.outcome)
    assert shuffled.cohort.cases.equals(pool.cohort.cases)


def test_under_the_null_nothing_ranks_within_histology(pool):
    nulls = null_areas(recipe(), pool, folds=3, permutations=6)
    row = null_rows(nulls)[0]
    assert 0.4 < row.value("auroc_within_histology") < 0.56
    table = null_table(nulls)
    assert table.name == "permutations"
    assert table.rows[0]["limit"] == row.value("auroc_within_histology_95th")
    assert table.rows[0]["permutations"] == 6
