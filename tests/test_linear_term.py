"""The linear term: against scikit-learn and SHAP, and what must not change it (weights, order)."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.contract import Column
from models.inputs import logistic
from models.linear import LinearTerm
from models.linear_fit import EVIDENCE_SCALE, believed_penalties, factors_of, fit_linear, live_columns
from models.linear_prior import MARGINAL_PENALTY, OWN_POOL, marginal_settings
from models.prior_variance import FIGURE
from models.ridge_path import RidgePath
from models.settings import LinearSettings
from tests.invented_models import HISTOLOGIES, InventedEvidence, InventedTable, draw

CASES = draw(600, seed=11)
TABLE = InventedTable(HISTOLOGIES)
MATRIX = TABLE.matrix(CASES.batch)
EVIDENCE = InventedEvidence().evaluate(CASES.batch).log_odds
ONES = np.ones(600)
DEFAULTS = LinearSettings(missing_penalty=1.0)


def fitted(matrix=MATRIX, y=CASES.y, weight=ONES, evidence=EVIDENCE, penalty=10.0, settings=DEFAULTS):
    return fit_linear(matrix, TABLE.columns, y, weight, evidence, penalty, settings)


def test_the_gradient_is_zero_at_the_fit():
    fit = fitted()
    x = fit.term.standardised(MATRIX)
    residual = CASES.y - logistic(fit.value(MATRIX, EVIDENCE))
    assert abs(residual.sum()) < 1e-8
    np.testing.assert_allclose(x.T @ residual, 10.0 * fit.term.coefficients, atol=1e-8)


def test_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    fit = fitted(evidence=None)
    theirs = LogisticRegression(C=0.1, tol=1e-10, max_iter=2000).fit(fit.term.standardised(MATRIX), CASES.y)
    np.testing.assert_allclose(fit.term.coefficients, theirs.coef_[0], atol=1e-5)
    assert fit.intercept == pytest.approx(float(theirs.intercept_[0]), abs=1e-5)


def test_evidence_is_practically_unpenalised():
    weak, strong = fitted(penalty=1e-3), fitted(penalty=1000.0)
    assert EVIDENCE_SCALE**2 == 10_000
    assert strong.evidence_weight > 0.5
    assert np.abs(strong.term.coefficients).max() < np.abs(weak.term.coefficients).max()


def test_evidence_that_points_the_wrong_way_weighs_nothing():
    assert fitted(evidence=-5 * (CASES.y + 0.1 * EVIDENCE)).evidence_weight == 0.0


def test_evidence_that_does_not_vary_keeps_the_weight_one_and_says_how_unsure():
    fit = fitted(evidence=np.full(600, -1.2))
    plain = fitted(evidence=None)
    assert fit.evidence_weight == 1.0
    np.testing.assert_allclose(fit.value(MATRIX, np.full(600, -1.2)), plain.value(MATRIX, None), atol=1e-12)
    assert fit.covariance_root[-1] @ fit.covariance_root[-1] == pytest.approx(0.25)


def test_weight_two_equals_two_rows():
    weight = np.random.default_rng(0).integers(1, 4, 600).astype(float)
    twice = np.repeat(np.arange(600), weight.astype(int))
    one = fitted(weight=weight)
    two = fitted(MATRIX[twice], CASES.y[twice], np.ones(len(twice)), EVIDENCE[twice])
    np.testing.assert_allclose(one.term.coefficients, two.term.coefficients, atol=1e-11)
    np.testing.assert_allclose(one.value(MATRIX, EVIDENCE), two.value(MATRIX, EVIDENCE), atol=1e-10)
    ours, theirs = (fit.covariance_root @ fit.covariance_root.T for fit in (one, two))
    np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_responders_of_n_equal_their_patients():
    rate, n = np.array([0.25, 0.5, 1.0]), np.array([8.0, 4.0, 3.0])
    rows = np.repeat(np.arange(3), n.astype(int))
    y = np.concatenate([[1.0] * round(r * k) + [0.0] * round((1 - r) * k) for r, k in zip(rate, n, strict=True)])
    arms, patients = fitted(MATRIX[:3], rate, n, None), fitted(MATRIX[:3][rows], y, np.ones(15), None)
    np.testing.assert_allclose(arms.term.coefficients, patients.term.coefficients, atol=1e-11)


def believed(fit):
    """Penalties of the covariance: what the cases say of each group, whatever the penalty of the fit."""
    standardised = fit.term.standardised(MATRIX)
    live = live_columns(standardised)
    assert len(live) == MATRIX.shape[1]
    return believed_penalties(standardised, live, TABLE.columns, CASES.y, ONES, None, DEFAULTS)


@pytest.mark.parametrize("penalty", [10.0, 1000.0])
def test_covariance_is_the_inverse_hessian_under_what_the_cases_say(penalty):
    """A strong penalty does not make effects known: the prior of the covariance does not depend on it."""
    fit = fitted(evidence=None, penalty=penalty)
    x = np.column_stack([np.ones(600), fit.term.standardised(MATRIX)])
    p = logistic(fit.value(MATRIX, None))
    hessian = (x.T * (p * (1 - p))) @ x + np.diag([0.0, *believed(fit)])
    root = fit.covariance_root[:-1, :-1]
    np.testing.assert_allclose(root @ root.T, np.linalg.inv(hessian)[1:, 1:], atol=1e-10)


def test_missing_indicators_have_a_penalty_of_their_own():
    even, apart = fitted(), fitted(settings=LinearSettings(missing_penalty=30.0))
    missing = [place for place, column in enumerate(TABLE.columns) if column.name.endswith("__missing")]
    assert np.abs(apart.term.coefficients[missing]).max() < 0.3 * np.abs(even.term.coefficients[missing]).max()
    x, residual = apart.term.standardised(MATRIX), CASES.y - logistic(apart.value(MATRIX, EVIDENCE))
    np.testing.assert_allclose((x.T @ residual)[missing], 300.0 * apart.term.coefficients[missing], atol=1e-8)


@pytest.mark.parametrize("evidence", [None, EVIDENCE, -5 * (CASES.y + 0.1 * EVIDENCE), np.full(600, -1.2)])
def test_a_path_of_fits_gives_what_single_fits_give(evidence):
    thrice = np.column_stack([MATRIX, MATRIX[:, -1:], MATRIX[:, :1]])
    columns = (*TABLE.columns, TABLE.columns[-1], TABLE.columns[0])
    weight = np.random.default_rng(1).integers(1, 4, 600).astype(float)
    path = RidgePath(thrice, columns, CASES.y, weight, evidence)
    for penalty in (300.0, 3.0, 30.0):
        for settings in (LinearSettings(), LinearSettings(group_penalty={"histology": 0.1})):
            quick = path.fit(penalty, settings)
            single = fit_linear(thrice, columns, CASES.y, weight, evidence, penalty, settings)
            np.testing.assert_allclose(quick.term.coefficients, single.term.coefficients, atol=1e-7)
            assert quick.intercept == pytest.approx(single.intercept, abs=1e-7)
            assert quick.evidence_weight == pytest.approx(single.evidence_weight, abs=1e-7)


def test_contributions_are_linear_shap():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own deprecations at import
        import shap

        term = fitted().term
        x = term.standardised(MATRIX)
        explainer = shap.LinearExplainer((term.coefficients, 0.0), shap.maskers.Independent(x, max_samples=len(x)))
        theirs = explainer.shap_values(x)
    np.testing.assert_allclose(term.contributions(MATRIX), theirs, atol=1e-9)


def test_training_mean_of_every_contribution_is_zero():
    np.testing.assert_allclose(fitted().term.contributions(MATRIX).mean(axis=0), 0.0, atol=1e-12)


@given(arrays(np.float64, (4, 3), elements=st.floats(-50, 50) | st.just(float("nan"))))
def test_unknown_contributes_nothing_of_its_own(matrix):
    term = LinearTerm(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.5, 2.0]), np.array([0.3, -0.2, 0.1]), 1.0)
    assert np.all(term.contributions(matrix)[np.isnan(matrix)] == 0)
    again = LinearTerm.from_dict(term.to_dict())
    assert np.array_equal(again.contributions(matrix), term.contributions(matrix))


def test_columns_that_are_the_same_share_one_prior():
    thrice = np.column_stack([MATRIX, MATRIX[:, :1], MATRIX[:, :1]])
    columns = (*TABLE.columns, TABLE.columns[0], TABLE.columns[0])
    one = fitted(evidence=None)
    three = fit_linear(thrice, columns, CASES.y, ONES, None, 10.0, DEFAULTS)
    np.testing.assert_allclose(three.value(thrice, None), one.value(MATRIX, None), atol=1e-9)
    assert three.term.coefficients[-1] == pytest.approx(one.term.coefficients[0] / 3)


def test_what_training_never_knew_is_no_part_of_the_model():
    blank = np.column_stack([MATRIX, np.full(600, np.nan), np.zeros(600)])
    number = Column("never_known", "never_known", "patient", "1", missing="indicator")
    flag = Column("never_raised", "never_raised", "alterations")
    fit = fit_linear(blank, (*TABLE.columns, number, flag), CASES.y, ONES, None, 10.0, DEFAULTS)
    variance = (fit.covariance_root**2).sum(axis=1)
    assert fit.term.coefficients[-2:].tolist() == [0.0, 0.0]
    assert variance[-3] == 0.0
    assert variance[-2] == pytest.approx(FIGURE)


def test_group_penalty_is_a_factor():
    loose = fitted(settings=LinearSettings(group_penalty={"histology": 0.1}, missing_penalty=1.0))
    assert np.linalg.norm(loose.term.coefficients[: len(TABLE.levels)]) > np.linalg.norm(
        fitted().term.coefficients[: len(TABLE.levels)]
    )


def _two_groups(n: int = 4000, levels: int = OWN_POOL):
    """Cases whose outcome follows the first number and the levels of a histology, and nothing of the alterations."""
    rng = np.random.default_rng(5)
    numbers, noise = rng.normal(size=(n, 1)), (rng.random((n, 6)) < 0.3).astype(float)
    nested = np.eye(levels)[rng.integers(0, levels, n)]
    z = numbers[:, 0] + nested @ np.linspace(-2, 2, levels)
    columns = [
        Column("nlr_log2", "nlr", "patient", "1"),
        *(Column(f"gene_{k}", f"gene_{k}", "alterations") for k in range(6)),
        *(Column(f"histology_{k}", "histology", "histology") for k in range(levels)),
    ]
    return np.column_stack([numbers, noise, nested]), columns, (rng.random(n) < logistic(z)).astype(float)


def test_by_marginal_likelihood_what_says_nothing_is_shrunk_and_what_says_much_is_not():
    matrix, columns, y = _two_groups()
    one = np.ones(len(y))
    found = marginal_settings(matrix, columns, y, one, None, LinearSettings(prior="marginal"))
    assert set(found.group_penalty) == {"patient", "alterations", "histology", *(c.name for c in columns)}
    assert found.group_penalty["alterations"] > 5 * found.group_penalty["patient"]
    assert found.group_penalty["histology"] < 0.5
    ours = fit_linear(matrix, columns, y, one, None, MARGINAL_PENALTY, found).term.coefficients
    even = fit_linear(matrix, columns, y, one, None, MARGINAL_PENALTY, LinearSettings()).term.coefficients
    assert np.abs(ours[1:7]).max() < np.abs(even[1:7]).max()
    assert np.abs(ours[7:]).min() > np.abs(even[7:]).min()


def test_a_feature_of_many_columns_is_a_pool_of_its_own_and_goes_before_its_group():
    matrix, columns, y = _two_groups()
    beside = [*columns[:-OWN_POOL], *(Column(c.name, c.feature, "alterations") for c in columns[-OWN_POOL:])]
    found = marginal_settings(matrix, beside, y, np.ones(len(y)), None, LinearSettings(prior="marginal"))
    assert set(found.group_penalty) == {"patient", "alterations", "histology", *(c.name for c in beside)}
    factors = factors_of(beside, found)
    assert found.group_penalty["histology"] < found.group_penalty["alterations"]
    assert factors[-OWN_POOL:].max() < factors[1:-OWN_POOL].min()
    assert factors.tolist() == [found.group_penalty[column.name] for column in beside]


def test_by_marginal_likelihood_what_lies_far_from_the_others_of_its_pool_is_shrunk_less():
    rng = np.random.default_rng(7)
    matrix = (rng.random((4_000, 12)) < 0.3).astype(float)
    columns = [Column(f"level_{k}", "levels", "therapy") for k in range(12)]
    y = (rng.random(4_000) < logistic(2.0 * matrix[:, 0] - 1.0)).astype(float)
    found = marginal_settings(matrix, columns, y, np.ones(4_000), None, LinearSettings(prior="marginal"))
    factors = factors_of(columns, found)
    assert factors[0] < 0.2 * factors[1:].min()
    of_pool = LinearSettings(group_penalty={"levels": found.group_penalty["levels"]})
    ours, alike = (
        fit_linear(matrix, columns, y, np.ones(4_000), None, MARGINAL_PENALTY, one).term.coefficients
        for one in (found, of_pool)
    )
    assert abs(ours[0]) > abs(alike[0])
