"""What is worked out once per set of cases is what a fit on some of them alone would work out, bit for bit."""

from __future__ import annotations

import pickle
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.batch_rows import rows_of
from features.sources.synthetic import draw
from features.table import FeatureTable
from tests.quick_recipe import SETTINGS, recipe
from training.arms import ArmCases, described_groups
from training.evidence_for import arms_of, evidence_without
from training.fit import Recipe, fit_contenders
from training.known import KnownColumns, RememberedTable, Whole
from training.learning_curve import kept_patients, learning_curve
from training.pool import Pool
from training.prepared import Fold, NothingPrepared, Prepared, judge_fold
from training.split import repeated_folds
from training.workers import Workers

RIVALS = (
    "base_rate",
    "histology_base_rate",
    "loris_recalibrated",
    "loris_inputs",
    "plain_logistic",
    "default_lightgbm",
)


def assert_same(one, other, path="batch"):
    assert type(one) is type(other), path
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, path
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), path
    elif is_dataclass(one):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name), f"{path}.{field.name}")
    elif isinstance(one, dict):
        assert list(one) == list(other), path
        for key in one:
            assert_same(one[key], other[key], f"{path}.{key}")
    else:
        assert one == other, path


@pytest.fixture(scope="module", params=["checkpoint", "targeted"])
def pool(request):
    return Pool.of([draw(request.param, 90, 3), draw(request.param, 60, 4, cohort="external")])


@given(data=st.data())
@settings(max_examples=12)
def test_rows_of_a_batch_are_those_cases_laid_out_alone(pool, data):
    rows = np.array(data.draw(st.lists(st.integers(0, len(pool) - 1), min_size=1, max_size=40, unique=True)))
    assert_same(rows_of(pool.batch(), rows), pool.take(rows).batch())


def test_known_columns_are_the_columns(pool):
    family = "checkpoint" if "checkpoint" in pool.provenances[0].cohort_id else "targeted"
    whole, rows = Whole(pool.batch()), np.arange(0, len(pool), 3)
    part = whole.part(rows)
    unfitted = FeatureTable.for_family(family)
    fitted = unfitted.fit(part.batch)
    table = RememberedTable(unfitted, fitted, (part,))
    assert sum(isinstance(one, KnownColumns) for one in table.builders) >= 5
    expected = fitted.matrix(pool.take(rows).batch())
    assert np.array_equal(table.matrix(part.batch), expected, equal_nan=True)
    assert table.matrix(part.batch) is table.matrix(part.batch)
    other = rows_of(pool.batch(), np.arange(5))
    assert np.array_equal(table.matrix(other), fitted.matrix(other), equal_nan=True)
    assert table.columns == fitted.columns


@pytest.fixture(scope="module")
def whole_recipe():
    evidence = evidence_without("checkpoint", (), ())
    arms = ArmCases.of(arms_of("checkpoint")[:40])
    settings = replace(SETTINGS, evidence=True)
    card = {"endpoint": "orr"}
    described = described_groups(arms, evidence)
    return Recipe("x", "checkpoint", settings, evidence, (), RIVALS, card, described, 1.0)


def test_a_fold_equals_a_fit_on_its_cases_alone_with_evidence_arms_and_every_rival(whole_recipe):
    pool = Pool.of([draw("checkpoint", 260, 3)])
    split = next(repeated_folds(pool.patients, pool.outcome, pool.source, folds=3, repeats=1, seed=1))
    contenders = fit_contenders(whole_recipe, pool.take(split.train))
    alone, answered = contenders.forecasts(pool.take(split.test).batch())
    prepared = Prepared(whole_recipe, pool)
    for one in (prepared, pickle.loads(pickle.dumps(prepared.worked_out()))):  # noqa: S301 - made a line above
        _, values, known = judge_fold(one, Fold(split))
        assert list(values)[: len(alone)] == list(alone)
        for name, numbers in alone.items():
            assert np.array_equal(values[name], numbers, equal_nan=True), name
        assert np.array_equal(known, answered)


def test_a_fold_may_ask_for_other_outcomes_rivals_and_terms(whole_recipe):
    pool = Pool.of([draw("checkpoint", 200, 3)])
    split = next(repeated_folds(pool.patients, pool.outcome, pool.source, folds=2, repeats=1, seed=1))
    prepared = Prepared(replace(whole_recipe, described=None), pool)
    plain = prepared.judge(Fold(split, comparators=("base_rate",)))[1]
    flipped = prepared.judge(Fold(split, 1 - pool.outcome, ("base_rate",)))[1]
    assert flipped["base_rate"][0] == pytest.approx(1 - plain["base_rate"][0])
    alone = prepared.judge(Fold(split, comparators=(), terms=("linear",)))[1]
    assert "base_rate" not in alone
    assert not np.array_equal(alone["model"], plain["model"])


def test_workers_that_were_given_no_cases_say_so():
    split = next(repeated_folds(["a", "b"], [0, 1], ["c", "c"], folds=2, repeats=1))
    with Workers.here() as workers, pytest.raises(NothingPrepared):
        list(workers.run(judge_fold, [Fold(split)]))


def test_smaller_shares_of_a_learning_curve_lie_inside_larger_ones():
    patients = np.array([f"p{i // 2}" for i in range(60)])
    split = next(repeated_folds(patients, np.arange(60) % 2, ["c"] * 60, folds=3, repeats=1, seed=1))
    small, large = (kept_patients(split, patients, share, seed=1) for share in (0.3, 0.7))
    assert set(small.train) < set(large.train) < set(split.train)
    assert kept_patients(split, patients, 1.0, seed=1).train.tolist() == split.train.tolist()
    assert len({patients[i] for i in small.train} & {patients[i] for i in split.test}) == 0


def test_a_learning_curve_grows_and_says_what_is_too_small():
    pool = Pool.of([draw("checkpoint", 400, 3)])
    table = learning_curve(recipe(), pool, folds=3, seed=1, resamples=50, shares=(0.02, 0.3, 1.0))
    assert [row["share"] for row in table.rows] == ["30%", "100%"]
    assert "2%" in table.notes[1]
    first, last = table.rows
    assert first["patients"] < last["patients"]
    assert last["log_loss"].value < first["log_loss"].value
