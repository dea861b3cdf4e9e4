"""The runner: one experiment file in; a judged, stored and tracked model out.

Load cohorts -> leakage checks -> evidence without their own trials -> resample -> judge -> fit on all -> score the
external cohorts once -> card, artefact -> report -> track. Registration is the last step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from experiments.card import adequacy, card_of
from experiments.cohort_loading import load_cohorts
from experiments.leakage import own_trials, without_shared_patients
from experiments.outputs import Material, fresh_folder, record_of, report_data, write_tables
from models.artifact import save_artifact
from training.evaluate import Evaluation, evaluate
from training.evidence_for import evidence_without
from training.fit import Recipe, fit_contenders
from training.pool import Pool
from training.report import write_report
from training.resampling import beside_loris, external_scene, resample
from training.tracking import track

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from experiments.config import Experiment
    from experiments.progress import Progress
    from models.response import Answers, ResponseModel
    from training.judged import Scene
    from training.tracking import Tracked


@dataclass(frozen=True, eq=False)
class Run:
    """What a run gives back."""

    experiment: Experiment
    model: ResponseModel
    evaluation: Evaluation
    scenes: tuple[Scene, ...]
    folder: Path
    report: Path
    tracked: Tracked | None


def load_material(experiment: Experiment) -> Material:
    """Load every cohort of an experiment and keep shared patients and own trials apart."""
    development = load_cohorts(experiment.cohorts.development, experiment)
    external = load_cohorts(experiment.cohorts.external, experiment)
    kept, overlaps = without_shared_patients(development, external, experiment.cohorts)
    families, cohorts = own_trials([one.provenance for one in (*development, *external)])
    return Material(
        Pool.of(kept), tuple(Pool.of([one]) for one in external), tuple(o.sentence for o in overlaps), families, cohorts
    )


def recipe_of(experiment: Experiment, material: Material) -> Recipe:
    """Return everything that decides a fit but the cases."""
    evidence = None
    if experiment.terms.evidence:
        evidence = evidence_without(experiment.family, material.dropped_families, material.dropped_cohorts)
    return Recipe(
        name=experiment.name,
        family=experiment.family,
        settings=experiment.settings,
        evidence=evidence,
        leave_out=experiment.features.leave_out,
        comparators=experiment.evaluation.comparators,
    )


def run_on_patients(experiment: Experiment, progress: Progress, *, workers: int, stem: str, tracking: bool) -> Run:
    """Run an experiment that is fitted on patients."""
    with progress.step("Reading cohorts"):
        material = load_material(experiment)
    with progress.step("Fitting published evidence"):
        recipe = recipe_of(experiment, material)
    resampled = _resampled(experiment, recipe, material.development, workers, progress)
    developed = judged(experiment, resampled, progress, "Judging out-of-fold forecasts")
    card = card_of(experiment, material.development, material.dropped_families, developed)
    with progress.step("Fitting on all cases"):
        contenders = fit_contenders(replace(recipe, card=card), material.development)
        model = contenders.model
        model = replace(model, card={**model.card, **adequacy(model.card["fit"])})
    outside = [external_scene(contenders, pool) for pool in material.external]
    outside = [scene for one in outside for scene in (one, beside_loris(one)) if scene is not None]
    scored = judged(experiment, outside, progress, "Scoring external cohorts")
    evaluation = Evaluation((*developed.rows, *scored.rows))
    scenes = (*resampled, *outside)
    answers = model.answers(material.development.batch())
    return finish(experiment, model, answers, evaluation, scenes, material, progress, stem, tracking)


def _resampled(
    experiment: Experiment, recipe: Recipe, pool: Pool, workers: int, progress: Progress
) -> tuple[Scene, ...]:
    settings = experiment.resampling
    if settings.repeats == 0:
        return ()
    with progress.bar("Resampling", settings.repeats * settings.folds) as each:
        return resample(
            recipe,
            pool,
            folds=settings.folds,
            repeats=settings.repeats,
            seed=settings.seed,
            workers=workers,
            each=each,
        )


def judged(experiment: Experiment, scenes: Sequence[Scene], progress: Progress, words: str) -> Evaluation:
    """Judge every predictor of every scene under a progress bar."""
    settings = experiment.evaluation
    with progress.bar(words, sum(len(scene.forecasts) for scene in scenes)) as each:
        return evaluate(scenes, resamples=settings.bootstraps, seed=settings.seed, each=each)


def finish(
    experiment: Experiment,
    model: ResponseModel,
    answers: Answers,
    evaluation: Evaluation,
    scenes: tuple[Scene, ...],
    material: Material,
    progress: Progress,
    stem: str,
    tracking: bool,
) -> Run:
    """Store the artefact, write tables and report, and track the run; registration is the very last step."""
    folder = fresh_folder(experiment, material.hashes, stem)
    with progress.step("Storing the artefact"):
        model = save_artifact(model, folder / "artefact")
    write_tables(evaluation, experiment, folder)
    with progress.step("Drawing the report"):
        files = write_report(report_data(experiment, model, answers, evaluation, scenes, material), folder / "report")
    tracked = None
    if tracking:
        with progress.step("Logging to MLflow"):
            tracked = track(record_of(experiment, model, evaluation, material, folder, files, stem))
    return Run(experiment, model, evaluation, scenes, folder, files[0], tracked)
