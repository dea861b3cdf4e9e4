"""Local update: the drawn teach, the others judge; the level is mended, the ranks stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from models.calibration import AffineCalibration
from models.metrics import auroc, brier_skill
from models.recalibration import update
from models.settings import CalibrationSettings
from training.judged import Forecast, Scene
from training.local_update import brier_skill as skill_of
from training.local_update import draws_of, update_table, updated


def scene(n=400, shift=1.2, seed=1):
    random = np.random.default_rng(seed)
    z = random.normal(-1, 1.2, n)
    y = (random.random(n) < expit(z)).astype(float)
    marker = Forecast("tmb_alone", np.exp(z)[None], is_probability=False, on_unit_scale=False)
    few = np.full(n, np.nan)
    few[:30] = 0.3
    forecasts = (Forecast("model", expit(z + shift)[None]), marker, Forecast("rare", few[None]))
    people = np.array([f"p{i}" for i in range(n)])
    return Scene("external", "invented", y, people, np.full(n, "LUAD"), np.ones(n, dtype=bool), forecasts)


def test_draws_are_seeded_and_of_the_asked_size():
    drawn = draws_of(100, 20, 7, seed=3)
    assert drawn.shape == (7, 100)
    assert set(drawn.sum(axis=1).tolist()) == {20}
    assert np.array_equal(drawn, draws_of(100, 20, 7, seed=3))
    assert not np.array_equal(drawn, draws_of(100, 20, 7, seed=4))


def test_it_is_the_update_that_is_served_and_scores_the_others_only():
    one = scene()
    drawn = draws_of(400, draws=3)
    found = updated(one, one.forecasts[0], drawn)
    z = np.log(one.forecasts[0].values[0] / (1 - one.forecasts[0].values[0]))
    served = update(AffineCalibration(), z[drawn[1]], one.outcome[drawn[1]], CalibrationSettings()).after
    assert found.moved[1] == pytest.approx(expit(served.log_odds(z)), abs=1e-12)
    assert np.array_equal(found.rest, ~drawn)
    by_hand = [brier_skill(one.outcome[rest], p[rest]) for p, rest in zip(found.moved, found.rest, strict=True)]
    assert skill_of(found, np.ones((1, 400)))[0] == pytest.approx(np.mean(by_hand), abs=1e-12)


def test_the_prior_of_the_shift_is_what_the_model_found_between_its_cohorts():
    one, drawn = scene(shift=2.0), draws_of(400, draws=3)
    near = replace(one, shift_sd=0.1)
    z = np.log(one.forecasts[0].values[0] / (1 - one.forecasts[0].values[0]))
    for scene_of, least, most in ((one, 0.8, 2.5), (near, 0.01, 0.2)):
        moved = updated(scene_of, one.forecasts[0], drawn).moved
        shift = np.abs(np.log(moved / (1 - moved)) - z)[:, 0]
        assert ((least < shift) & (shift < most)).all()


def test_a_wrong_level_is_mended_and_ranks_stay():
    one = scene(shift=2.0)
    table = update_table([one], "x", "X", resamples=100)
    row = table.rows[0]
    before = brier_skill(one.outcome, one.forecasts[0].values[0])
    assert before < 0 < row["brier_skill"].value
    assert row["brier_skill"].low < row["brier_skill"].value < row["brier_skill"].high
    assert row["auroc"] == pytest.approx(auroc(one.outcome, one.forecasts[0].values[0]), abs=0.01)
    assert row["citl"].low < 0.3


def test_what_is_no_probability_or_too_rare_is_left_out_and_said():
    table = update_table([scene()], "x", "X", resamples=20, draws=5)
    assert [row["predictor"] for row in table.rows] == ["model"]
    assert "rare has a number for 30 cases" in " ".join(table.notes)


def test_a_draw_without_responders_stays_finite():
    one = scene(60, shift=0.0)
    silent = Scene(one.name, one.cohort, np.zeros(60), one.patients, one.histology, one.answered, one.forecasts[:1])
    assert np.isfinite(updated(silent, silent.forecasts[0], draws_of(60, draws=2)).moved).all()
