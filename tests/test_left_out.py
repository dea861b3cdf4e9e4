"""Leaving out: nothing of what is scored was fitted on, twins leave training, tables hold every predictor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tests.quick_recipe import recipe, two_cohorts
from training.extrapolation import extrapolation_table
from training.fit import fit_model
from training.internal_external import across_table, against_rival_table
from training.left_out import LEFT_COHORT, WITH_TWINS, left_cohorts, main_histologies, therapy_classes
from training.same_patients import Twins, twins_between_cohorts

NOBODY = Twins((), ())


@pytest.fixture(scope="module")
def pool():
    return two_cohorts()


@pytest.fixture(scope="module")
def scenes(pool):
    return list(left_cohorts(recipe("base_rate", "loris_pan_cancer"), pool, NOBODY))


def test_every_cohort_is_scored_by_a_model_of_the_others(pool, scenes):
    names = np.unique(pool.source).tolist()
    assert [scene.cohort for scene in scenes] == names
    assert {scene.name for scene in scenes} == {LEFT_COHORT}
    here = pool.source == names[0]
    alone = fit_model(recipe(), pool.take(np.flatnonzero(~here))).answers(pool.take(np.flatnonzero(here)).batch())
    assert np.array_equal(scenes[0].forecast("model").values[0], alone.scores.probability)


def test_outcomes_of_the_left_out_cohort_change_nothing_of_its_forecasts(pool, scenes):
    here = pool.source == scenes[0].cohort
    other_way = np.where(here, 1 - pool.outcome, pool.outcome)
    flipped = replace(pool, cohort=with_outcome(pool.cohort, other_way))
    again = list(left_cohorts(recipe(), flipped, NOBODY))
    assert np.array_equal(again[0].forecast("model").values, scenes[0].forecast("model").values)
    assert not np.array_equal(again[1].forecast("model").values, scenes[1].forecast("model").values)


def with_outcome(cohort, outcome):
    """The cohort with other responses and no best response."""
    table = cohort.outcomes
    for name, values in {"objective_response": pa.array(outcome), "best_response": pa.nulls(len(outcome))}.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, values.cast(table.schema.field(name).type))
    return replace(cohort, outcomes=table)


def test_twins_leave_training_and_the_figures_with_them_stand_beside(pool):
    names = np.unique(pool.source).tolist()
    one, other = (np.flatnonzero(pool.source == name) for name in names)
    twins = Twins(((int(one[0]), int(other[0])), (int(one[1]), int(other[1]))), ())
    found = list(left_cohorts(recipe(), pool, twins))
    assert [(scene.name, scene.cohort) for scene in found] == [
        (name, cohort) for cohort in names for name in (LEFT_COHORT, WITH_TWINS)
    ]
    assert not np.array_equal(found[0].forecasts[0].values, found[1].forecasts[0].values)
    without = fit_model(recipe(), pool.take(other[2:])).answers(pool.take(one).batch()).scores.probability
    assert np.array_equal(found[0].forecasts[0].values[0], without)


def test_across_cohorts_every_predictor_has_its_line(scenes):
    table = across_table(scenes, "x", "X")
    assert [row["predictor"] for row in table.rows] == ["model", "base_rate", "loris_pan_cancer"]
    assert table.rows[0]["cohorts"] == 2
    assert table.rows[0]["auroc"].low < table.rows[0]["auroc"].value
    assert "less" not in table.rows[0]
    assert table.rows[1]["less"].value > 0


def test_a_rival_is_compared_on_its_own_patients_weighted_by_n(scenes):
    table = against_rival_table(scenes, "loris_pan_cancer", "x", "X")
    *rows, mean = table.rows
    assert mean["n"] == sum(row["n"] for row in rows)
    assert mean["model"] == pytest.approx(np.average([r["model"] for r in rows], weights=[r["n"] for r in rows]))
    assert against_rival_table(scenes, "nobody", "x", "X").rows == ()


def test_main_histologies_lie_right_below_the_tissue(pool):
    found = dict(zip(pool.histology.tolist(), main_histologies(pool).tolist(), strict=True))
    for code in ("LUAD", "LUSC", "NSCLC"):
        assert found.get(code, "NSCLC") == "NSCLC"
    assert {str(name) for name in therapy_classes(pool)} >= {"pd1_pdl1"}


def test_a_left_out_histology_is_scored_cohort_by_cohort_and_small_ones_are_named(pool):
    table = extrapolation_table(recipe("base_rate"), pool, main_histologies(pool), "histology", NOBODY, resamples=50)
    left = dict.fromkeys(row["left_out"] for row in table.rows)
    assert "NSCLC" in left
    row = next(row for row in table.rows if row["left_out"] == "NSCLC")
    assert row["n"] == int(sum(main_histologies(pool) == "NSCLC"))
    assert "fewer than 20 cases" in table.notes[0]
    assert len(table.rows) == 2 * len(left)


def test_unlike_cohorts_have_no_twins(pool):
    assert twins_between_cohorts(pool).pairs == ()


def test_twins_of_rows_and_their_groups():
    twins = Twins(((0, 3), (0, 4), (1, 4)), ())
    assert twins.of(np.array([4])).tolist() == [0, 1]
    assert twins.of(np.array([0])).tolist() == [3, 4]
    assert len(set(twins.groups(["a", "b", "c", "d", "e"]).tolist())) == 2
