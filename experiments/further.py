"""What an experiment asks for beside the resampling: leaving out, a control arm, ablation, permutations, subgroups."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from experiments.control import control_arm, survival
from training.ablation import COMBINATIONS, ablation_table
from training.evaluate import evaluate
from training.extrapolation import extrapolation_table
from training.fit import fit_contenders
from training.internal_external import across_table, against_rival_table
from training.learning_curve import SHARES, learning_curve
from training.left_out import LEFT_COHORT, left_cohorts, main_histologies, therapy_classes
from training.local_update import update_table
from training.permutation import null_areas, null_table
from training.resampling import external_scene
from training.same_patients import twins_between_cohorts
from training.subgroups import subgroup_table
from training.venn_abers import venn_abers_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from experiments.config import Experiment
    from experiments.outputs import Material
    from experiments.progress import Progress
    from training.fit import Recipe
    from training.fold_cache import FoldCache
    from training.further import FurtherTable
    from training.judged import Row, Scene
    from training.pool import Pool
    from training.same_patients import Twins
    from training.workers import Workers

WITH_SHARED = "external, same patients kept in training"
"""Scene of an external cohort by a model that saw the patients it shares: beside the figures without them."""

RIVALS_APART = ("loris_pan_cancer", "loris_nsclc")
"""Rivals that are defined for some patients only: compared on theirs, cohort by cohort."""


@dataclass(eq=False)
class Further:
    """Tables and rows as they come; scenes of left-out cohorts are kept for whoever draws them."""

    tables: list[FurtherTable] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Asker:
    """One experiment, its cases and its recipe, asked for one thing after another.

    Attributes
    ----------
    recipe_for
        Makes a recipe for other material: the control arm's trial must not be evidence either.
    twins
        Probable same patients of two development cohorts.
    workers
        Those of the run, which hold the recipe and the development cases.
    cache
        Where permuted folds are kept until the run is done.
    """

    experiment: Experiment
    material: Material
    recipe: Recipe
    recipe_for: Callable[[Material], Recipe]
    twins: Twins
    progress: Progress
    workers: Workers
    cache: FoldCache | None = None

    def all(self, resampled: Sequence[Scene], external: Sequence[Scene]) -> Further:
        """Return everything that ``evaluation.also`` names, and the subgroups and local updates that cost no fit."""
        found, also = Further(), self.experiment.evaluation.also
        if resampled:
            found.tables.append(self._subgroups(resampled))
            found.tables.append(venn_abers_table(resampled, self.experiment.evaluation.seed))
        if self.material.unreduced is not None:
            found.rows += self._with_shared_patients(self.material.unreduced)
        if external:
            found.tables.append(self._updated(external, "external_updated", "External cohorts after a local update"))
        if "internal_external" in also:
            self._internal_external(found)
        asked = {"histologies_out": self._histologies, "classes_out": self._classes, "control_arm": self._control_arm}
        asked["survival"] = self._survival
        asked |= {"ablation": self._ablation, "learning_curve": self._learning, "permutations": self._permutations}
        found.tables += [make() for name, make in asked.items() if name in also]
        return found

    def _subgroups(self, scenes: Sequence[Scene]) -> FurtherTable:
        settings = self.experiment.evaluation
        with self.progress.step("Judging subgroups"):
            return subgroup_table(scenes, self.material.development, resamples=settings.bootstraps, seed=settings.seed)

    def _updated(self, scenes: Sequence[Scene], name: str, title: str) -> FurtherTable:
        settings = self.experiment.evaluation
        with self.progress.step("Updating on local outcomes"):
            return update_table(
                scenes,
                name,
                title,
                outcomes=settings.local_outcomes,
                draws=settings.local_draws,
                resamples=settings.bootstraps,
                seed=settings.seed,
            )

    def _with_shared_patients(self, unreduced: Pool) -> tuple[Row, ...]:
        """Score the external cohorts that share patients once more, by contenders that saw those patients."""
        with self.progress.step("Scoring with the shared patients in training"):
            contenders = fit_contenders(self.recipe, unreduced)
            pools = [
                pool for pool in self.material.external if pool.provenances[0].cohort_id in self.material.shared_with
            ]
            scenes = [external_scene(contenders, pool, WITH_SHARED) for pool in pools]
            return self._evaluated(scenes)

    def _evaluated(self, scenes: Sequence[Scene], each: Callable[[str], None] | None = None) -> tuple[Row, ...]:
        asked = self.experiment.evaluation
        return evaluate(scenes, resamples=asked.bootstraps, seed=asked.seed, each=each, workers=self.workers).rows

    def _internal_external(self, found: Further) -> None:
        pool = self.material.development
        with self.progress.bar("Leaving out cohorts", len(pool.provenances)) as each:
            scenes = list(left_cohorts(self.recipe, pool, self.twins, each, self.workers))
        if not scenes:
            return
        with self.progress.bar("Judging left-out cohorts", sum(len(scene.forecasts) for scene in scenes)) as each:
            found.rows += self._evaluated(scenes, each)
        apart = [scene for scene in scenes if scene.name == LEFT_COHORT]
        found.tables.append(across_table(apart, "internal_external", "Leave one cohort out: across cohorts"))
        found.tables.append(
            self._updated(scenes, "internal_external_updated", "Leave one cohort out: after a local update")
        )
        for rival in (one for one in RIVALS_APART if one in self.experiment.evaluation.comparators):
            title = f"Leave one cohort out: AUROC where {rival} is defined"
            found.tables.append(against_rival_table(apart, rival, f"internal_external_{rival}", title))
        found.scenes += scenes

    def _histologies(self) -> FurtherTable:
        return self._left_out("histology")

    def _classes(self) -> FurtherTable:
        return self._left_out("therapy class")

    def _left_out(self, what: str) -> FurtherTable:
        pool, settings = self.material.development, self.experiment.evaluation
        levels = main_histologies(pool) if what == "histology" else therapy_classes(pool)
        with self.progress.bar(f"Leaving out each {what}", len(set(levels.tolist()))) as each:
            return extrapolation_table(
                self.recipe,
                pool,
                levels,
                what,
                self.twins,
                resamples=settings.bootstraps,
                seed=settings.seed,
                each=each,
                workers=self.workers,
            )

    def _control_arm(self) -> FurtherTable:
        with self.progress.step("Scoring the control arm"):
            return control_arm(self.experiment, self.material, self.recipe_for)

    def _survival(self) -> FurtherTable:
        with self.progress.step("Ranking survival"):
            return survival(self.experiment, self.material, self.recipe_for)

    def _ablation(self) -> FurtherTable:
        evaluation, split = self.experiment.evaluation, self.experiment.resampling
        with self.progress.bar("Ablation", len(COMBINATIONS)) as each:
            return ablation_table(
                self.recipe,
                self.material.development,
                folds=split.folds,
                repeats=max(split.repeats, 1),
                seed=split.seed,
                resamples=evaluation.bootstraps,
                workers=self.workers,
                each=each,
            )

    def _learning(self) -> FurtherTable:
        evaluation, split = self.experiment.evaluation, self.experiment.resampling
        with self.progress.bar("Learning curve", len(SHARES) * split.folds) as each:
            return learning_curve(
                self.recipe,
                self.material.development,
                folds=split.folds,
                seed=split.seed,
                resamples=evaluation.bootstraps,
                workers=self.workers,
                each=each,
            )

    def _permutations(self) -> FurtherTable:
        evaluation, split = self.experiment.evaluation, self.experiment.resampling
        with self.progress.bar("Permuting outcomes", evaluation.permutations) as each:
            return null_table(
                null_areas(
                    self.recipe,
                    self.material.development,
                    folds=split.folds,
                    permutations=evaluation.permutations,
                    seed=split.seed,
                    workers=self.workers,
                    each=each,
                    cache=self.cache,
                )
            )


def grouped(material: Material) -> tuple[Material, Twins]:
    """Return the material with probable same patients of two cohorts under one id, with a note, and who they are."""
    pool = material.development
    twins = twins_between_cohorts(pool)
    if not twins.pairs:
        return material, twins
    together = replace(pool, same_patients=twins.groups(pool.patients.tolist()))
    return replace(material, pool=together, notes=(*material.notes, *twins.sentences)), twins
