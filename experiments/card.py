"""The model card as data: what the model is, what it was trained on, how it did, and what it is not for.

No clock, run id or path lies in it: the same fit gives the same bytes.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from experiments import card_contents
from models.intended_use import INTENDED_USE, NO_RECOMMENDATION
from training.judged import MODEL
from training.sample_size import minimum_sample_size
from training.tripod import answered_items

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from experiments.config import Experiment
    from experiments.outputs import Material
    from features.provenance import Provenance
    from models.response import ResponseModel
    from training.evaluate import Evaluation
    from training.further import FurtherTable
    from training.pool import Pool

NOT_FOR = (
    "diagnosis or treatment decisions",
    "choosing between therapies by their numbers alone: toxicity is not estimated",
    "therapies, histologies and specimens outside the training cases (the model abstains)",
)
"""What the card says the model is not for."""


USERS = (
    "data scientists who develop and judge response models",
    "analysts and clinicians in research who study why an estimate is what it is",
)
"""Whom the card names as primary users."""

MAINTENANCE = (
    "Calibration is checked on fed-back outcomes before local use; an intercept-only update needs about 20 outcomes.",
    "A new version is trained by an experiment file, judged by the gate, given an alias; old ones stay runnable.",
)
"""How the model is kept, as the card says it."""


def card_of(experiment: Experiment, pool: Pool, dropped: Sequence[str], evaluation: Evaluation) -> dict[str, Any]:
    """Return the card of a model fitted on patients.

    Parameters
    ----------
    experiment, pool
        What was asked, and the cases it was fitted on.
    dropped
        Trial families whose arms were left out of the evidence.
    evaluation
        Rows of the development resampling.
    """
    trained_on = ", ".join(p.cohort_id for p in pool.provenances)
    return {
        **_common(experiment),
        "trained_on": trained_on,
        "cohorts": [_cohort(p, h) for p, h in zip(pool.provenances, pool.hashes, strict=True)],
        "without_outcome": dict(pool.without_outcome),
        "arms_left_out_of_evidence": list(dropped),
        "resampled": [row.to_dict() for row in evaluation.rows if row.predictor == MODEL],
    }


def arms_card(experiment: Experiment, arms: int, families: int, evaluation: Evaluation) -> dict[str, Any]:
    """Return the card of a model fitted on published arms alone."""
    return {
        **_common(experiment),
        "trained_on": f"{arms} published arms of {families} trial families",
        "cohorts": [],
        "resampled": [row.to_dict() for row in evaluation.rows if row.predictor == MODEL],
    }


def completed_card(
    model: ResponseModel,
    experiment: Experiment,
    material: Material,
    evaluation: Evaluation,
    further: Sequence[FurtherTable] = (),
) -> dict[str, Any]:
    """Return the card with what only the finished run knows, TRIPOD+AI items last.

    Parameters
    ----------
    model
        With the card it was fitted under.
    evaluation, further
        Of development and external cohorts; subgroup tables among the further ones.
    """
    people, scored = card_contents.population(material.pool), card_contents.subgroups(further)
    card: dict[str, Any] = {
        **model.card,
        "population": people,
        "data_sheet": [_sheet(p, h, role) for pool, role in material.pools for p, h in _cohorts(pool)],
        "features": card_contents.feature_dictionary(model),
        "performance": card_contents.performance(evaluation),
        "comparators": list(experiment.evaluation.comparators),
        "resampling": asdict(experiment.resampling),
        "subgroups": scored,
        "fairness": card_contents.fairness(people, scored),
        "limits": card_contents.limits(model.card, material, evaluation),
        "versions": card_contents.versions(model),
        "users": list(USERS),
        "maintenance": list(MAINTENANCE),
    }
    return {**card, "tripod_ai": answered_items(card)}


def _cohorts(pool: Pool) -> list[tuple[Provenance, str]]:
    return list(zip(pool.provenances, pool.hashes, strict=True))


def _sheet(provenance: Provenance, content_hash: str, role: str) -> dict[str, Any]:
    return {"role": role, **_cohort(provenance, content_hash)}


def _common(experiment: Experiment) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "family": experiment.family,
        "endpoint": experiment.question.endpoint,
        "question": asdict(experiment.question),
        "synthetic": experiment.synthetic,
        "intended_use": INTENDED_USE,
        "no_recommendation": NO_RECOMMENDATION,
        "not_for": list(NOT_FOR),
    }


def _cohort(provenance: Provenance, content_hash: str) -> dict[str, Any]:
    shown = ("cohort_id", "title", "source", "url", "licence", "assay", "endpoint", "denominator", "synthetic")
    return {name: getattr(provenance, name) for name in shown} | {"content_hash": content_hash}


def adequacy(fit: Mapping[str, Any]) -> dict[str, Any]:
    """Return sample-size adequacy of a fit, from its account (cases, responders, effective parameters).

    Examples
    --------
    >>> adequacy({"cases": 100.0, "responders": 29.0, "effective_parameters": 10.0})["underpowered"]
    True
    """
    cases, responders = float(fit["cases"]), float(fit["responders"])
    parameters = float(fit.get("effective_parameters") or 1.0)
    needed = minimum_sample_size(responders / cases, parameters)
    return {
        "sample_size": {"cases": cases, "needed": needed.needed, "effective_parameters": parameters, **asdict(needed)},
        "underpowered": cases < needed.needed,
    }
