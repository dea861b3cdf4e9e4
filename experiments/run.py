"""The runner: one experiment file in; a judged, stored and tracked model out.

Load cohorts -> leakage checks -> evidence without their own trials -> resample -> judge -> fit on all -> score the
external cohorts once -> card, artefact -> report -> track. Registration is the last step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from experiments.card import adequacy, card_of
from experiments.cohort_loading import load_cohorts
from experiments.finish import Run, finish
from experiments.further import Asker, grouped
from experiments.leakage import own_trials, without_shared_patients
from experiments.outputs import Material, runs_folder
from training.arms import ArmCases, described_groups
from training.evaluate import Evaluation, evaluate
from training.evidence_for import arms_of, evidence_without
from training.fit import Recipe, fit_contenders, fit_model
from training.fold_cache import FoldCache, cache_key
from training.pool import Pool
from training.resampling import beside_loris, external_scene, resample
from training.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.config import Experiment
    from experiments.progress import Progress
    from models.described import DescribedGroups
    from models.evidence import EvidenceTerm
    from models.response import ResponseModel
    from training.further import FurtherTable
    from training.judged import Scene
    from training.same_patients import Twins


def load_material(experiment: Experiment) -> Material:
    """Load every cohort of an experiment and keep shared patients and own trials apart."""
    development = load_cohorts(experiment.cohorts.development, experiment)
    external = load_cohorts(experiment.cohorts.external, experiment)
    kept, overlaps = without_shared_patients(development, external, experiment.cohorts)
    families, cohorts = own_trials([one.provenance for one in (*development, *external)])
    shared_with = tuple(sorted({one.against for one in overlaps if one.removed}))
    return Material(
        Pool.of(kept),
        tuple(Pool.of([one]) for one in external),
        tuple(one.sentence for one in overlaps),
        families,
        cohorts,
        Pool.of(development) if shared_with else None,
        shared_with,
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
        described=_described(experiment, material, evidence),
        described_weight=experiment.cohorts.published_arms,
    )


def _described(experiment: Experiment, material: Material, evidence: EvidenceTerm | None) -> DescribedGroups | None:
    """Return published arms as rows beside the patients, without those of the patients' own trials."""
    if evidence is None or not experiment.cohorts.published_arms:
        return None
    own = {*material.dropped_families, *material.dropped_cohorts}
    arms = [arm for arm in arms_of(experiment.family) if not own & {arm.trial_family, arm.cohort}]
    return described_groups(ArmCases.of(arms), evidence)


def run_on_patients(
    experiment: Experiment, progress: Progress, *, workers: int, stem: str, tracking: bool, drawing: bool = True
) -> Run:
    """Run an experiment that is fitted on patients."""
    with progress.step("Reading cohorts"):
        material, twins = grouped(load_material(experiment))
    with progress.step("Fitting published evidence"):
        recipe = recipe_of(experiment, material)
    cache = FoldCache(runs_folder() / f"{stem}-{cache_key(experiment.to_dict(), material.hashes)}.folds")
    with Workers(recipe, material.development, workers) as shared:
        found = _judged_and_fitted(experiment, recipe, material, twins, progress, cache, shared)
    run = finish(
        experiment,
        found.model,
        found.model.answers(material.development.batch()),
        found.evaluation,
        found.scenes,
        material,
        progress,
        stem,
        tracking,
        drawing=drawing,
        further=found.further,
        refit=lambda: fit_model(found.recipe, material.development),
    )
    cache.clear()
    return run


@dataclass(frozen=True, eq=False)
class _Found:
    """What a run knows before anything is written."""

    recipe: Recipe
    model: ResponseModel
    evaluation: Evaluation
    scenes: tuple[Scene, ...]
    further: Sequence[FurtherTable]


def _judged_and_fitted(
    experiment: Experiment,
    recipe: Recipe,
    material: Material,
    twins: Twins,
    progress: Progress,
    cache: FoldCache,
    workers: Workers,
) -> _Found:
    """Resample and judge, fit on all cases, score the external cohorts, and whatever else is asked for."""
    resampled = _resampled(experiment, recipe, material.development, workers, progress, cache)
    developed = judged(experiment, resampled, progress, "Judging out-of-fold forecasts", workers)
    card = card_of(experiment, material.development, material.dropped_families, developed)
    with progress.step("Fitting on all cases"):
        recipe = replace(recipe, card=card)
        contenders = fit_contenders(recipe, material.development)
        model = contenders.model
        model = replace(model, card={**model.card, **adequacy(model.card["fit"])})
    outside = [external_scene(contenders, pool) for pool in material.external]
    outside = [scene for one in outside for scene in (one, beside_loris(one)) if scene is not None]
    scored = judged(experiment, outside, progress, "Scoring external cohorts", workers)
    asker = Asker(experiment, material, recipe, partial(recipe_of, experiment), twins, progress, workers, cache)
    more = asker.all(resampled, outside)
    evaluation = Evaluation((*developed.rows, *scored.rows, *more.rows))
    return _Found(recipe, model, evaluation, (*resampled, *outside), more.tables)


def _resampled(
    experiment: Experiment, recipe: Recipe, pool: Pool, workers: Workers, progress: Progress, cache: FoldCache
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
            cache=cache,
        )


def judged(
    experiment: Experiment, scenes: Sequence[Scene], progress: Progress, words: str, workers: Workers | None = None
) -> Evaluation:
    """Judge every predictor of every scene under a progress bar."""
    settings = experiment.evaluation
    with progress.bar(words, sum(len(scene.forecasts) for scene in scenes)) as each:
        return evaluate(scenes, resamples=settings.bootstraps, seed=settings.seed, each=each, workers=workers)
