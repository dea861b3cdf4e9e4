"""The control arm of an experiment: which model may score it, and on whom that model was fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from experiments.cohort_loading import CohortDisagrees, find_cohort
from experiments.leakage import own_trials
from experiments.settings_reader import WrongSetting
from training.control_arm import control_arm_table
from training.fit import fit_contenders
from training.pool import Pool
from training.survival import survival_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from experiments.config import ControlSettings, Experiment
    from experiments.outputs import Material
    from features.cohort import Cohort
    from features.provenance import Provenance
    from training.fit import Contenders, Recipe
    from training.further import FurtherTable


def control_arm(experiment: Experiment, material: Material, recipe_for: Callable[[Material], Recipe]) -> FurtherTable:
    """Fit without both arms and without the arms of their trial, and score both as if given the therapy.

    Parameters
    ----------
    recipe_for
        Makes a recipe whose evidence leaves out the trials that the material names.

    Raises
    ------
    CohortNotFound
        When an arm is not there.
    CohortDisagrees
        When nothing is left to fit on, or an arm records another endpoint.
    """
    asked = _described(experiment.evaluation.control_arm, "control_arm")
    arms, contenders = _fitted_without(experiment, asked, material, recipe_for)
    treated, control = (Pool.of([_with_endpoint(arm, experiment)]) for arm in arms)
    return control_arm_table(contenders, treated, control, asked.as_if_given)


def survival(experiment: Experiment, material: Material, recipe_for: Callable[[Material], Recipe]) -> FurtherTable:
    """Fit without the treated group, and judge by survival how it and an untreated group are ranked; see above."""
    asked = _described(experiment.evaluation.survival, "survival")
    (treated, control), contenders = _fitted_without(experiment, asked, material, recipe_for)
    for group in (treated, control):
        if np.isnan(group.survival[1]).all():
            record = group.provenance.cohort_id
            raise CohortDisagrees("records no survival", record=record, field="evaluation.survival")
    return survival_table(contenders, treated, control, asked.as_if_given, seed=experiment.evaluation.seed)


def _described(asked: ControlSettings | None, what: str) -> ControlSettings:
    if asked is None:
        raise WrongSetting("is not described", field=f"evaluation.{what}")
    return asked


def _fitted_without(
    experiment: Experiment, asked: ControlSettings, material: Material, recipe_for: Callable[[Material], Recipe]
) -> tuple[list[Cohort], Contenders]:
    """Return the two groups, and contenders that have seen neither, nor the arms of their trials."""
    groups = [find_cohort(name, experiment.cohorts.synthetic_cases) for name in (asked.treated, asked.control)]
    provenances = [group.provenance for group in groups]
    families, cohorts = own_trials(provenances)
    both = replace(
        material,
        dropped_families=tuple(sorted({*material.dropped_families, *families})),
        dropped_cohorts=tuple(sorted({*material.dropped_cohorts, *cohorts})),
    )
    return groups, fit_contenders(recipe_for(both), without_trial(material.development, provenances))


def without_trial(pool: Pool, provenances: Sequence[Provenance]) -> Pool:
    """Return the cases of a pool that are of no cohort and of no trial of the given ones."""
    names = {p.cohort_id for p in provenances}
    families = {p.trial_family for p in provenances} - {None}
    own = [p.cohort_id for p in pool.provenances if p.cohort_id in names or p.trial_family in families]
    rows = np.flatnonzero(~np.isin(pool.source, own))
    if not len(rows):
        raise CohortDisagrees(
            "leaves no other cohort to fit on", record=", ".join(sorted(names)), field="evaluation.control_arm"
        )
    return pool.take(rows)


def _with_endpoint(arm: Cohort, experiment: Experiment) -> Cohort:
    if arm.provenance.endpoint != experiment.question.endpoint:
        raise CohortDisagrees(
            f"records {arm.provenance.endpoint} and the question asks for {experiment.question.endpoint}",
            record=arm.provenance.cohort_id,
            field="evaluation.control_arm",
        )
    return arm
