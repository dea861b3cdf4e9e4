"""The metrics against other people's programs on random and degenerate input: dcurves, venn-abers, scikit-learn,
statsmodels, scipy; and sample sizes against Riley's own worked examples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from dcurves import dca
from numpy.testing import assert_allclose
from scipy.stats import mannwhitneyu
from sklearn import metrics as oracle
from venn_abers import VennAbers

from models.decision import THRESHOLDS, net_benefit, net_benefit_treat_all, withholding
from models.delong import auroc_standard_error, compare_aurocs
from models.metrics import auprc, auroc, auroc_within, brier, brier_skill, log_loss
from models.metrics_calibration import calibration_in_the_large, calibration_slope, log_odds
from training.sample_size import InvalidSampleSize, minimum_sample_size
from training.venn_abers import venn_abers

EXACT = {"rtol": 0, "atol": 1e-10}


def drawn(seed: int, n: int, decimals: int):
    random = np.random.default_rng(seed)
    p = np.clip(np.round(random.beta(2, 4, n), decimals), 0.02, 0.98)
    y = (random.random(n) < p).astype(float)
    y[:2] = 0.0, 1.0
    return y, p


KINDS = [(1, 300, 6), (2, 300, 1), (3, 40, 2), (4, 2, 6)]
NAMES = ["distinct", "tied", "few", "two"]


@pytest.mark.parametrize(("seed", "n", "decimals"), KINDS, ids=NAMES)
def test_net_benefit_equals_dcurves(seed, n, decimals):
    y, p = drawn(seed, n, decimals)
    table = dca(data=pd.DataFrame({"y": y, "p": p}), outcome="y", modelnames=["p"], thresholds=THRESHOLDS)
    of = {name: part.sort_values("threshold")["net_benefit"].to_numpy() for name, part in table.groupby("model")}
    # dcurves treats above the threshold, we treat at it as well: the two meet where no estimate lies on a threshold
    apart = ~np.isin(THRESHOLDS, p)
    assert_allclose(net_benefit(y, p)[apart], of["p"][apart], **EXACT)
    assert_allclose(net_benefit_treat_all(y), of["all"], **EXACT)
    assert_allclose(of["none"], 0.0, **EXACT)


def test_net_benefit_of_one_prediction_for_all_and_of_one_patient():
    y = drawn(5, 80, 6)[0]
    assert_allclose(net_benefit(y, np.full(80, 0.9)), net_benefit_treat_all(y), **EXACT)
    assert_allclose(net_benefit(y, np.full(80, 0.01)), 0.0, **EXACT)
    assert_allclose(net_benefit([1.0], [0.3], [0.2]), [1.0], **EXACT)
    assert np.isnan(net_benefit([], [], [0.2])).all()


@pytest.mark.parametrize(("seed", "n", "decimals"), KINDS, ids=NAMES)
def test_withholding_equals_the_confusion_matrix(seed, n, decimals):
    y, p = drawn(seed, n, decimals)
    found = withholding(y, p, 0.3)
    below, _, missed, _ = oracle.confusion_matrix(y, p >= 0.3, labels=[0, 1]).ravel().tolist()
    assert found.withheld == below + missed
    assert_allclose(found.responders_missed_per_100, 100 * missed / n, **EXACT)
    if found.withheld:
        assert_allclose(found.negative_predictive_value, below / (below + missed), **EXACT)


@pytest.mark.parametrize("decimals", [6, 1], ids=["distinct", "tied"])
def test_venn_abers_equals_the_package(decimals):
    y, p = drawn(6, 250, decimals)
    asked = np.r_[drawn(7, 60, decimals)[1], 0.0, 1.0, p[:3]]
    theirs = VennAbers()
    theirs.fit(np.column_stack([1 - p, p]), y)
    _, both = theirs.predict_proba(np.column_stack([1 - asked, asked]))
    low, high = venn_abers(p, y, asked)
    assert_allclose(low, both[:, 0], rtol=0, atol=1e-6)  # the package rounds its scores to six decimals
    assert_allclose(high, both[:, 1], rtol=0, atol=1e-6)
    assert (low <= high).all()


@pytest.mark.parametrize("outcome", [[0.0], [1.0], [0.0, 0.0, 0.0], [1.0, 1.0]])
def test_venn_abers_of_one_class_and_of_one_case(outcome):
    score = np.linspace(0.2, 0.8, len(outcome))
    low, high = venn_abers(score, outcome, [0.5])
    # by hand: the patient alone or with all those on the side that the isotonic line must not fall towards
    below, above = np.sum(score <= 0.5), np.sum(score >= 0.5)
    assert low[0] == pytest.approx(outcome[0] * below / (below + 1))
    assert high[0] == pytest.approx(1 - (1 - outcome[0]) * above / (above + 1))


@pytest.mark.parametrize(("seed", "n", "decimals"), KINDS[:3], ids=NAMES[:3])
def test_auroc_is_the_mann_whitney_statistic_and_within_groups_its_sum(seed, n, decimals):
    y, p = drawn(seed, n, decimals)
    u = mannwhitneyu(p[y == 1], p[y == 0]).statistic
    assert_allclose(auroc(y, p), u / (y.sum() * (n - y.sum())), **EXACT)
    group = np.arange(n) % 3
    parts = [(y[group == k], p[group == k]) for k in range(3)]
    pairs = [one.sum() * (len(one) - one.sum()) for one, _ in parts]
    wins = [mannwhitneyu(q[one == 1], q[one == 0]).statistic for one, q in parts if 0 < one.sum() < len(one)]
    assert_allclose(auroc_within(y, p, group), sum(wins) / sum(pairs), **EXACT)


def test_a_paired_difference_has_the_variance_of_its_parts_when_nothing_is_shared():
    y, p = drawn(8, 400, 6)
    same = compare_aurocs(y, p, p)
    assert same.difference == 0.0
    assert same.standard_error == pytest.approx(0.0, abs=1e-12)
    assert_allclose(compare_aurocs(y, p, 1 - p).difference, 2 * auroc(y, p) - 1, **EXACT)
    assert_allclose(compare_aurocs(y, p, 1 - p).standard_error, 2 * auroc_standard_error(y, p), **EXACT)


@pytest.mark.parametrize("weighted", [False, True])
def test_constant_predictions_equal_scikit_learn_and_statsmodels(weighted):
    random = np.random.default_rng(9)
    y, p = (random.random(60) < 0.3).astype(float), np.full(60, 0.4)
    w = random.integers(1, 4, 60).astype(float) if weighted else np.ones(60)
    assert_allclose(auroc(y, p, w), oracle.roc_auc_score(y, p, sample_weight=w), **EXACT)
    assert_allclose(auprc(y, p, w), oracle.average_precision_score(y, p, sample_weight=w), **EXACT)
    assert_allclose(brier(y, p, w), oracle.brier_score_loss(y, p, sample_weight=w), **EXACT)
    assert_allclose(log_loss(y, p, w), oracle.log_loss(y, p, sample_weight=w), **EXACT)
    fit = sm.GLM(y, np.ones((60, 1)), family=sm.families.Binomial(), offset=log_odds(p), freq_weights=w).fit(tol=1e-14)
    assert_allclose(calibration_in_the_large(y, p, w), fit.params[0], **EXACT)
    assert np.isnan(calibration_slope(y, p, w))


@pytest.mark.parametrize("y", [0.0, 1.0])
@pytest.mark.parametrize("n", [1, 5])
def test_one_class_equals_scikit_learn_where_it_is_defined_there(y, n):
    outcome, p = np.full(n, y), np.linspace(0.2, 0.6, n)
    assert_allclose(brier(outcome, p), oracle.brier_score_loss(outcome, p, pos_label=1), **EXACT)
    assert_allclose(log_loss(outcome, p), oracle.log_loss(outcome, p, labels=[0, 1]), **EXACT)
    for undefined in (auroc, brier_skill, calibration_in_the_large, calibration_slope):
        assert np.isnan(undefined(outcome, p))


RILEY = "Riley et al., Statistics in Medicine 2019, doi:10.1002/sim.7992, worked example; pmsampsize 1.1.3"
SAMPLE_SIZES = [  # response rate, parameters, Cox-Snell R2, cases by criterion 1, 2, 3 (None: not printed), source
    (0.174, 24, 0.288, (623, 662, 221), RILEY),
    (0.05, 30, 0.05, (5249, None, 73), "Riley et al., BMJ 2020, doi:10.1136/bmj.m441, pre-eclampsia"),
    (0.30, 22, 0.1, (1868, None, 323), "by hand: 22 / (-0.1 ln(1 - 0.1 / 0.9)); (1.96 / 0.05)^2 0.21"),
]


@pytest.mark.parametrize(("rate", "parameters", "explained", "cases", "source"), SAMPLE_SIZES)
def test_sample_sizes_are_the_published_ones(rate, parameters, explained, cases, source):
    found = minimum_sample_size(rate, parameters, explained)
    by_criterion = (found.shrinkage, found.optimism, found.intercept)
    for ours, theirs in zip(by_criterion, cases, strict=True):
        assert theirs is None or ours == theirs, source
    assert found.needed == max(by_criterion)


def test_without_an_expected_r2_it_is_15_percent_of_the_highest():
    highest = 1 - (0.5**0.5 * 0.5**0.5) ** 2
    assert minimum_sample_size(0.5, 10) == minimum_sample_size(0.5, 10, 0.15 * highest)
    with pytest.raises(InvalidSampleSize, match=r"between 0 and 0\.75"):
        minimum_sample_size(0.5, 10, 0.8)


def test_what_no_sample_size_follows_from_is_refused():
    for rate in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(InvalidSampleSize):
            minimum_sample_size(rate, 5)
