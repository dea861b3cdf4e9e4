"""The whole equation: sums, intervals, order of cases, the same bits, and what abstains."""

from __future__ import annotations

import dataclasses
import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.batch import Coded
from models.answer import answer_of, scored_columns
from models.artifact import _contents
from models.inputs import logistic
from models.intended_use import INTENDED_USE
from models.response_fit import CannotFit, fit_response
from models.scores import DoesNotAddUp
from models.settings import (
    ApplicabilitySettings,
    BoostedSettings,
    IntervalSettings,
    LinearSettings,
    ResponseSettings,
    UnknownSetting,
)
from tests.invented_models import NUMBERS, InventedEvidence, InventedTable, batch_with, draw

CARD = {"name": "invented-response", "endpoint": "orr", "trained_on": "invented", "synthetic": True}
SMALL = ResponseSettings(
    linear=LinearSettings(penalties=(10.0, 100.0)),
    boosted=BoostedSettings(seeds=2, trees=15),
    applicability=ApplicabilitySettings(key_inputs=("mut_per_mb", "nlr"), fewest_key_inputs=1),
)
CASES = draw(900, seed=21)
TABLE = InventedTable.of(CASES.batch)
TEXTS = {"histology": ("LUAD", "SKCM", "THYM", "GBM"), "therapy": ("class:pd1_pdl1", "nivolumab", "vemurafenib")}


def fit(settings=SMALL, cases=CASES, evidence=InventedEvidence(), **more):  # noqa: B008 - a frozen constant
    return fit_response(
        cases.batch, cases.y, cases.groups, table=TABLE, evidence=evidence, settings=settings, card=CARD, **more
    )


def take(batch, rows):
    return batch_with(
        {path: values[rows] for path, values in batch.numbers.items()},
        {path: Coded(coded.codes[rows], coded.levels) for path, coded in batch.texts.items()},
        len(rows),
    )


FITTED = fit()
MODEL = FITTED.model
ANSWERS = MODEL.answers(CASES.batch)

values = st.floats(0, 200) | st.just(float("nan"))
rows = st.tuples(st.sampled_from(TEXTS["histology"]), st.sampled_from(TEXTS["therapy"]), *[values] * len(NUMBERS))


@given(st.lists(rows, min_size=1, max_size=5))
def test_base_and_contributions_are_the_served_log_odds(drawn):
    numbers = {path: np.array([row[2 + k] for row in drawn]) for k, path in enumerate(NUMBERS)}
    texts = {name: Coded.of([row[k] for row in drawn]) for k, name in enumerate(("histology", "therapy"))}
    answers = MODEL.answers(batch_with(numbers, texts, len(drawn)))
    for row in range(len(drawn)):
        answer = answer_of(answers, row)
        scores = answers.scores
        gap = scores.base + scores.phi[row].sum() - scores.log_odds[row]
        assert abs(gap) < 1e-9
        assert scores.low[row] <= scores.probability[row] <= scores.high[row]
        if answer["status"] == "abstained":
            assert answer["reasons"]
            assert answer["probability"] is answer["interval"] is answer["log_odds"] is None
            continue
        total = answer["base_log_odds"] + sum(one["log_odds"] for one in answer["contributions"])
        assert abs(total - answer["log_odds"]) < 1e-9
        assert abs(answer["base_log_odds"] + sum(answer["groups"].values()) - answer["log_odds"]) < 1e-9
        assert answer["probability"] == pytest.approx(1 / (1 + np.exp(-answer["log_odds"])), abs=1e-12)


@pytest.mark.parametrize(
    "settings",
    [
        dataclasses.replace(SMALL, boosted=BoostedSettings(on=False)),
        dataclasses.replace(SMALL, linear=LinearSettings(on=False)),
        dataclasses.replace(SMALL, evidence=False),
        dataclasses.replace(SMALL, linear=LinearSettings(on=False), boosted=BoostedSettings(on=False)),
        dataclasses.replace(SMALL, evidence=False, linear=LinearSettings(on=False), boosted=BoostedSettings(on=False)),
    ],
    ids=["evidence+linear", "evidence+boosted", "linear+boosted", "evidence", "nothing"],
)
def test_every_term_can_be_switched_off(settings):
    model = fit(settings).model
    scores = model.answers(CASES.batch).scores
    assert scores.log_odds.mean() == pytest.approx(scores.base, abs=1e-9)
    assert np.abs(scores.base + scores.phi.sum(axis=1) - scores.log_odds).max() < 1e-9
    assert ("evidence" in model.feature_names) == settings.evidence


def test_base_is_the_mean_served_log_odds_of_the_training_cases():
    weight = np.random.default_rng(0).integers(1, 3, 900).astype(float)
    model = fit(weight=weight).model
    scores = model.answers(CASES.batch).scores
    assert np.average(scores.log_odds, weights=weight) == pytest.approx(scores.base, abs=1e-9)
    np.testing.assert_allclose(np.average(scores.phi, axis=0, weights=weight), 0.0, atol=1e-9)


def test_evidence_parts_sum_to_the_evidence():
    np.testing.assert_allclose(ANSWERS.scores.parts.sum(axis=1), ANSWERS.scores.phi[:, 0], atol=1e-12)


def test_the_order_of_cases_changes_no_bit():
    order = np.random.default_rng(4).permutation(900)
    shuffled = dataclasses.replace(
        CASES, batch=take(CASES.batch, order), y=CASES.y[order], groups=[CASES.groups[i] for i in order]
    )
    again = fit(cases=shuffled)
    assert _contents(again.model) == _contents(MODEL)
    assert np.array_equal(again.out_of_fold, FITTED.out_of_fold[order])


def test_one_case_answers_as_in_a_batch():
    for row in (0, 17, 401):
        alone = MODEL.answers(take(CASES.batch, np.array([row]))).scores
        assert abs(alone.log_odds[0] - ANSWERS.scores.log_odds[row]) < 1e-12
        np.testing.assert_allclose(alone.phi[0], ANSWERS.scores.phi[row], atol=1e-12)


def test_out_of_fold_differs_from_in_sample():
    assert np.abs(FITTED.out_of_fold - ANSWERS.scores.z).max() > 0.05


def test_scored_columns_hide_abstained_numbers():
    columns = scored_columns(MODEL.answers(CASES.batch))
    hidden = np.array([status == "abstained" for status in columns["status"]])
    assert 0 < hidden.sum() < 900
    for name in ("probability", "interval_low", "interval_high", "log_odds", "phi:evidence"):
        assert np.array_equal(np.isnan(columns[name]), hidden)
    assert all(bool(reasons) == gone for reasons, gone in zip(columns["reasons"], hidden, strict=True))


def test_a_broken_sum_is_never_served():
    broken = dataclasses.replace(MODEL, terms=dataclasses.replace(MODEL.terms, base=float("nan")))
    with pytest.raises(DoesNotAddUp):
        broken.answers(CASES.batch)


def test_masking_an_input_does_not_narrow_the_interval_on_average():
    for path in NUMBERS:
        masked = {**CASES.batch.numbers, path: np.full(900, np.nan)}
        without = MODEL.answers(dataclasses.replace(CASES.batch, numbers=masked)).scores
        assert without.sd.mean() >= ANSWERS.scores.sd.mean()


def test_interval_covers_the_truth_and_widens_where_data_are_thin():
    """The truth is that of the inputs: what nobody measures cannot be seen in one outcome per case, nor covered."""
    training, fresh = draw(4000, seed=31, unmeasured=0.0), draw(4000, seed=32, unmeasured=0.0)
    settings = ResponseSettings(boosted=BoostedSettings(seeds=2), interval=IntervalSettings())
    model = fit_response(
        training.batch,
        training.y,
        training.groups,
        table=InventedTable.of(training.batch),
        evidence=InventedEvidence(),
        settings=settings,
        card=CARD,
    ).model
    scores = model.answers(fresh.batch).scores
    covered = (scores.low <= fresh.truth) & (fresh.truth <= scores.high)
    seen = model.applicability.histology_support(fresh.batch)[0]
    width = scores.high - scores.low
    assert 0.88 <= covered.mean() <= 0.98
    assert covered[seen < 60].mean() >= 0.85
    assert np.median(width[seen < 60]) > 1.5 * np.median(width[seen > 200])


def test_answer_has_the_keys_of_the_design_and_is_json():
    answer = json.loads(json.dumps(answer_of(ANSWERS, 0, "p-1")))
    assert list(answer) == [
        *("prediction_id", "case_id", "status", "probability", "interval", "log_odds", "base_log_odds"),
        *("contributions", "groups", "evidence", "comparators", "reasons", "warnings", "model", "intended_use"),
    ]
    assert answer["intended_use"] == INTENDED_USE
    assert set(answer["groups"]) == {
        *("evidence", "histology", "alterations", "tmb", "mmr", "prior_lines", "therapy", "patient")
    }
    assert {"synthetic_model", "invented"} <= {one["code"] for one in answer["warnings"]}


def test_a_contribution_says_the_sign_that_biology_declares():
    """Value and hinge of TMB have one sign; age has none, nor has the evidence."""
    row = int(np.flatnonzero(ANSWERS.answered)[0])
    said = {one["feature"]: one.get("declared_sign") for one in answer_of(ANSWERS, row)["contributions"]}
    assert {name: said[name] for name in ("mut_per_mb", "albumin_g_per_dl", "nlr", "age_years", "evidence")} == {
        "mut_per_mb": 1,
        "albumin_g_per_dl": 1,
        "nlr": -1,
        "age_years": None,
        "evidence": None,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.full(900, np.nan)}, "900 outcomes are not between 0 and 1"),
        ({"y": np.zeros(899)}, "differ"),
        ({"groups": ["one"] * 900}, "1 patients cannot be split"),
    ],
)
def test_training_cases_that_cannot_be_fitted_are_refused(change, message):
    with pytest.raises(CannotFit, match=message):
        fit(cases=dataclasses.replace(CASES, **change))


@pytest.mark.parametrize(("boosted", "folds"), [(True, 2), (False, 1)])
def test_too_few_folds_are_refused_by_name(boosted, folds):
    settings = dataclasses.replace(SMALL, folds=folds, boosted=dataclasses.replace(SMALL.boosted, on=boosted))
    with pytest.raises(CannotFit, match=r"model\.folds.*out of fold"):
        fit(settings)
    fit(dataclasses.replace(settings, folds=folds + 1))


def test_settings_refuse_a_misspelling_with_the_nearest_name():
    with pytest.raises(UnknownSetting, match=r"boosted\.leafs.*leaves"):
        ResponseSettings.from_mapping({"boosted": {"leafs": 3}})
    assert ResponseSettings.from_mapping({"linear": {"penalties": [1.0]}}).linear.penalties == (1.0,)


def test_probability_is_the_logistic_of_the_log_odds():
    assert np.array_equal(ANSWERS.scores.probability, logistic(ANSWERS.scores.log_odds))


@pytest.mark.bench
def test_one_row_without_boosters_is_answered_in_under_a_third_of_a_millisecond():
    model = fit(dataclasses.replace(SMALL, boosted=BoostedSettings(on=False))).model
    one = take(CASES.batch, np.array([0]))
    inputs = model.inputs(one)
    took = []
    for _ in range(300):
        start = time.perf_counter()
        model.answers(one, inputs)
        took.append(time.perf_counter() - start)
    assert np.median(took) < 0.3e-3
