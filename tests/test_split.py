"""Splits: patients together, strata even, the same seed the same folds."""

from __future__ import annotations

import numpy as np
import pytest

from training.split import InvalidSplit, leave_one_out, repeated_folds


def drawn(seed=0, n=200):
    random = np.random.default_rng(5)
    patients = random.integers(0, 120, n)
    cohorts = np.where(patients % 3 == 0, "small", "large")
    outcome = (random.random(n) < 0.3).astype(float)
    return patients, outcome, cohorts, list(repeated_folds(patients, outcome, cohorts, repeats=3, seed=seed))


def test_every_case_is_judged_once_per_repeat_and_patients_stay_together():
    patients, _, _, splits = drawn()
    for repeat in range(3):
        tests = [split.test for split in splits if split.repeat == repeat]
        assert sorted(np.concatenate(tests).tolist()) == list(range(200))
    for split in splits:
        assert not set(patients[split.train]) & set(patients[split.test])


def test_folds_are_even_in_cohort_and_response():
    _, outcome, cohorts, splits = drawn()
    for split in splits:
        assert abs(outcome[split.test].mean() - outcome.mean()) < 0.16
        assert abs((cohorts[split.test] == "small").mean() - (cohorts == "small").mean()) < 0.16
    one_each = list(repeated_folds(range(200), outcome, cohorts, repeats=1))
    for level in ("small", "large"):
        for response in (0, 1):
            held = np.flatnonzero((cohorts == level) & (outcome == response))
            counts = [np.isin(split.test, held).sum() for split in one_each]
            assert max(counts) - min(counts) <= 1


def test_the_seed_decides_and_repeats_differ():
    again, other = drawn()[-1], drawn(seed=1)[-1]
    assert all(np.array_equal(a.test, b.test) for a, b in zip(drawn()[-1], again, strict=True))
    assert not all(np.array_equal(a.test, b.test) for a, b in zip(again, other, strict=True))
    assert not np.array_equal(again[0].test, again[5].test)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(InvalidSplit, match="2 patients cannot make 5 folds"):
        list(repeated_folds([1, 1, 2], [0, 1, 0], ["a", "a", "a"]))
    with pytest.raises(InvalidSplit, match="do not belong together"):
        list(repeated_folds([1, 2], [0], ["a"]))


def test_leave_one_out_skips_rare_levels_and_never_leaves_all_out():
    assert [s.name for s in leave_one_out(["a", "a", "b", "c", "c"], fewest=2)] == ["a", "c"]
    assert list(leave_one_out(["a", "a"])) == []
