"""The gate: an honest model passes, an overconfident one is refused with a reason a reader understands."""

from __future__ import annotations

import copy

from experiments.config import GateSettings
from experiments.gate import decide


def row(predictor="model", scene="resampled", **metrics):
    given = {
        "slope": {"value": 1.02, "low": 0.86, "high": 1.2},
        "citl": {"value": 0.01, "low": -0.1, "high": 0.1},
        "brier": {"value": 0.18, "low": 0.17, "high": 0.19},
    }
    named = {"scene": scene, "cohort": "demo", "predictor": predictor}
    return {**named, "n": 900, "events": 280, "metrics": {**given, **metrics}}


def rival(value=0.2):
    return row("histology_base_rate", brier={"value": value, "low": value, "high": value})


def test_an_honest_model_passes():
    found = decide([row(), rival()], GateSettings())
    assert found.verdict == "passed"
    assert found.reasons == []
    assert len(found.checks) == 4


def test_an_overconfident_model_is_refused_in_words():
    slope = {"value": 0.32, "low": 0.25, "high": 0.4}
    found = decide([row(slope=slope), rival()], GateSettings())
    assert found.verdict == "failed"
    assert found.reasons == [
        "demo: calibration slope in 0.8 to 1.25: 0.320",
        "demo: interval of the slope inside 0.6 to 1.6: 0.250 to 0.400",
    ]


def test_every_rule_can_fail():
    cases = {
        "CITL": [row(citl={"value": -0.2, "low": -0.3, "high": -0.1}), rival()],
        "histology base rate": [row(), rival(0.17)],
        "not compared": [row()],
        "undefined": [row(slope={"value": None, "low": None, "high": None}), rival()],
    }
    for words, rows in cases.items():
        found = decide(rows, GateSettings())
        assert found.verdict == "failed"
        assert words in " ".join(found.reasons)


def test_too_few_events_are_insufficient_and_no_resampling_fails():
    few = copy.deepcopy(row())
    few["events"] = 99
    assert decide([few, rival()], GateSettings()).verdict == "insufficient"
    assert decide([row(scene="external")], GateSettings()).verdict == "failed"


def test_the_worst_cohort_decides():
    other = {**row(citl={"value": 0.5, "low": 0.4, "high": 0.6}), "cohort": "second"}
    second_rival = {**rival(), "cohort": "second"}
    found = decide([row(), rival(), other, second_rival], GateSettings())
    assert found.verdict == "failed"
    assert all(reason.startswith("second") for reason in found.reasons)
