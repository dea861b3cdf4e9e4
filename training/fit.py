"""From an experiment's recipe and a pool of cases to a fitted model and its fitted rivals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from features.table import FeatureTable
from models.comparators import PUBLISHED
from models.comparators_fitted import BaseRate, DefaultLightGbm, HistologyBaseRate, PlainLogistic, RecalibratedLoris
from models.loris import only_loris_inputs
from models.recalibration import shift_sd
from models.response_fit import fit_response
from training.judged import MODEL
from training.known import KnownEvidence, RememberedTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch
    from models.comparators import Comparator
    from models.described import DescribedGroups
    from models.response import EvidenceLike, ResponseModel
    from models.settings import ResponseSettings
    from training.judged import FloatArray
    from training.known import Part
    from training.pool import Cases, Pool

SHIFT_SD = "__shift_sd"
"""Name under which a fold's forecasts carry the prior of a new cohort's level (:attr:`Contenders.shift_sd`)."""

LORIS_INPUTS = "loris_inputs"
"""Name of the comparator that is our own linear model on LORIS's six inputs."""

TERMS = ("evidence", "linear", "boosted")
"""Terms of the equation, in its order."""

BESIDE_LORIS_INPUTS = (
    "alterations",
    "alterations_in_tissue",
    "mismatch_repair",
    "mismatch_repair_in_tissue",
    "therapy",
    "therapy_in_histology",
    "therapy_interactions",
    "therapy_context",
)
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


def with_terms(recipe: Recipe, terms: Sequence[str]) -> Recipe:
    """Return the recipe with exactly these terms switched on."""
    settings = recipe.settings
    changed = replace(
        settings,
        evidence="evidence" in terms,
        linear=replace(settings.linear, on="linear" in terms),
        boosted=replace(settings.boosted, on="boosted" in terms),
    )
    return replace(recipe, settings=changed, evidence=recipe.evidence if "evidence" in terms else None)


@dataclass(frozen=True, eq=False)
class Contenders:
    """A fitted model and the rivals that were fitted on the same cases."""

    model: ResponseModel
    rivals: tuple[Comparator, ...]
    loris_inputs: ResponseModel | None

    @property
    def shift_sd(self) -> float:
        """Prior standard deviation of a new cohort's level, as the model estimated it between its own cohorts."""
        return shift_sd(self.model.calibration)

    def forecasts(self, batch: Batch) -> tuple[dict[str, FloatArray], Any]:
        """Return every predictor's numbers by name, and which cases the model answered (the abstained have numbers)."""
        answers = self.model.answers(batch)
        found = {MODEL: answers.scores.probability, **{rival.name: rival.score(batch) for rival in self.rivals}}
        if self.loris_inputs is not None:
            found[LORIS_INPUTS] = self.loris_inputs.answers(only_loris_inputs(batch)).scores.probability
        return found, answers.answered


def fit_model(recipe: Recipe, pool: Pool) -> ResponseModel:
    """Fit the feature table and the equation on the cases of a pool."""
    return _fit(recipe, pool.cases)


def _fit(recipe: Recipe, cases: Cases, parts: Sequence[Part] = ()) -> ResponseModel:
    batch = cases.batch
    unfitted = FeatureTable.for_family(recipe.family, recipe.leave_out)
    table = unfitted.fit(batch)
    card = {"name": recipe.name, **(recipe.card or {})}
    evidence = recipe.evidence
    return fit_response(
        batch,
        cases.outcome,
        cases.patients.tolist(),
        table=RememberedTable(unfitted, table, parts) if parts else table,
        evidence=KnownEvidence(evidence, parts) if parts and evidence is not None else evidence,
        settings=recipe.settings,
        card=card,
        described=recipe.described and recipe.described.weighing(recipe.described_weight * batch.n),
        sites=None if cases.sites is None else cases.sites.tolist(),
    ).model


def fit_contenders(recipe: Recipe, pool: Pool) -> Contenders:
    """Fit the model and every rival on the cases of a pool."""
    return contenders_of(recipe, pool.cases)


def contenders_of(recipe: Recipe, cases: Cases, parts: Sequence[Part] = ()) -> Contenders:
    """Fit the model and every rival on the same cases.

    Parameters
    ----------
    parts
        Batches of which much is known already (:mod:`training.known`). The fitted model then holds on to them: it
        is for forecasts at once, not for keeping.
    """
    model = _fit(recipe, cases, parts)
    batch, y, names = cases.batch, cases.outcome, recipe.comparators
    fitted: list[Comparator] = [BaseRate.fit(y), HistologyBaseRate.fit(batch, y)]
    if "loris_recalibrated" in names:
        fitted.append(RecalibratedLoris.fit(batch, y))
    if "plain_logistic" in names:
        fitted.append(PlainLogistic.fit(model.table, batch, y))
    if "default_lightgbm" in names:
        fitted.append(DefaultLightGbm.fit(model.table, batch, y))
    by_name = {rival.name: rival for rival in (*fitted, *PUBLISHED)}
    rivals = tuple(by_name[name] for name in names if name in by_name)
    return Contenders(model, rivals, _on_loris_inputs(recipe, cases))


def _on_loris_inputs(recipe: Recipe, cases: Cases) -> ResponseModel | None:
    if LORIS_INPUTS not in recipe.comparators:
        return None
    linear = replace(recipe.settings.linear, on=True)
    settings = replace(
        recipe.settings, evidence=False, linear=linear, boosted=replace(recipe.settings.boosted, on=False)
    )
    without = tuple({*recipe.leave_out, *BESIDE_LORIS_INPUTS})
    narrow = replace(recipe, settings=settings, evidence=None, described=None, leave_out=without)
    return _fit(narrow, replace(cases, batch=only_loris_inputs(cases.batch)))
