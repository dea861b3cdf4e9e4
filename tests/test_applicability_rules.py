"""When an answer is given: a golden table of cases and codes, words for every code, arms that stand in for cases."""

from __future__ import annotations

import dataclasses
import json
import string
from pathlib import Path

import numpy as np
import pytest

from features.case import read_case
from features.from_cases import batch_of
from models.answer import answer_of
from models.applicability import Applicability
from models.reason_codes import ABSTAIN, CODES, WARN
from models.response_fit import fit_response
from models.settings import ApplicabilitySettings, BoostedSettings, LinearSettings, ResponseSettings
from tests.cases import golden
from tests.invented_models import InventedEvidence, InventedTable, draw

RULES = ApplicabilitySettings(
    key_inputs=("mut_per_mb", "nlr"),
    fewest_key_inputs=1,
    widest_interval=1.0,
    wide_interval=1.0,
    blood_negative="abstain",
)


@dataclasses.dataclass(frozen=True)
class ArmsOfNothing(InventedEvidence):
    """Evidence whose arms cover no case, so that only training cases count."""

    covers: bool = False

    def evaluate(self, batch):
        values = super().evaluate(batch)
        return dataclasses.replace(values, covered=np.full(batch.n, self.covers))


def model(rules=RULES, evidence=ArmsOfNothing(), **more):
    cases = draw(900, seed=21)
    settings = ResponseSettings(
        linear=LinearSettings(penalties=(100.0,), tuned_groups=()),
        boosted=BoostedSettings(on=False),
        applicability=rules,
        **more,
    )
    card = {"name": "invented-response", "synthetic": True}
    table = InventedTable.of(cases.batch)
    return fit_response(
        cases.batch, cases.y, cases.groups, table=table, evidence=evidence, settings=settings, card=card
    ).model


MODEL = model()


def answered(one, case):
    return answer_of(one.answers(batch_of([read_case(case)])), 0)


def codes(answer):
    return [one["code"] for one in answer["reasons" if answer["status"] == "abstained" else "warnings"]]


@pytest.mark.parametrize("row", golden("applicability"), ids=lambda row: row["case"])
def test_status_and_codes(row):
    answer = answered(MODEL, json.loads(row["input"]))
    assert f"{answer['status']}:{'|'.join(codes(answer))}" == row["expected"]


def test_every_reason_is_in_words_without_blanks():
    for row in golden("applicability"):
        answer = answered(MODEL, json.loads(row["input"]))
        for one in (*answer["reasons"], *answer["warnings"]):
            assert one["text"]
            assert "{" not in one["text"]


def test_codes_are_unique_snake_case_and_of_their_kind():
    assert len(CODES) == len(ABSTAIN) + len(WARN)
    for one in CODES.values():
        assert set(one.code) <= set(string.ascii_lowercase + "_")
    assert {one.kind for one in ABSTAIN} == {"abstain"}
    assert {one.kind for one in WARN} == {"warn"}


def test_arms_stand_in_for_training_cases():
    covered = model(evidence=ArmsOfNothing(covers=True))
    case = {"histology": "GBM", "tmb": {"mut_per_mb": 8.0}, "therapy": {"agents": ["vemurafenib"]}}
    answer = answered(covered, case)
    assert answer["status"] == "predicted"
    assert {"histology_rare", "therapy_class_rare"} <= set(codes(answer))


def test_a_wide_interval_warns_then_abstains():
    case = {"histology": "LUAD", "tmb": {"mut_per_mb": 8.0}, "therapy": {"class": "pd1_pdl1"}}
    warned = answered(model(dataclasses.replace(RULES, wide_interval=0.01)), case)
    assert "interval_wide" in codes(warned)
    abstained = answered(model(dataclasses.replace(RULES, wide_interval=0.01, widest_interval=0.02)), case)
    assert codes(abstained) == ["interval_too_wide"]


def test_evidence_alone_says_which_inputs_it_did_not_use():
    alone = dataclasses.replace(MODEL, terms=dataclasses.replace(MODEL.terms, linear=None))
    case = {"histology": "LUAD", "tmb": {"mut_per_mb": 8.0}, "therapy": {"class": "pd1_pdl1"}}
    found = {one["code"]: one["text"] for one in answered(alone, case)["warnings"]}
    assert "mut_per_mb" in found["inputs_not_used"]
    assert "nlr" not in found["inputs_not_used"]


def test_a_fit_against_biology_warns_where_it_matters():
    linear = MODEL.terms.linear
    turned = dataclasses.replace(linear, coefficients=-4 * linear.coefficients)
    against = dataclasses.replace(MODEL, terms=dataclasses.replace(MODEL.terms, linear=turned))
    case = {"histology": "LUAD", "tmb": {"mut_per_mb": 60.0}, "therapy": {"class": "pd1_pdl1"}}
    found = {one["code"]: one["text"] for one in answered(against, case)["warnings"]}
    assert "mut_per_mb" in found["sign_disagrees"]


@pytest.mark.parametrize(("years", "warned"), [(9, True), (17.9, True), (18, False), (None, False)])
def test_a_child_is_not_whom_the_model_is_about(years, warned):
    rules = dataclasses.replace(RULES, youngest_years=18.0, range_margin_sd=99.0)
    ours = dataclasses.replace(MODEL, applicability=dataclasses.replace(MODEL.applicability, settings=rules))
    patient = {"nlr": 4.0} | ({} if years is None else {"age_years": years})
    case = {"histology": "LUAD", "tmb": {"mut_per_mb": 8.0}, "patient": patient, "therapy": {"class": "pd1_pdl1"}}
    found = {one["code"]: one["text"] for one in answered(ours, case)["warnings"]}
    assert ("younger_than_asked" in found) is warned
    if warned:
        assert found["younger_than_asked"].endswith(f"18 years and more, this one is {years}")
    assert "younger_than_asked" not in codes(answered(MODEL, case))


def test_an_artefact_without_the_youngest_age_has_no_rule():
    stored = json.loads(json.dumps(MODEL.applicability.to_dict()))
    assert "youngest_years" not in stored["settings"]
    assert Applicability.from_dict(stored).settings.youngest_years is None


def test_other_vocabularies_than_at_training_warn():
    older = dataclasses.replace(MODEL, card={**MODEL.card, "vocabulary": "older"})
    case = {"histology": "LUAD", "tmb": {"mut_per_mb": 8.0}, "therapy": {"class": "pd1_pdl1"}}
    assert "vocabulary_changed" in codes(answered(older, case))


def test_round_trip():
    stored = json.loads(json.dumps(MODEL.applicability.to_dict()))
    again = Applicability.from_dict(stored)
    assert again.settings == MODEL.applicability.settings
    assert again.histology_cases == MODEL.applicability.histology_cases
    np.testing.assert_array_equal(again.high, MODEL.applicability.high)


@pytest.mark.parametrize(
    "name",
    ["checkpoint", "checkpoint_loris", "checkpoint_nsclc", "targeted", "checkpoint_synthetic", "targeted_synthetic"],
)
def test_thresholds_stand_in_the_experiment_file_each_with_its_reason(name):
    written = (Path(__file__).parents[1] / "experiments" / f"{name}.yaml").read_text("utf-8").splitlines()
    for threshold in dataclasses.fields(ApplicabilitySettings):
        line = next((one for one in written if one.strip().startswith(f"{threshold.name}: ")), "")
        _, _, reason = line.partition("#")
        assert len(reason.split()) >= 3, f"{name}: {threshold.name}"
