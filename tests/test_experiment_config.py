"""Experiment files: shipped ones read, misspellings refused with the nearest name, overrides checked like the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from experiments.config import ExperimentNotFound, read_experiment
from experiments.settings_reader import MissingSetting, UnknownSetting, WrongSetting, overridden

HERE = Path(__file__).resolve().parent.parent / "experiments"
SHIPPED = sorted(HERE.glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_experiments_are_valid_and_put_the_question_first(path):
    experiment = read_experiment(path)
    assert experiment.question.endpoint == "orr"
    assert list(yaml.safe_load(path.read_text()))[:3][-1] in ("question", "synthetic", "fit_on")
    assert experiment.synthetic == path.stem.endswith("_synthetic")


def test_terms_are_switched_in_one_place():
    targeted = read_experiment(HERE / "targeted.yaml")
    assert targeted.settings.evidence
    assert not targeted.settings.linear.on
    assert not targeted.settings.boosted.on
    with pytest.raises(WrongSetting, match=r"model.boosted.on: is said under `terms`"):
        read_experiment(HERE / "targeted.yaml", ["model.boosted.on=true"])


@pytest.mark.parametrize(
    ("override", "error", "text"),
    [
        ("model.fold=3", UnknownSetting, "model.fold: is not a setting. Allowed: folds."),
        ("modle.folds=3", UnknownSetting, "Did you mean 'model'?"),
        ("cohorts.developement=[a]", UnknownSetting, "Did you mean 'development'?"),
        ("model.folds=five", WrongSetting, "model.folds: 'five' is not a whole number"),
        ("model.folds=2.5", WrongSetting, "2.5 is not a whole number"),
        ("model.folds=true", WrongSetting, "True is not a whole number"),
        ("terms.boosted=1", WrongSetting, "terms.boosted: 1 is not true or false"),
        ("question.endpoint=os", WrongSetting, "question.endpoint: 'os' is not a value of this setting. Allowed: orr"),
        ("cohorts.external=loris-msk1", WrongSetting, "is not a list"),
        ("cohorts.external=[3]", WrongSetting, "cohorts.external[0]: 3 is not a text"),
        ("model=3", WrongSetting, "model: 3 is not a mapping of settings"),
        ("name.first=3", WrongSetting, "'name' is a value, not a section"),
        ("folds", WrongSetting, "Write --set section.name=value."),
        ("evaluation.comparators=[lorris]", WrongSetting, "'lorris' is no comparator"),
        ("cohorts.development=[]", WrongSetting, "names no cohort to fit on"),
        ("resampling.folds=1", WrongSetting, "resampling.folds: 1 is less than 2. Give 2 or more."),
        ("resampling.repeats=-1", WrongSetting, "resampling.repeats: -1 is less than 0"),
        ("evaluation.bootstraps=0", WrongSetting, "evaluation.bootstraps: 0 is less than 1"),
        ("model.boosted.seeds=0", WrongSetting, "model.boosted.seeds: 0 is less than 1. Give 1 or more."),
        ("model.boosted.leaves=1", WrongSetting, "model.boosted.leaves: 1 is less than 2"),
        ("evaluation.local_draws=0", WrongSetting, "evaluation.local_draws: 0 is less than 1"),
        ("model.linear.penalties=[]", WrongSetting, "model.linear.penalties: names none"),
        ("model.linear.penalties=[-1]", WrongSetting, "model.linear.penalties: -1.0 is not above 0"),
        ("model.linear.tuned_groups=[histolgy]", WrongSetting, "'histolgy' is not a value of this setting"),
        ("features.leave_out=[therapi]", WrongSetting, "'therapi' is no builder. Allowed: therapy"),
        ("model.applicability.key_inputs=[nrl]", WrongSetting, "'nrl' is no feature of this table that can be unknown"),
        ("model.applicability.fewest_key_inputs=1", WrongSetting, "1 of 0 key inputs cannot be known"),
        ("cohorts.overlap=accept", WrongSetting, "overlap_reason: needs a sentence"),
        ("cohorts.external=[oak-atezolizumab]", WrongSetting, "development and external at once"),
        ("model.linear.penalties=[a]", WrongSetting, "model.linear.penalties[0]: 'a' is not a number"),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(override, error, text):
    with pytest.raises(error) as refused:
        read_experiment(HERE / "checkpoint.yaml", [override])
    assert text in str(refused.value)


def test_published_arms_are_no_rows_beside_synthetic_cases():
    """One fit never mixes real and synthetic cases, and an arm's row stands for real ones."""
    with pytest.raises(WrongSetting, match=r"cohorts.published_arms: are real, and the cases are synthetic"):
        read_experiment(HERE / "checkpoint_synthetic.yaml", ["cohorts.published_arms=1.0"])


def test_overrides_change_what_they_name_and_nothing_else():
    plain = read_experiment(HERE / "checkpoint.yaml").to_dict()
    changed = read_experiment(
        HERE / "checkpoint.yaml", ["model.linear.penalties=[10, 30]", "resampling.repeats=1", "terms.boosted=true"]
    ).to_dict()
    assert changed["model"]["linear"]["penalties"] == (10.0, 30.0)
    changed["model"]["linear"]["penalties"] = plain["model"]["linear"]["penalties"]
    changed["resampling"]["repeats"], changed["terms"]["boosted"] = 10, False
    assert changed == plain


def test_the_file_itself_is_not_changed_by_overrides():
    raw = {"model": {"folds": 5}}
    assert overridden(raw, ["model.folds=2"]) == {"model": {"folds": 2}}
    assert raw == {"model": {"folds": 5}}


def test_missing_question_and_missing_file(tmp_path):
    (tmp_path / "bare.yaml").write_text("name: x\nfamily: checkpoint\n")
    with pytest.raises(MissingSetting, match="question: is required"):
        read_experiment(tmp_path / "bare.yaml")
    with pytest.raises(ExperimentNotFound, match=r"checkpoint\.yaml"):
        read_experiment(tmp_path / "none.yaml")


def test_fitting_on_arms_takes_no_patients():
    with pytest.raises(WrongSetting, match="neither needed nor used"):
        read_experiment(HERE / "targeted.yaml", ["cohorts.development=[summit-biliary]"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: [a\n  b: :", "is not YAML"),
        ("", "Begin with a copy of experiments/checkpoint.yaml"),
        ("table: {file: patients.csv}\nfields: {}", "is a manifest of a cohort"),
    ],
)
def test_a_file_that_is_no_experiment_is_told(tmp_path, text, told):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(WrongSetting, match=told):
        read_experiment(file)
