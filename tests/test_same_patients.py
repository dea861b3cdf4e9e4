"""Probable same patients of two cohorts: found, kept in one fold, one patient of the pool."""

from __future__ import annotations

import numpy as np

from experiments.further import grouped
from experiments.outputs import Material
from tests.test_pool import cohort
from training.pool import Pool
from training.same_patients import twins_between_cohorts
from training.split import repeated_folds


def material():
    return Material(Pool.of([cohort("ours", 60), cohort("theirs", 60)]), (), (), (), ())


def test_the_same_people_in_two_cohorts_are_found():
    pool = material().development
    twins = twins_between_cohorts(pool)
    rows = np.arange(len(pool) // 2)
    assert {(i, i + len(rows)) for i in rows.tolist()} <= set(twins.pairs)
    assert "they count as the same patients" in twins.sentences[0]
    assert set(twins.of(rows).tolist()) == set(range(len(rows), len(pool)))


def test_they_share_a_fold_and_a_note():
    together, _ = grouped(material())
    pool = together.development
    assert len(set(pool.patients.tolist())) == 30
    assert pool.take(np.arange(5)).patients.tolist() == pool.patients[:5].tolist()
    assert "ours and theirs" in together.notes[0]
    for split in repeated_folds(pool.patients, pool.outcome, pool.source, folds=3, repeats=1):
        assert not set(pool.patients[split.train]) & set(pool.patients[split.test])
