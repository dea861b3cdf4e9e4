"""Calibration as outcomes arrive: the figures are those of the metrics, and small groups say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from statsmodels.stats.proportion import proportion_confint

from models.metrics_calibration import recalibration
from serving.pages.calibration_figures import (
    EXACT_UP_TO,
    FEWEST,
    FEWEST_IN_A_BIN,
    calibrated,
    counted,
    reliability_bins,
)
from serving.pages.scales import wilson


def invented(n: int, shift: float = 0.0, slope: float = 1.0, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    z = random.normal(-0.8, 1.0, n)
    return expit(z), (random.random(n) < expit(shift + slope * z)).astype(np.int8)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_is_wilsons(pair: tuple[int, int]) -> None:
    low, high = proportion_confint(*pair, method="wilson")
    assert wilson(*pair) == pytest.approx((max(low, 0.0), min(high, 1.0)), abs=1e-12)


def test_intercept_and_slope_are_those_of_the_metrics() -> None:
    p, y = invented(900)
    found, line = calibrated(p, y), recalibration(y, p)
    shift = recalibration(y, p, fixed_slope=True)
    assert found.slope.value == pytest.approx(line.slope, abs=1e-12)
    assert found.citl.value == pytest.approx(shift.intercept, abs=1e-12)
    assert found.citl.high is not None
    assert found.citl.high - shift.intercept == pytest.approx(1.959964 * shift.intercept_error, abs=1e-6)


@pytest.mark.parametrize(("shift", "slope"), [(0.0, 1.0), (0.7, 1.0), (-0.4, 0.6)])
def test_rounding_many_log_odds_moves_nothing_that_is_shown(shift: float, slope: float) -> None:
    p, y = invented(3 * EXACT_UP_TO, shift, slope)
    found = calibrated(p, y)
    exact, line = recalibration(y, p, fixed_slope=True), recalibration(y, p)
    assert found.citl.value == pytest.approx(exact.intercept, abs=1e-3)
    assert found.slope.value == pytest.approx(line.slope, abs=1e-3)
    assert len(counted(p, y.astype(float))[0]) < 2_000


def test_counting_keeps_every_case() -> None:
    p, y = invented(2 * EXACT_UP_TO)
    _, happened, weight = counted(p, y.astype(float))
    assert weight.sum() == len(y)
    assert weight @ happened == y.sum()


@pytest.mark.parametrize(("n", "responders"), [(0, 0), (FEWEST - 1, 4), (30, 0), (30, 2), (30, 28), (30, 30)])
def test_too_few_outcomes_give_no_estimate(n: int, responders: int) -> None:
    y = np.zeros(n, dtype=np.int8)
    y[:responders] = 1
    found = calibrated(np.linspace(0.1, 0.9, n), y)
    assert (found.n, found.responded) == (n, responders)
    assert found.citl.value is found.slope.value is None


def test_a_model_that_is_too_low_by_a_shift_is_found_out() -> None:
    found = calibrated(*invented(4_000, shift=0.5))
    assert found.citl.low is not None
    assert found.citl.high is not None
    assert found.citl.low < 0.5 < found.citl.high
    assert found.citl.low > 0


@given(st.integers(0, 600))
def test_bins_share_out_every_outcome(n: int) -> None:
    p, y = invented(n)
    bins = reliability_bins(p, y)
    if n < FEWEST_IN_A_BIN:
        assert bins == []
        return
    assert sum(row["n#"] for row in bins) == n
    assert sum(row["responded#"] for row in bins) == y.sum()
    assert max(row["n#"] for row in bins) - min(row["n#"] for row in bins) <= 1
    assert min(row["n#"] for row in bins) >= FEWEST_IN_A_BIN
    means = [row["predicted#"] for row in bins]
    assert means == sorted(means)
    assert all(0 <= row["low#"] <= row["observed#"] <= row["high#"] <= 1 for row in bins)
