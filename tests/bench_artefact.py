"""The fixed bench artefact: 300 trees of 7 leaves on 40 features, the whole equation; and cases to score with it.

Deterministic: synthetic cases of one seed, one thread. ``python -m tests.bench_artefact FOLDER`` writes the artefact
to ``FOLDER/artifact`` and promotes it to ``FOLDER/served-models`` for whoever measures the service.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from features.sources.published_arms import arms
from features.sources.synthetic import draw
from features.table import BUILDERS, FeatureTable
from models.artifact import load_artifact, save_artifact
from models.artifact_refusals import ArtifactRefusal
from models.evidence import EvidenceTerm
from models.pointer import promote
from models.response import ResponseModel
from models.response_fit import fit_response
from models.settings import BoostedSettings, LinearSettings, ResponseSettings

SEED = 20269
CASES = 4_000
"""Training cases of the artefact: enough that every tree grows its 7 leaves."""

SEEDS, TREES, LEAVES = 5, 60, 7
"""Five boosters of 60 trees of 7 leaves: 300 trees."""

KEPT = ("histology", "alterations", "tmb")
"""Builders of the 40 features: those whose inputs are the largest (histology, lists of findings, TMB)."""

LEFT_OUT = (
    "alterations_in_tissue",
    "mutational_burden_in_tissue",
    "mismatch_repair_in_tissue",
    "therapy_in_histology",
)
"""Builders that no experiment on patients uses (``experiments/checkpoint_loris.yaml`` says why)."""

NAME = "checkpoint-response"


BOOSTED = BoostedSettings(seeds=SEEDS, trees=TREES, leaves=LEAVES)


def fit_bench(
    cases: int = CASES, kept: tuple[str, ...] | None = KEPT, boosted: BoostedSettings = BOOSTED
) -> ResponseModel:
    """Fit the bench model; ``kept`` None keeps every builder that a model of patients has."""
    cohort = draw("checkpoint", cases, SEED)
    batch = cohort.batch()
    beside = () if kept is None else tuple(kind.name for kind in BUILDERS if kind.group not in kept)
    leave_out = (*LEFT_OUT, *beside)
    model = fit_response(
        batch,
        cohort.response,
        cohort.patient_ids,
        table=FeatureTable.for_family("checkpoint", leave_out).fit(batch),
        evidence=EvidenceTerm.fit([arm for arm in arms() if arm.family == "checkpoint"]),
        settings=ResponseSettings(
            linear=LinearSettings(penalties=(100.0,), tuned_groups=()),
            boosted=boosted,
            folds=3,  # fewer cannot be left out in pairs
        ),
        card={"name": NAME, "endpoint": "orr", "trained_on": cohort.provenance.cohort_id, "synthetic": True},
    ).model
    return replace(model, identity=replace(model.identity, name=NAME))


def write_bench(folder: Path, kept: tuple[str, ...] | None = KEPT) -> Path:
    """Write the artefact below a folder, promote it and return its own folder; only once, while it can be read."""
    artifact = folder / "artifact"
    try:
        load_artifact(artifact)
    except ArtifactRefusal:  # none yet, or of an earlier version
        shutil.rmtree(folder, ignore_errors=True)
        save_artifact(fit_bench(kept=kept), artifact)
        promote(artifact, folder / "served-models", NAME, "1")
    return artifact


if __name__ == "__main__":
    print(write_bench(Path(sys.argv[1])))
