"""What an experiment may ask for: refused when misspelt, run on synthetic cohorts, written, printed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from experiments.config import read_experiment
from experiments.control import control_arm, without_trial
from experiments.further import Asker, grouped
from experiments.progress import Progress
from experiments.run import load_material, recipe_of
from experiments.settings_reader import WrongSetting
from experiments.shown import further_table
from tests.quick_recipe import two_cohorts
from training.further import write_further
from training.left_out import LEFT_COHORT
from training.workers import Workers

HERE = Path(__file__).resolve().parent.parent / "experiments"
QUICK = [
    "cohorts.development=[synthetic-checkpoint-development-1, synthetic-checkpoint-external-1]",
    "cohorts.external=[]",
    "cohorts.synthetic_cases=120",
    "evaluation.bootstraps=40",
    "evaluation.local_draws=4",
    "evaluation.permutations=2",
    "evaluation.comparators=[base_rate, histology_base_rate, loris_pan_cancer]",
    "resampling.folds=2",
    "resampling.repeats=1",
    "model.folds=3",
    "model.linear.penalties=[30]",
    "model.linear.tuned_groups=[]",
    "terms.evidence=false",
]
CONTROL = (
    "evaluation.control_arm={treated: synthetic-checkpoint-development-1, control: synthetic-checkpoint-external-2,"
    " as_if_given: atezolizumab}"
)


def asker(*extra):
    experiment = read_experiment(HERE / "checkpoint_synthetic.yaml", [*QUICK, *extra])
    material, twins = grouped(load_material(experiment))
    recipe = recipe_of(experiment, material)
    return Asker(
        experiment,
        material,
        recipe,
        lambda other: recipe_of(experiment, other),
        twins,
        Progress(),
        Workers(recipe, material.development),
    )


def test_everything_asked_for_has_its_table_its_file_and_its_lines(tmp_path):
    asked = asker(
        "evaluation.also=[internal_external, histologies_out, classes_out, control_arm, permutations]", CONTROL
    )
    found = asked.all((), ())
    names = [table.name for table in found.tables]
    assert names == [
        "internal_external",
        "internal_external_updated",
        "internal_external_loris_pan_cancer",
        "left_out_histology",
        "left_out_therapy_class",
        "control_arm",
        "permutations",
    ]
    assert {row.scene for row in found.rows} == {LEFT_COHORT}
    assert len(found.rows) == 8
    for place in write_further(found.tables, tmp_path / "tables"):
        assert json.loads(place.read_text())["rows"]
    console = Console(record=True, width=200, file=io.StringIO())
    for table in found.tables:
        console.print(further_table(table, console.width))
    assert "our AUROC" in console.export_text()


def test_nothing_asked_for_costs_nothing():
    found = asker().all((), ())
    assert (found.tables, found.rows) == ([], [])


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("evaluation.also=[internal]", "'internal' is not a value"),
        ("evaluation.also=[control_arm]", "evaluation.control_arm: is asked for and not described"),
    ],
)
def test_what_cannot_be_asked_is_refused(override, text):
    with pytest.raises(WrongSetting) as refused:
        asker(override)
    assert text in str(refused.value)


def test_the_control_arms_own_trial_never_trains():
    pool = two_cohorts(60)
    kept = without_trial(pool, [pool.provenances[0]])
    assert set(kept.source.tolist()) == {pool.provenances[1].cohort_id}
    asked = asker(CONTROL)
    seen = []

    def recipe_for(material):
        seen.append((material.dropped_families, material.dropped_cohorts))
        return asked.recipe

    control_arm(asked.experiment, asked.material, recipe_for)
    assert seen == [((), ())]


def test_the_arms_of_oak_are_no_evidence_when_oak_is_scored():
    from training.evidence_for import evidence_without

    with_oak = {arm.trial_family for arm in evidence_without("checkpoint", (), ()).arms}
    without = {arm.trial_family for arm in evidence_without("checkpoint", ("oak",), ("oak",)).arms}
    assert with_oak - without == {"oak"}
