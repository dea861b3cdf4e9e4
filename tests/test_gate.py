"""The gate: an honest model passes, an overconfident one is refused with a reason a reader understands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.config import GateSettings
from experiments.gate import decide
from experiments.promotion import UnknownAlias, place_of
from features.sources.synthetic import draw
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from training.evaluate import evaluate
from training.fit import Recipe
from training.pool import Pool
from training.resampling import resample


def row(predictor="model", scene="resampled", abstained=20, **metrics):
    given = {
        "slope": {"value": 1.02, "low": 0.86, "high": 1.2},
        "citl": {"value": 0.01, "low": -0.1, "high": 0.1},
        "skill_over_reference": {"value": 0.1, "low": 0.05, "high": 0.15},
    }
    named = {"scene": scene, "cohort": "demo", "predictor": predictor, "abstained": abstained}
    return {**named, "n": 900, "events": 280, "metrics": {**given, **metrics}}


def test_an_honest_model_passes():
    found = decide([row()], GateSettings())
    assert found.verdict == "passed"
    assert found.reasons == []
    assert len(found.checks) == 5


def test_an_overconfident_model_is_refused_in_words():
    found = decide([row(slope={"value": 0.32, "low": 0.25, "high": 0.4})], GateSettings())
    assert found.verdict == "failed"
    assert found.reasons == [
        "demo: calibration slope in 0.8 to 1.25: 0.320 "
        "(overconfident: its high estimates are too high, its low ones too low)",
        "demo: interval of the slope inside 0.6 to 1.6: 0.250 to 0.400",
    ]


def test_every_rule_can_fail():
    no_reference = row()
    del no_reference["metrics"]["skill_over_reference"]
    cases = {
        "CITL": row(citl={"value": -0.2, "low": -0.3, "high": -0.1}),
        "base rate, interval above 0": row(skill_over_reference={"value": 0.02, "low": -0.01, "high": 0.05}),
        "not compared": no_reference,
        "undefined": row(slope={"value": None, "low": None, "high": None}),
        "at most 15% abstained": row(abstained=200),
    }
    for words, one in cases.items():
        found = decide([one], GateSettings())
        assert found.verdict == "failed"
        assert words in " ".join(found.reasons)


def test_too_few_events_are_insufficient_and_no_resampling_fails():
    few = {**row(), "events": 99}
    assert decide([few], GateSettings()).verdict == "insufficient"
    assert decide([row(scene="external")], GateSettings()).verdict == "failed"


def test_several_cohorts_are_judged_as_one_by_inverse_variance():
    sharp = {**row(citl={"value": 0.5, "low": 0.4, "high": 0.6}), "cohort": "second"}
    found = decide([row(), sharp], GateSettings())
    assert found.verdict == "failed"
    assert all(reason.startswith("2 cohorts pooled") for reason in found.reasons)
    small = {**row(citl={"value": 0.5, "low": -2.5, "high": 3.5}), "cohort": "third"}
    assert decide([row(), small], GateSettings()).verdict == "passed"


CHECKS = {"largest_gap": 1e-15, "refit_differs": [], "permutations": [{"cohort": "demo", "limit": 0.55}]}


def within(value=0.7):
    return row(auroc_within_histology={"value": value, "low": value - 0.03, "high": value + 0.03})


def test_what_is_asked_beside_the_judgement():
    assert decide([within()], GateSettings(), CHECKS).verdict == "passed"
    cases = {
        "largest gap 1.0e-06": (within(), {"largest_gap": 1e-6}),
        "linear.json differ": (within(), {"refit_differs": ["linear.json"]}),
        "0.540 against 0.550": (within(0.54), {}),
        "not tried; train with --set evaluation.also=[permutations]": (within(), {"permutations": []}),
        "not checked": (within(), {"refit_differs": None}),
    }
    for words, (one, changed) in cases.items():
        found = decide([one], GateSettings(), {**CHECKS, **changed})
        assert found.verdict == "failed"
        assert words in " ".join(found.reasons)


ARMS = {"coverage_90": 0.93, "less_than_class_average": {"value": -0.08, "low": -0.11, "high": -0.05}}
OF_ARMS = {"largest_gap": 0.0, "refit_differs": None, "permutations": [], "left_family_out": ARMS}


def test_a_family_fitted_on_arms_has_no_patients_to_permute():
    assert decide([row(scene="left family out")], GateSettings(), OF_ARMS).verdict == "passed"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "not checked; train again"),
        ({**ARMS, "coverage_90": 0.79}, "79.0%"),
        ({**ARMS, "coverage_90": 0.99}, "99.0%"),
        ({**ARMS, "less_than_class_average": {"value": -0.02, "low": -0.05, "high": 0.01}}, "-0.020 (-0.050 to 0.010)"),
    ],
)
def test_a_family_fitted_on_arms_is_asked_for_coverage_and_the_class_average(found, words):
    verdict = decide([row(scene="left family out")], GateSettings(), {**OF_ARMS, "left_family_out": found})
    assert verdict.verdict == "failed"
    assert words in " ".join(verdict.reasons)


def test_patients_are_not_asked_how_arms_were_foretold():
    assert decide([within()], GateSettings(), CHECKS).verdict == "passed"


def test_default_lightgbm_in_our_place_is_refused_in_words_a_reader_understands():
    """The deliberately overconfident model: default LightGBM's own out-of-fold forecasts, judged as ours."""
    scene = resampled_scene()
    theirs = scene.forecast("default_lightgbm")
    reference = scene.forecast("histology_base_rate")
    pretended = replace(scene, forecasts=(replace(theirs, predictor="model"), reference))
    rows = [one.to_dict() for one in evaluate([pretended], resamples=200).rows]
    found = decide(rows, GateSettings(), {**CHECKS, "permutations": [{"cohort": scene.cohort, "limit": 0.55}]})
    assert found.verdict == "failed"
    assert "overconfident: its high estimates are too high, its low ones too low" in " ".join(found.reasons)


def resampled_scene():
    pool = Pool.of([draw("checkpoint", 500, 3)])
    settings = ResponseSettings(
        evidence=False, linear=LinearSettings(penalties=(30.0,)), boosted=BoostedSettings(on=False), folds=2
    )
    rivals = ("histology_base_rate", "default_lightgbm")
    recipe = Recipe("checkpoint-response", "checkpoint", settings, None, (), rivals, {"endpoint": "orr"})
    return resample(recipe, pool, folds=3, repeats=1, seed=1)[0]


def test_a_challenger_is_put_where_the_shadow_mode_looks(monkeypatch):
    monkeypatch.setenv("ORP_MODELS", "served")
    assert place_of("champion", None) == Path("served")
    assert place_of("challenger", None) == Path("served/challengers")
    assert place_of("challenger", Path("elsewhere")) == Path("elsewhere")
    with pytest.raises(UnknownAlias, match="champion, challenger"):
        place_of("chalenger", None)
