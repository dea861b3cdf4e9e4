"""Tables: every row printed, repeats averaged, the same patients compared, too few counted but not scored."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from models.metrics import auroc, auroc_within
from training.evaluate import across_cohorts, evaluate, judge, pooled_auroc
from training.judged import MODEL, Forecast, Scene
from training.workers import Workers


def scene(n=300, repeats=3, seed=0, cohort="one", name="resampled"):
    random = np.random.default_rng(seed)
    truth = random.beta(2, 4, n)
    y = (random.random(n) < truth).astype(float)
    noise = random.normal(0, 0.05, (repeats, n))
    model = Forecast(MODEL, np.clip(truth + noise, 0.01, 0.99))
    marker = np.where(random.random((1, n)) < 0.2, np.nan, truth * 20 + random.normal(0, 4, n))
    rival = Forecast("tmb_alone", np.repeat(marker, repeats, axis=0), is_probability=False, on_unit_scale=False)
    histology = np.where(random.random(n) < 0.5, "MEL", "LUAD")
    return Scene(name, cohort, y, np.arange(n), histology, np.ones(n, dtype=bool), (model, rival), truth=truth)


def test_resampled_rows_are_means_over_repeats_with_their_spread():
    one = scene()
    row = judge(one, one.forecasts[0], resamples=200)
    values = one.forecasts[0].values
    assert row.value("auroc") == pytest.approx(np.mean([auroc(one.outcome, v) for v in values]))
    assert row.spread["auroc"] == pytest.approx(np.std([auroc(one.outcome, v) for v in values], ddof=1))
    assert row.metrics["auroc"].low < row.value("auroc") < row.metrics["auroc"].high
    assert {"brier", "citl", "slope", "ici", "e90", "auroc_within_histology"} <= set(row.metrics)


def test_a_marker_is_ranked_only_and_compared_on_the_same_patients():
    one = scene()
    row = judge(one, one.forecasts[1], resamples=100)
    assert "brier" not in row.metrics
    assert row.n == int(one.forecasts[1].known.sum())
    assert row.note == f"defined for {row.n} of 300"
    held = one.forecasts[1].known
    assert row.against_model.first == pytest.approx(auroc(one.outcome[held], one.forecasts[0].values[0, held]))


def test_skill_over_the_histology_base_rate_is_paired():
    one = scene()
    rate = Forecast("histology_base_rate", np.full((3, 300), one.outcome.mean()))
    both = replace(one, forecasts=(one.forecasts[0], rate))
    row = judge(both, both.forecasts[0], resamples=100)
    found = row.metrics["skill_over_reference"]
    assert found.value == pytest.approx(row.value("brier_skill"))
    assert found.low < found.value < found.high
    assert "skill_over_reference" not in judge(both, rate, resamples=20).metrics


def test_abstained_cases_are_scored_and_counted():
    one = scene()
    row = judge(replace(one, answered=np.arange(300) >= 30), one.forecasts[0], resamples=20)
    assert row.n == 300
    assert row.abstained == 30
    assert row.note == "30 of 300 abstained, scored as well"


def test_weighted_rows_stand_for_patients():
    y, p = np.array([1.0, 0.0, 1.0, 0.0]), np.array([[0.6, 0.6, 0.2, 0.2]])
    weight = np.array([30.0, 20.0, 10.0, 40.0])
    arms = Scene(
        "left family out", "arms", y, np.array(["a", "a", "b", "b"]), y, y >= 0, (Forecast(MODEL, p),), weight=weight
    )
    row = judge(arms, arms.forecasts[0], resamples=50)
    assert (row.n, row.events) == (100, 40)
    assert row.value("citl") == pytest.approx(0.0, abs=1e-9)
    assert row.value("slope") == pytest.approx(1.0, abs=1e-9)


def test_too_few_are_counted_and_not_scored():
    one = scene().take(np.arange(15))
    row = judge(one, one.forecasts[0])
    assert row.n == 15
    assert row.metrics == {}
    assert "too few to score" in row.note
    assert np.isnan(row.value("auroc"))


def test_every_row_is_there_and_json_ready():
    found = evaluate([scene(), scene(seed=1, cohort="two", name="external", repeats=1)], resamples=50)
    assert [(r.scene, r.cohort, r.predictor) for r in found.rows] == [
        ("resampled", "one", "model"),
        ("resampled", "one", "tmb_alone"),
        ("external", "two", "model"),
        ("external", "two", "tmb_alone"),
    ]
    assert json.loads(json.dumps([row.to_dict() for row in found.rows], allow_nan=False))
    assert found.find("external", "two").spread == {}
    assert "external.two.auroc" in found.flat()


def test_the_same_seed_gives_the_same_table():
    rows = [evaluate([scene()], resamples=100, seed=4).rows for _ in range(2)]
    assert [row.to_dict() for row in rows[0]] == [row.to_dict() for row in rows[1]]


def test_cohorts_are_pooled_never_concatenated():
    scenes = [scene(seed=s, cohort=str(s), repeats=1) for s in range(4)]
    pooled, random = pooled_auroc(scenes), across_cohorts(scenes)
    assert pooled.cohorts == 4
    assert pooled.interval.low < pooled.value < pooled.interval.high
    assert random.prediction.low <= random.interval.low


def test_within_histology_ignores_pairs_across_histologies():
    y, p = np.array([0.0, 1, 0, 1]), np.array([0.1, 0.2, 0.8, 0.7])
    groups = np.array(["a", "a", "b", "b"])
    assert auroc(y, p) == 0.5
    assert auroc_within(y, p, groups) == 0.5
    weights = np.array([[1, 1, 1, 1.0], [1, 1, 0, 0], [0, 0, 0, 0]])
    assert np.allclose(auroc_within(y, p, groups, weights), [0.5, 1.0, np.nan], equal_nan=True)


def test_rows_judged_one_by_one_from_lean_scenes_are_the_same():
    one = scene()
    alone = [judge(one, forecast, resamples=50).to_dict() for forecast in one.forecasts]
    with Workers.here() as workers:
        found = evaluate([one], resamples=50, workers=workers)
    assert [row.to_dict() for row in found.rows] == alone
