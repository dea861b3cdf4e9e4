"""The calibrator: recovers a and b, chooses by events, and updates on local outcomes."""

from __future__ import annotations

import numpy as np
import pytest

from models.calibration import AffineCalibration, CannotCalibrate, fit_calibration
from models.inputs import logistic
from models.recalibration import update
from models.settings import CalibrationSettings

SETTINGS = CalibrationSettings()


def simulated(n, a, b, seed=3):
    rng = np.random.default_rng(seed)
    z = rng.normal(-1, 1.2, n)
    return z, (rng.random(n) < logistic(a * z + b)).astype(float)


def test_recovers_slope_and_intercept():
    z, y = simulated(60_000, 0.7, 0.4)
    found = fit_calibration(z, y, np.ones_like(y), SETTINGS)
    (aa, _), (_, bb) = found.covariance
    assert found.method == "affine"
    assert abs(found.a - 0.7) < 3 * aa**0.5 < 0.05
    assert abs(found.b - 0.4) < 3 * bb**0.5 < 0.08


def test_agrees_with_statsmodels():
    statsmodels = pytest.importorskip("statsmodels.api")
    z, y = simulated(1500, 0.9, -0.2)
    theirs = statsmodels.Logit(y, np.column_stack([z, np.ones_like(z)])).fit(disp=0, tol=1e-12)
    found = fit_calibration(z, y, np.ones_like(y), SETTINGS)
    np.testing.assert_allclose([found.a, found.b], theirs.params, atol=1e-8)
    np.testing.assert_allclose(found.covariance, theirs.cov_params(), atol=1e-8)


@pytest.mark.parametrize(("n", "method"), [(150, "intercept"), (2000, "affine")])
def test_slope_only_with_a_hundred_events_and_non_events(n, method):
    z, y = simulated(n, 1.0, 0.0)
    assert fit_calibration(z, y, np.ones_like(y), SETTINGS).method == method


def test_a_slope_below_zero_is_not_taken():
    z, y = simulated(2000, 1.0, 0.0)
    found = fit_calibration(-z, y, np.ones_like(y), SETTINGS)
    assert (found.method, found.a) == ("intercept", 1.0)


def test_a_constant_z_leaves_the_base_rate():
    y = np.repeat([1.0, 0.0, 0.0, 0.0], 200)
    found = fit_calibration(np.zeros(800), y, np.ones(800), SETTINGS)
    assert logistic(found.log_odds(np.zeros(1)))[0] == pytest.approx(0.25)


@pytest.mark.parametrize("y", [np.zeros(5), np.ones(5)])
def test_one_kind_of_outcome_is_refused(y):
    with pytest.raises(CannotCalibrate, match="of 5 cases respond"):
        fit_calibration(np.zeros(5), y, np.ones(5), SETTINGS)


def test_rates_widen_by_their_dispersion():
    rng = np.random.default_rng(0)
    z, n = rng.normal(-1, 1, 80), np.full(80, 60.0)
    calm = rng.binomial(60, logistic(z)) / 60
    wild = rng.binomial(60, logistic(z + rng.normal(0, 0.6, 80))) / 60
    settings = CalibrationSettings(method="affine")
    first, second = (fit_calibration(z, y, n, settings).covariance[1][1] for y in (calm, wild))
    assert second > 2 * first


def test_update_moves_the_level_and_keeps_before_and_after():
    before = AffineCalibration(0.9, 0.1, ((0.01, 0.0), (0.0, 0.02)), "affine", 1000, 300)
    z, y = simulated(60, 0.9, -1.1)
    found = update(before, before.log_odds(z), y, SETTINGS)
    assert found.before == before
    assert found.after.a == before.a
    assert found.after.b < before.b
    assert abs(found.citl_after) < abs(found.citl_before)
    assert found.log_loss_after < found.log_loss_before


def test_update_with_many_outcomes_composes_both_numbers():
    before = AffineCalibration(0.9, 0.1)
    z, y = simulated(5000, 0.5, 0.3)
    after = update(before, before.log_odds(z), y, SETTINGS).after
    direct = fit_calibration(z, y, np.ones_like(y), SETTINGS)
    assert after.a == pytest.approx(direct.a, abs=1e-8)
    assert after.b == pytest.approx(direct.b, abs=1e-8)
    np.testing.assert_allclose(after.covariance, direct.covariance, atol=1e-8)


def test_update_is_finite_when_nobody_responds():
    found = update(AffineCalibration(), np.zeros(20), np.zeros(20), SETTINGS)
    assert -3 < found.after.b < -1
    assert np.all(found.after.variance(np.array([0.0])) > 0)


def test_round_trip():
    z, y = simulated(900, 1.0, 0.0)
    found = fit_calibration(z, y, np.ones_like(y), SETTINGS)
    assert AffineCalibration.from_dict(found.to_dict()) == found
