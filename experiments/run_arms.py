"""The runner for a family that is fitted on published arms: evidence and its calibration, judged left-family-out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from experiments.card import adequacy, arms_card
from experiments.cohort_loading import load_cohorts
from experiments.finish import Run, finish
from experiments.leakage import own_trials
from experiments.outputs import Material
from experiments.run import judged
from training.arms import ArmCases, arms_scene, fit_on_arms, left_family_out
from training.evaluate import Evaluation
from training.evidence_check import leave_family_out
from training.evidence_for import arms_of, evidence_without
from training.fit import Contenders
from training.pool import Pool
from training.resampling import external_scene

if TYPE_CHECKING:
    from experiments.config import Experiment
    from experiments.progress import Progress
    from models.evidence import EvidenceTerm
    from models.response import ResponseModel
    from training.evidence_check import LeaveFamilyOut
    from training.judged import FloatArray


def load_arms_material(experiment: Experiment) -> Material:
    """Load the external cohorts, and name their own trials: those are no evidence."""
    external = load_cohorts(experiment.cohorts.external, experiment)
    families, cohorts = own_trials([one.provenance for one in external])
    return Material(None, tuple(Pool.of([one]) for one in external), (), families, cohorts)


def run_on_arms(experiment: Experiment, progress: Progress, *, stem: str, tracking: bool, drawing: bool = True) -> Run:
    """Run an experiment that is fitted on published arms; patient-level cohorts are external checks."""
    with progress.step("Reading cohorts"):
        material = load_arms_material(experiment)
    with progress.step("Fitting published evidence"):
        term = evidence_without(experiment.family, material.dropped_families, material.dropped_cohorts)
        own = {*material.dropped_families, *material.dropped_cohorts}
        arms = [arm for arm in arms_of(experiment.family) if not own & {arm.trial_family, arm.cohort}]
        cases = ArmCases.of(arms)
    held_out = _left_out(cases, term, progress)
    model, forecast = fit_on_arms(
        cases, term, held_out, experiment.settings, {"name": experiment.name}, experiment.family
    )
    scenes = [arms_scene(cases, forecast, f"published {experiment.family} arms")]
    developed = judged(experiment, scenes, progress, "Judging left-family-out forecasts")
    model = _carded(experiment, cases, model, developed)
    outside = [external_scene(Contenders(model, (), None), pool) for pool in material.external]
    scored = judged(experiment, outside, progress, "Scoring external cohorts")
    evaluation = Evaluation((*developed.rows, *scored.rows))
    with progress.step("Foretelling arms without their families"):
        foretold = leave_family_out(arms)
    material = replace(material, notes=(_said(foretold),))
    answers = model.answers(cases.batch)
    return finish(
        experiment,
        model,
        answers,
        evaluation,
        (*scenes, *outside),
        material,
        progress,
        stem,
        tracking,
        drawing=drawing,
        left_family_out=foretold,
    )


def _left_out(cases: ArmCases, term: EvidenceTerm, progress: Progress) -> FloatArray:
    with progress.bar("Leaving each trial family out", len(set(cases.families))) as each:
        return left_family_out(cases, term, each)


def _carded(experiment: Experiment, cases: ArmCases, model: ResponseModel, developed: Evaluation) -> ResponseModel:
    card = arms_card(experiment, len(cases.arms), len(set(cases.families)), developed)
    return replace(model, card={**model.card, **card, **adequacy(model.card["fit"])})


def _said(found: LeaveFamilyOut) -> str:
    """Say how well the evidence alone, variances included, foretells the rate of arms of families it never saw."""
    return (
        "Evidence alone, each trial family left out: mean absolute error of the response rate "
        f"{found.mean_absolute_error:.3f} (weights min(n, 300); class average {found.class_average_error:.3f}, "
        f"chance alone {found.chance:.3f}), correlation {found.correlation:.2f}; "
        f"90% predictive intervals hold {found.coverage:.0%}."
    )
