"""What the pages draw and write is what the answer says: bars that join, values that repeat, text that stays text."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from features.case import read_case
from features.contract import GROUPS
from features.flat import FLAT_FIELDS
from features.measures import AGE, ALBUMIN, BMI, HEMOGLOBIN, LDH, NLR, PERCENT, PLATELETS, SITES, TMB
from models.explanation import SMALLEST_SAID
from serving.openapi import EXAMPLE_CASE
from serving.pages.foreign_text import foreign
from serving.pages.list_export import known_finding
from serving.pages.number_text import percent, signed
from serving.pages.plausible_ranges import RANGES
from serving.pages.reasons_view import GROUP_NAMES, in_words, reasons_of
from serving.pages.scales import Scale, logistic, probability_ticks, wilson
from serving.pages.sensitivity import sensitivity
from serving.predictor import Predictor

LIMITS = {
    "tmb.mut_per_mb": TMB,
    "patient.age_years": AGE,
    "patient.albumin_g_per_dl": ALBUMIN,
    "patient.nlr": NLR,
    "patient.hemoglobin_g_per_dl": HEMOGLOBIN,
    "patient.platelets_per_nl": PLATELETS,
    "patient.ldh_ratio_to_upper_limit": LDH,
    "patient.bmi_kg_per_m2": BMI,
    "patient.pdl1_tps_percent": PERCENT,
    "patient.metastatic_sites": SITES,
}


@pytest.fixture(scope="module")
def predictor(served_models: Path) -> Predictor:
    return Predictor.from_folder(served_models, synthetic=True)


@pytest.fixture(scope="module")
def answer(predictor: Predictor) -> dict[str, Any]:
    return predictor.answers([read_case(EXAMPLE_CASE)])[0]


def logged_request() -> dict[str, Any]:
    """The example as the log holds it."""
    found: dict[str, Any] = json.loads(read_case(EXAMPLE_CASE).model_dump_json(exclude_none=True, by_alias=True))
    return found


def test_the_waterfall_leads_from_the_average_case_to_the_answer_without_a_gap(answer: dict[str, Any]) -> None:
    reasons = reasons_of(answer)
    assert reasons is not None
    assert sum(one.log_odds for one in reasons.groups) == pytest.approx(reasons.final - reasons.base, abs=1e-9)
    places = [reasons.base_at, *(one.bar.after for one in reasons.groups)]
    assert [one.bar.before for one in reasons.groups] == places[:-1]
    assert places[-1] == reasons.final_at
    sizes = [abs(one.log_odds) for one in reasons.groups]
    assert sizes == sorted(sizes, reverse=True)


def test_the_features_of_a_group_sum_to_it_and_none_is_left_out(answer: dict[str, Any]) -> None:
    reasons = reasons_of(answer)
    assert reasons is not None
    for group in reasons.groups:
        assert sum(one.log_odds for one in group.features) == pytest.approx(group.log_odds, abs=1e-9)
    shown = sorted(one.feature for group in reasons.groups for one in group.features)
    assert shown == sorted(one["feature"] for one in answer["contributions"])


def test_every_group_has_a_name() -> None:
    assert set(GROUP_NAMES) == set(GROUPS)


def test_a_bar_to_the_right_raises_and_its_width_is_its_size(answer: dict[str, Any]) -> None:
    reasons = reasons_of(answer)
    assert reasons is not None
    for group in reasons.groups:
        for one in group.features:
            assert one.bar.raises == (one.log_odds >= 0)
            longest = max(abs(other["log_odds"]) for other in answer["contributions"])
            assert float(one.bar.width.rstrip("%")) == pytest.approx(50 * abs(one.log_odds) / longest, abs=1e-2)


def test_the_words_name_the_largest_contributions_and_account_for_the_rest(answer: dict[str, Any]) -> None:
    said = in_words(answer)
    assert percent(answer["probability"]) in said[-1]
    assert percent(logistic(answer["base_log_odds"])) in said[0]
    largest = max(answer["contributions"], key=lambda one: abs(one["log_odds"]))
    assert said[1].lower().startswith(largest["text"][:10].lower())
    named = [one for one in answer["contributions"] if abs(one["log_odds"]) >= SMALLEST_SAID][:8]
    rest = answer["log_odds"] - answer["base_log_odds"] - sum(one["log_odds"] for one in named)
    assert f"by {signed(rest)} together" in said[-2]


def test_an_input_left_as_it_is_gives_the_answer_itself(predictor: Predictor, answer: dict[str, Any]) -> None:
    found = sensitivity(logged_request(), predictor.by_family["checkpoint"])
    known = [one for varied in found.varied for one in varied.tried if one.here]
    assert len(known) >= 10
    for one in known:
        assert one.probability == pytest.approx(answer["probability"], abs=1e-12)


def test_each_tried_value_gives_what_predict_gives(predictor: Predictor) -> None:
    found = sensitivity(logged_request(), predictor.by_family["checkpoint"])
    albumin = next(one for one in found.varied if one.path == "patient.albumin_g_per_dl")
    for tried in albumin.tried:
        patient = {**EXAMPLE_CASE["patient"]}
        patient["albumin_g_per_dl"] = None if tried.text == "not known" else float(tried.text)
        [again] = predictor.answers([read_case({**EXAMPLE_CASE, "patient": patient})])
        assert tried.probability == pytest.approx(again["probability"], abs=1e-12)


def test_a_range_holds_every_value_that_was_tried_and_the_widest_comes_first(
    predictor: Predictor, answer: dict[str, Any]
) -> None:
    found = sensitivity(logged_request(), predictor.by_family["checkpoint"])
    for one in found.varied:
        told = [tried.probability for tried in one.tried if tried.probability is not None]
        assert (one.low, one.high) == (min(*told, answer["probability"]), max(*told, answer["probability"]))
    widths = [one.high - one.low for one in found.varied]
    assert widths == sorted(widths, reverse=True)


def test_a_value_that_contradicts_the_case_is_not_tried(predictor: Predictor) -> None:
    case = {**EXAMPLE_CASE, "prior_therapies": [{"agents": ["carboplatin"], "line": 1}]}
    request = json.loads(read_case(case).model_dump_json(exclude_none=True, by_alias=True))
    request["prior_systemic_therapy"] = True
    found = sensitivity(request, predictor.by_family["checkpoint"])
    assert found.varied  # and nothing was raised for prior_lines 0 beside a listed prior therapy


def test_plausible_ranges_lie_within_what_a_case_may_hold() -> None:
    paths = {one.path for one in FLAT_FIELDS}
    for one in RANGES:
        assert one.path in paths
        limit = LIMITS.get(one.path)
        if limit is not None:
            assert limit.low <= min(one.values) < max(one.values) <= limit.high
        parent, _, name = one.path.rpartition(".")
        for value in one.values:  # the record takes every value
            case = {"histology": "LUAD", "therapy": {"class": "pd1_pdl1"}}
            read_case({**case, parent: {name: value}} if parent else {**case, name: value})


@pytest.mark.parametrize(("responders", "n"), [(0, 12), (20, 56), (33, 73), (10, 10), (1, 400)])
def test_rates_of_arms_have_wilsons_interval(responders: int, n: int) -> None:
    expected = proportion_confint(responders, n, method="wilson")
    assert wilson(responders, n) == pytest.approx(expected, abs=1e-12)


@given(st.text(max_size=400), st.integers(2, 150))
def test_foreign_text_is_one_short_line_without_anything_invisible(text: str, most: int) -> None:
    shown = foreign(text, most)
    assert len(shown) <= most
    assert not any(unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for one in shown)
    assert foreign(shown, most) == shown


@given(st.floats(0, 1))
def test_a_probability_is_never_written_as_certain(value: float) -> None:
    written = percent(value)
    assert (written == "0%") == (value == 0)
    assert (written == "100%") == (value == 1)


@given(st.floats(-6, 6), st.floats(0.1, 6))
def test_ticks_lie_where_their_probability_lies(low: float, width: float) -> None:
    scale = Scale(low, low + width)
    for at, name in probability_ticks(scale):
        place = float(at.rstrip("%")) / 100
        assert logistic(low + place * width) == pytest.approx(float(name.rstrip("%")) / 100, abs=1e-3)


def test_a_finding_leaves_in_bulk_only_in_a_known_form() -> None:
    assert known_finding("BRAF p.V600E")
    assert known_finding("ERBB2 amplification")
    assert not known_finding("BRAF seen by Dr. Miller")
    assert not known_finding("Mrs. Miller")
