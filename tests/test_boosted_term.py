"""The boosted term: TreeSHAP, monotone signs, the same bits, and its centring."""

from __future__ import annotations

import warnings

import numpy as np

from features.contract import Column
from models.boosted import averaged_output
from models.boosted_fit import PRESETS, as_outcomes, as_term, fit_boosters, preset
from models.inputs import logistic
from models.settings import BoostedSettings
from models.terms import Terms
from tests.invented_models import InventedTable, draw

CASES = draw(700, seed=12)
TABLE = InventedTable.of(CASES.batch)
MATRIX = TABLE.matrix(CASES.batch)
SETTINGS = BoostedSettings(seeds=3, trees=20)
WEIGHT = np.random.default_rng(1).integers(1, 4, 700).astype(float)


def boosters(settings=SETTINGS, seed=1):
    return fit_boosters(MATRIX, TABLE.columns, CASES.y, WEIGHT, np.full(700, -1.0), settings, seed)


TERM = as_term(boosters(), MATRIX, WEIGHT)


def test_contributions_are_tree_shap_minus_their_training_mean():
    ours, _ = TERM.contributions(MATRIX)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own deprecations at import
        import shap

        theirs = np.mean([np.asarray(shap.TreeExplainer(b).shap_values(MATRIX)) for b in TERM.boosters()], axis=0)
    np.testing.assert_allclose(ours + TERM.centre, theirs, atol=1e-9)


def test_contributions_sum_to_the_output_and_their_weighted_mean_is_zero():
    ours, spread = TERM.contributions(MATRIX)
    np.testing.assert_allclose(TERM.mean + ours.sum(axis=1), averaged_output(TERM.boosters(), MATRIX), atol=1e-12)
    np.testing.assert_allclose(np.average(ours, axis=0, weights=WEIGHT), 0.0, atol=1e-12)
    assert np.all(spread > 0)


def test_expected_value_of_lightgbm_is_not_the_training_mean():
    """Why the columns are centred: bags and weights move LightGBM's own base."""
    assert abs(float(TERM.raw(MATRIX)[:, 0, -1].mean()) - TERM.mean) > 1e-6


def test_same_bits_twice_and_other_seeds_other_trees():
    assert as_term(boosters(), MATRIX, WEIGHT).texts == TERM.texts
    assert as_term(boosters(seed=9), MATRIX, WEIGHT).texts != TERM.texts


def test_monotone_where_biology_has_a_sign():
    for j, column in enumerate(TABLE.columns):
        if column.expected_sign:
            grid = np.repeat(MATRIX[:1], 50, axis=0)
            grid[:, j] = np.linspace(np.nanmin(MATRIX[:, j]), np.nanmax(MATRIX[:, j]), 50)
            assert np.all(np.diff(TERM.value(grid)) * column.expected_sign >= -1e-12)


def test_responders_of_n_are_no_responders_of_one():
    """LightGBM takes any label above 0 for a response; published arms beside patients are rates."""
    matrix = np.random.default_rng(4).normal(size=(400, 1))
    rate = np.where(matrix[:, 0] > 0, 0.4, 0.1)
    settings = BoostedSettings(seeds=1, trees=300, ridge=1.0, smallest_leaf=20)
    columns = [Column("invented", "invented", "patient", "1")]
    weight = np.full(400, 50.0)
    found = fit_boosters(matrix, columns, rate, weight, np.full(400, -1.0), settings, 1)
    learned = logistic(averaged_output(found, matrix) - 1.0)
    for one in (0.1, 0.4):  # on average: what each tree sees of the two rows of a rate is drawn
        np.testing.assert_allclose(learned[rate == one].mean(), one, atol=0.01)


def test_rates_beside_outcomes_leave_outcomes_as_they_are():
    row, label, counted = as_outcomes(np.array([0.0, 1.0, 0.2]), np.array([1.0, 2.0, 10.0]))
    np.testing.assert_array_equal(row, [0, 1, 2, 2])
    np.testing.assert_array_equal(label, [0, 1, 1, 0])
    np.testing.assert_array_equal(counted, [1, 2, 2, 8])


def test_texts_round_trip_exactly():
    terms = Terms(0.0, None, 0.0, np.zeros(0), None, TERM)
    again = Terms.from_dict(terms.to_dict(), TERM.texts)
    assert np.array_equal(again.boosted.contributions(MATRIX)[0], TERM.contributions(MATRIX)[0])


def test_presets_grow_with_the_number_of_cases():
    assert [one.trees for one in PRESETS] == sorted(one.trees for one in PRESETS)
    assert preset(300).trees == 10
    assert preset(10**6).trees == 160
