"""The metrics against scikit-learn, statsmodels and brute force; degenerate input; weights as repeated rows."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn import metrics as oracle

from models.bootstrap import InvalidResampling, bootstrap, resample_counts
from models.metrics import InvalidPrediction, auprc, auroc, base_rate, brier, brier_skill, log_loss
from models.metrics_calibration import (
    calibration_in_the_large,
    calibration_slope,
    curve_distance,
    integrated_calibration_index,
    log_odds,
    recalibration,
)
from models.smooth import Loess
from models.undefined import why_undefined

EXACT = {"rtol": 0, "atol": 1e-10}
RANKING = {"auroc": auroc, "auprc": auprc}
ALL = {
    **RANKING,
    "brier": brier,
    "brier_skill": brier_skill,
    "log_loss": log_loss,
    "citl": calibration_in_the_large,
    "slope": calibration_slope,
}


def cases(seed: int, n: int = 200, decimals: int = 6):
    random = np.random.default_rng(seed)
    p = np.clip(np.round(random.beta(2, 4, n), decimals), 0.01, 0.99)
    y = (random.random(n) < p).astype(float)
    return y, p, random.integers(0, 4, n).astype(float)


@pytest.mark.parametrize("decimals", [6, 1], ids=["distinct", "tied"])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_equal_scikit_learn(seed, decimals, weighted):
    y, p, w = cases(seed, decimals=decimals)
    w = w if weighted else np.ones_like(w)
    assert_allclose(auroc(y, p, w), oracle.roc_auc_score(y, p, sample_weight=w), **EXACT)
    assert_allclose(auprc(y, p, w), oracle.average_precision_score(y, p, sample_weight=w), **EXACT)
    assert_allclose(brier(y, p, w), oracle.brier_score_loss(y, p, sample_weight=w), **EXACT)
    assert_allclose(log_loss(y, p, w), oracle.log_loss(y, p, sample_weight=w), **EXACT)
    reference = np.average((y - np.average(y, weights=w)) ** 2, weights=w)
    assert_allclose(brier_skill(y, p, w), 1 - brier(y, p, w) / reference, **EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_calibration_equals_statsmodels(seed):
    y, p, w = cases(seed)
    z = log_odds(p)
    family = sm.families.Binomial()
    full = sm.GLM(y, sm.add_constant(z), family=family, freq_weights=w + 1).fit(tol=1e-14)
    mine = recalibration(y, p, w + 1)
    assert_allclose([mine.intercept, mine.slope], full.params, rtol=0, atol=1e-9)
    assert_allclose([mine.intercept_error, mine.slope_error], full.bse, rtol=0, atol=1e-9)
    large = sm.GLM(y, np.ones((len(y), 1)), family=family, offset=z).fit(tol=1e-14)
    mine = recalibration(y, p, fixed_slope=True)
    assert_allclose([mine.intercept, mine.intercept_error], [large.params[0], large.bse[0]], rtol=0, atol=1e-9)
    assert mine.slope == 1.0


@pytest.mark.parametrize("decimals", [6, 1], ids=["distinct", "tied"])
def test_loess_equals_statsmodels(decimals):
    y, p, _ = cases(3, n=120, decimals=decimals)
    mine = Loess.of(p, np.ones_like(p)).fitted(y)
    theirs = sm.nonparametric.lowess(y, p, frac=0.75, it=0, delta=0.0, return_sorted=False)
    assert_allclose(mine, theirs, rtol=0, atol=1e-10)


def test_curve_distance_counts_weights_as_repeated_rows():
    y, p, w = cases(4, n=150)
    repeated = np.repeat(np.arange(150), w.astype(int))
    whole, counted = curve_distance(y[repeated], p[repeated]), curve_distance(y, p, w)
    assert_allclose(
        [whole.ici, whole.e50, whole.e90, whole.emax], [counted.ici, counted.e50, counted.e90, counted.emax], **EXACT
    )


def test_ici_of_many_weights_at_once_is_that_of_each():
    y, p, _ = cases(5, n=80)
    ones = np.ones((3, 80))
    assert_allclose(integrated_calibration_index(y, p, ones), [curve_distance(y, p).ici] * 3, **EXACT)


@pytest.mark.parametrize("name", ALL)
def test_weight_two_is_the_same_as_two_rows(name):
    y, p, w = cases(7)
    rows = np.repeat(np.arange(len(y)), w.astype(int))
    assert_allclose(ALL[name](y, p, w), ALL[name](y[rows], p[rows]), **EXACT)


@pytest.mark.parametrize("name", ALL)
def test_row_order_does_not_matter(name):
    y, p, _ = cases(8)
    order = np.random.default_rng(0).permutation(len(y))
    assert_allclose(ALL[name](y[order], p[order]), ALL[name](y, p), **EXACT)


@pytest.mark.parametrize("name", ALL)
def test_many_weight_rows_equal_one_at_a_time(name):
    y, p, _ = cases(9, n=60)
    weights = np.random.default_rng(1).integers(0, 3, (5, 60)).astype(float)
    assert_allclose(ALL[name](y, p, weights), [ALL[name](y, p, row) for row in weights], **EXACT)


DEGENERATE = {
    "one class": ([1.0, 1.0], [0.2, 0.3], {"auroc", "brier_skill", "citl", "slope"}, "all 2 cases responded"),
    "no responder": (
        [0.0, 0.0],
        [0.2, 0.3],
        {"auroc", "auprc", "brier_skill", "citl", "slope"},
        "none of 2 cases responded",
    ),
    "n = 1": ([1.0], [0.4], {"auroc", "brier_skill", "citl", "slope"}, "all 1 cases responded"),
    "constant": ([0.0, 1.0, 0.0], [0.4, 0.4, 0.4], {"slope"}, "one prediction for all 3 cases"),
    "certain": ([0.0, 1.0, 0.0, 1.0], [0.0, 0.5, 0.6, 0.2], {"citl", "slope"}, "a probability of exactly 0 or 1"),
    "separated": (
        [0.0, 0.0, 1.0, 1.0],
        [0.1, 0.2, 0.3, 0.4],
        {"slope"},
        "predictions separate responders from the others completely",
    ),
    "empty": ([], [], set(ALL), "no cases"),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_input_has_its_documented_result(case):
    y, p, undefined, reason = DEGENERATE[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = {name for name, metric in ALL.items() if np.isnan(metric(np.array(y), np.array(p)))}
    assert found == undefined
    assert why_undefined(y, p) == reason


def test_constant_prediction_ranks_nothing_and_an_impossible_outcome_costs_infinitely():
    y = np.array([0.0, 1.0, 0.0, 1.0])
    assert auroc(y, np.full(4, 0.3)) == 0.5
    assert auprc(y, np.full(4, 0.3)) == 0.5
    assert log_loss(y, [0.0, 0.0, 0.5, 0.5]) == np.inf
    assert np.isfinite(log_loss(y, [0.0, 1.0, 0.5, 0.5]))


@pytest.mark.parametrize(
    ("y", "p", "w", "text"),
    [
        ([0, 1], [0.1], None, "do not belong together"),
        ([0, 2], [0.1, 0.2], None, "neither 0 nor 1"),
        ([0, np.nan], [0.1, 0.2], None, "neither 0 nor 1"),
        ([0, 1], [0.1, np.nan], None, "prediction: is not a number"),
        ([0, 1], [0.1, 1.2], None, "outside 0 to 1"),
        ([0, 1], [0.1, 0.2], [1, -1], "negative or not finite"),
    ],
)
def test_what_cannot_be_judged_is_refused(y, p, w, text):
    with pytest.raises(InvalidPrediction, match=text):
        brier(y, p, w)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_auroc_of_the_other_class_is_the_complement(seed, n):
    y, p, _ = cases(seed, n=n, decimals=1)
    whole = auroc(y, p) + auroc(1 - y, p)
    assert np.isnan(whole) if len(set(y)) < 2 else abs(whole - 1) < 1e-12


def test_bootstrap_is_deterministic_stratified_and_by_patient():
    patients, strata = np.array([1, 1, 2, 3, 4, 4]), np.array(list("aaabbb"))
    blocks = np.vstack(list(resample_counts(patients, strata, 500, seed=3)))
    assert np.array_equal(blocks, np.vstack(list(resample_counts(patients, strata, 500, seed=3))))
    assert np.array_equal(blocks[:, 0], blocks[:, 1])
    assert np.all(blocks[:, 0] + blocks[:, 2] == 2)
    assert np.all(blocks[:, 3] + blocks[:, 4] == 2)
    with pytest.raises(InvalidResampling):
        next(resample_counts(patients, strata[:2], 5))


def test_bootstrap_interval_is_close_to_delong():
    from models.delong import auroc_standard_error

    y, p, _ = cases(11, n=600)
    found = bootstrap(y, p, {"auroc": auroc}, seed=1)["auroc"]
    assert abs((found.high - found.low) / 2 - 1.96 * auroc_standard_error(y, p)) < 0.004


def test_two_thousand_resamples_of_a_thousand_patients_take_seconds():
    y, p, _ = cases(12, n=1000)
    start = time.process_time()
    found = bootstrap(y, p, {**ALL, "ici": integrated_calibration_index})
    assert time.process_time() - start < 8.0
    assert all(one.low <= one.value <= one.high for name, one in found.items() if name != "ici")


def test_an_interval_of_a_mostly_undefined_metric_is_not_shown():
    found = bootstrap([0.0, 0.0, 0.0, 1.0], [0.1, 0.2, 0.3, 0.4], {"auroc": auroc}, resamples=300)["auroc"]
    assert found.value == 1.0
    assert 0.2 < found.undefined < 0.45
    assert base_rate([0, 1, 1, 1]) == 0.75
