"""The demo's earlier model: a pilot fitted on few SYNTHETIC cases, so that the pages have two versions to compare.

It is stored beside the promoted models, where replay looks for artefacts, and nothing points to it: it is not served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from features.sources.published_arms import arms
from features.sources.synthetic import draw
from features.table import FeatureTable
from models.artifact import load_artifact, save_artifact
from models.evidence import EvidenceTerm
from models.manifest import MANIFEST, digest_of
from models.response_fit import fit_response
from models.settings import ResponseSettings

if TYPE_CHECKING:
    from pathlib import Path

    from models.response import ResponseModel

FAMILY: Final = "checkpoint"
CASES = 240
"""Few on purpose: a small fit has signs that biology does not, which is what auditors look for."""
SEED = 404
VERSION = "0"
WITHOUT = (
    "alterations_in_tissue",
    "mutational_burden_in_tissue",
    "mismatch_repair_in_tissue",
    "therapy_in_histology",
)
"""A pilot has one column for the burden of all tissues, which the walk of docs/audit-walkthrough.md looks at."""
SETTINGS = {"linear": {"penalties": [10.0], "tuned_groups": []}, "boosted": {"on": False}}
"""A weak penalty, as a hasty pilot would have."""


def pilot(folder: Path) -> ResponseModel:
    """Return the pilot of a folder of promoted models; it is fitted and stored when it is not there.

    Parameters
    ----------
    folder
        The promoted models; ``<name>-0`` is made in it.
    """
    name = f"{FAMILY}-response"
    target = folder / f"{name}-{VERSION}"
    if not (target / MANIFEST).is_file():
        save_artifact(_fitted(name), target)
    return load_artifact(target, digest=digest_of((target / MANIFEST).read_bytes()), version=VERSION)


def _fitted(name: str) -> ResponseModel:
    cohort = draw(FAMILY, CASES, SEED)
    batch = cohort.batch()
    fitted = fit_response(
        batch,
        cohort.response,
        cohort.patient_ids,
        table=FeatureTable.for_family(FAMILY, leave_out=WITHOUT).fit(batch),
        evidence=EvidenceTerm.fit([arm for arm in arms() if arm.family == FAMILY]),
        settings=ResponseSettings.from_mapping(SETTINGS),
        card={
            "name": name,
            "endpoint": "orr",
            "trained_on": cohort.provenance.cohort_id,
            "synthetic": True,
            "underpowered": True,
        },
    )
    return fitted.model
