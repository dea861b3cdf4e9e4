"""From an experiment's recipe and a pool of cases to a fitted model and its fitted rivals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from features.table import FeatureTable
from models.comparators import PUBLISHED
from models.comparators_fitted import BaseRate, DefaultLightGbm, HistologyBaseRate, PlainLogistic, RecalibratedLoris
from models.loris import only_loris_inputs
from models.response_fit import fit_response
from training.judged import MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.batch import Batch
    from models.comparators import Comparator
    from models.described import DescribedGroups
    from models.response import EvidenceLike, ResponseModel
    from models.settings import ResponseSettings
    from training.judged import FloatArray
    from training.pool import Pool

LORIS_INPUTS = "loris_inputs"
"""Name of the comparator that is our own linear model on LORIS's six inputs."""

BESIDE_LORIS_INPUTS = ("alterations", "mismatch_repair", "therapy")
"""Builders that have nothing to say when only LORIS's inputs are known."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that decides a fit but the cases.

    Attributes
    ----------
    evidence
        Fitted without the arms of any trial whose patients are trained on or scored; None leaves the term out.
    comparators
        Names of the rivals to carry along.
    described, described_weight
        Published arms that are fitted on beside the patients, and their weight as a multiple of the patients'.
    """

    name: str
    family: str
    settings: ResponseSettings
    evidence: EvidenceLike | None = None
    leave_out: tuple[str, ...] = ()
    comparators: tuple[str, ...] = ()
    card: Mapping[str, Any] | None = None
    described: DescribedGroups | None = None
    described_weight: float = 0.0


@dataclass(frozen=True, eq=False)
class Contenders:
    """A fitted model and the rivals that were fitted on the same cases."""

    model: ResponseModel
    rivals: tuple[Comparator, ...]
    loris_inputs: ResponseModel | None

    def forecasts(self, batch: Batch) -> tuple[dict[str, FloatArray], Any]:
        """Return every predictor's numbers by name, and which cases the model answered (the abstained have numbers)."""
        answers = self.model.answers(batch)
        found = {MODEL: answers.scores.probability, **{rival.name: rival.score(batch) for rival in self.rivals}}
        if self.loris_inputs is not None:
            found[LORIS_INPUTS] = self.loris_inputs.answers(only_loris_inputs(batch)).scores.probability
        return found, answers.answered


def fit_model(recipe: Recipe, pool: Pool) -> ResponseModel:
    """Fit the feature table and the equation on the cases of a pool."""
    return _fit(recipe, pool, pool.batch())


def _fit(recipe: Recipe, pool: Pool, batch: Batch) -> ResponseModel:
    table = FeatureTable.for_family(recipe.family, recipe.leave_out).fit(batch)
    card = {"name": recipe.name, **(recipe.card or {})}
    return fit_response(
        batch,
        pool.outcome,
        pool.patients.tolist(),
        table=table,
        evidence=recipe.evidence,
        settings=recipe.settings,
        card=card,
        described=recipe.described and recipe.described.weighing(recipe.described_weight * batch.n),
    ).model


def fit_contenders(recipe: Recipe, pool: Pool) -> Contenders:
    """Fit the model and every rival on the same cases."""
    model = fit_model(recipe, pool)
    batch, y, names = pool.batch(), pool.outcome, recipe.comparators
    fitted: list[Comparator] = [BaseRate.fit(y), HistologyBaseRate.fit(batch, y)]
    if "loris_recalibrated" in names:
        fitted.append(RecalibratedLoris.fit(batch, y))
    if "plain_logistic" in names:
        fitted.append(PlainLogistic.fit(model.table, batch, y))
    if "default_lightgbm" in names:
        fitted.append(DefaultLightGbm.fit(model.table, batch, y))
    by_name = {rival.name: rival for rival in (*fitted, *PUBLISHED)}
    rivals = tuple(by_name[name] for name in names if name in by_name)
    return Contenders(model, rivals, _on_loris_inputs(recipe, pool))


def _on_loris_inputs(recipe: Recipe, pool: Pool) -> ResponseModel | None:
    if LORIS_INPUTS not in recipe.comparators:
        return None
    linear = replace(recipe.settings.linear, on=True)
    settings = replace(
        recipe.settings, evidence=False, linear=linear, boosted=replace(recipe.settings.boosted, on=False)
    )
    without = tuple({*recipe.leave_out, *BESIDE_LORIS_INPUTS})
    narrow = replace(recipe, settings=settings, evidence=None, described=None, leave_out=without)
    return _fit(narrow, pool, only_loris_inputs(pool.batch()))
