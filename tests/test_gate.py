"""The gate: an honest model passes, an overconfident one is refused with a reason a reader understands."""

from __future__ import annotations

from experiments.config import GateSettings
from experiments.gate import decide


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
        "demo: calibration slope in 0.8 to 1.25: 0.320",
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


def test_the_worst_cohort_decides():
    other = {**row(citl={"value": 0.5, "low": 0.4, "high": 0.6}), "cohort": "second"}
    found = decide([row(), other], GateSettings())
    assert found.verdict == "failed"
    assert all(reason.startswith("second") for reason in found.reasons)
