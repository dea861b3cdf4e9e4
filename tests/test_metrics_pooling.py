"""DeLong, pooling, exact intervals and decision curves against oracles and hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.proportion import proportion_confint

from models.decision import InvalidThreshold, net_benefit, net_benefit_treat_all, withholding
from models.delong import auroc_covariance, auroc_standard_error, compare_aurocs
from models.metrics import InvalidPrediction
from models.pooling import InvalidCounts, exact_interval, pool_inverse_variance, pool_random_effects


def brute_force(y, scores):
    """DeLong's covariance from the matrix of pairs, as in the 1988 paper."""
    pairs = [(s[y == 1][:, None] > s[y == 0]) + 0.5 * (s[y == 1][:, None] == s[y == 0]) for s in scores]
    cases, controls = [k.mean(axis=1) for k in pairs], [k.mean(axis=0) for k in pairs]
    return np.cov(cases) / (y == 1).sum() + np.cov(controls) / (y == 0).sum()


@pytest.mark.parametrize("seed", range(4))
def test_delong_equals_the_matrix_of_pairs(seed):
    random = np.random.default_rng(seed)
    y = (random.random(90) < 0.3).astype(float)
    scores = np.round(random.normal(size=(2, 90)) + y, 1)
    _, covariance = auroc_covariance(y, scores)
    assert_allclose(covariance, brute_force(y, scores), rtol=0, atol=1e-12)
    found = compare_aurocs(y, *scores)
    expected = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert_allclose(found.standard_error**2, expected, atol=1e-12)
    assert found.low < found.difference < found.high


def test_delong_degenerate():
    y = np.array([0.0, 1.0, 0.0, 1.0])
    same = compare_aurocs(y, [1, 2, 3, 4], [10, 20, 30, 40])
    assert (same.difference, same.standard_error, same.p_value) == (0.0, 0.0, 1.0)
    assert np.isnan(auroc_standard_error([0, 0, 1], [0.1, 0.2, 0.3]))
    assert np.isnan(auroc_covariance([1.0, 1.0], [[0.1, 0.2]])[0][0])
    with pytest.raises(InvalidPrediction, match="cannot be paired"):
        compare_aurocs(y, [1, 2, 3, 4], [1, 2, 3])


@pytest.mark.parametrize(("events", "cases"), [(0, 10), (10, 10), (58, 425), (1, 1), (3, 7)])
def test_exact_interval_equals_statsmodels(events, cases):
    mine = exact_interval(events, cases)
    assert_allclose([mine.low, mine.high], proportion_confint(events, cases, method="beta"), rtol=0, atol=1e-10)


def test_exact_interval_of_nobody_and_of_impossible_counts():
    assert np.isnan(exact_interval(0, 0).low)
    with pytest.raises(InvalidCounts):
        exact_interval(3, 2)


def test_pooling_equals_statsmodels():
    values, errors = np.array([0.74, 0.70, 0.60, 0.66]), np.array([0.02, 0.03, 0.04, 0.035])
    theirs = combine_effects(values, errors**2, method_re="iterated", atol=1e-14, maxiter=1000)
    fixed, random = pool_inverse_variance(values, errors), pool_random_effects(values, errors)
    assert_allclose([fixed.value, fixed.standard_error], [theirs.mean_effect_fe, theirs.sd_eff_w_fe], atol=1e-10)
    assert_allclose([random.value, random.between_variance], [theirs.mean_effect_re, theirs.tau2], atol=1e-8)
    assert random.prediction.low < random.interval.low < random.value < random.interval.high < random.prediction.high


def test_pooling_degenerate():
    assert np.isnan(pool_inverse_variance([np.nan], [0.1]).value)
    one = pool_random_effects([0.7, np.nan], [0.02, 0.1])
    assert (one.value, one.cohorts) == (pytest.approx(0.7), 1)
    assert np.isnan(one.prediction.low)
    assert pool_random_effects([0.7, 0.7, 0.7], [0.1, 0.1, 0.1]).between_variance == 0.0


def test_net_benefit_by_hand():
    y, p = np.array([0, 0, 1, 1, 0.0]), np.array([0.1, 0.4, 0.35, 0.8, 0.35])
    treated = p >= 0.35
    expected = (np.sum(treated & (y == 1)) - np.sum(treated & (y == 0)) * 0.35 / 0.65) / 5
    assert_allclose(net_benefit(y, p, [0.35]), [expected], atol=1e-15)
    assert_allclose(net_benefit_treat_all(y, [0.2]), [0.4 - 0.6 * 0.25], atol=1e-15)
    assert net_benefit(y, p, [0.2, 0.5], np.ones((3, 5))).shape == (3, 2)
    with pytest.raises(InvalidThreshold):
        net_benefit(y, p, [0.0])


def test_withholding_nobody_says_so():
    found = withholding([0, 1], [0.5, 0.6])
    assert found.withheld == 0
    assert np.isnan(found.negative_predictive_value)
    assert found.responders_missed_per_100 == 0.0
