"""Small models of both families, fitted once per test session on synthetic cases and promoted to a folder."""

from __future__ import annotations

from pathlib import Path

from features.sources.published_arms import arms
from features.sources.synthetic import draw
from features.table import FeatureTable
from models.artifact import save_artifact
from models.evidence import EvidenceTerm
from models.pointer import promote
from models.response import ResponseModel
from models.response_fit import fit_response
from models.settings import ResponseSettings

FAMILIES = ("checkpoint", "targeted")
SETTINGS = {"linear": {"penalties": [100.0]}, "boosted": {"on": True}}


def fit_small(family: str, cases: int = 500, seed: int = 7) -> ResponseModel:
    """Fit all three terms on a few synthetic cases: real enough to serve, quick enough for a test."""
    cohort = draw(family, cases, seed)
    batch = cohort.batch()
    fitted = fit_response(
        batch,
        cohort.response,
        cohort.patient_ids,
        table=FeatureTable.for_family(family).fit(batch),
        evidence=EvidenceTerm.fit([arm for arm in arms() if arm.family == family]),
        settings=ResponseSettings.from_mapping(SETTINGS),
        card={
            "name": f"{family}-response",
            "endpoint": "orr",
            "trained_on": cohort.provenance.cohort_id,
            "synthetic": True,
        },
    )
    return fitted.model


def promote_small(folder: Path) -> Path:
    """Fit, save and promote both families; return the folder that the service reads."""
    for family in FAMILIES:
        artifact = folder / "artifacts" / family
        save_artifact(fit_small(family), artifact)
        promote(artifact, folder / "served-models", f"{family}-response", "1")
    return folder / "served-models"
