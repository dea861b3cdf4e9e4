"""(d) Training against as many bare fits on the ready matrix; counted while ours runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import lightgbm
import numpy as np
from sklearn.linear_model import LogisticRegression

from features.sources.published_arms import arms
from features.sources.synthetic import draw
from features.table import BUILDERS, FeatureTable
from models import boosted_fit, ridge_path
from models.boosted_fit import parameters
from models.evidence import EvidenceTerm
from models.response_fit import fit_response
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from tests.bench.timing import Figure, in_turns
from tests.bench_artefact import KEPT
from tests.bench_artefact import LEFT_OUT as NEVER_ON_PATIENTS
from training import distributed_parts as parts
from training.distributed import Recipe, train

SETTINGS = ResponseSettings(
    linear=LinearSettings(penalties=(30.0, 100.0, 300.0), tuned_groups=()),
    boosted=BoostedSettings(seeds=5, trees=25),
)
CARD = {"name": "bench", "endpoint": "orr", "trained_on": "synthetic", "synthetic": True}
LEFT_OUT = tuple(sorted({*NEVER_ON_PATIENTS, *(kind.name for kind in BUILDERS if kind.group not in KEPT)}))
"""Builders that the bench artefact does without."""


def evidence() -> EvidenceTerm:
    """The evidence of the checkpoint family."""
    return EvidenceTerm.fit([arm for arm in arms() if arm.family == "checkpoint"])


def fit_once(n: int) -> None:
    """One whole fit on so many synthetic cases, folds and all."""
    cohort = draw("checkpoint", n, 33)
    batch = cohort.batch()
    table = FeatureTable.for_family("checkpoint", NEVER_ON_PATIENTS).fit(batch)
    y, patients = cohort.response, cohort.patient_ids
    fit_response(batch, y, patients, table=table, evidence=evidence(), settings=SETTINGS, card=CARD)


def train_once(cases: str, outcomes: str) -> None:
    """Train on the Parquet files of two folders with two Dask workers of this machine."""
    files = [parts.files_at(place) for place in (cases, outcomes)]
    settings = replace(SETTINGS, boosted=BoostedSettings(seeds=1, trees=25), folds=3)
    train(parts.partitions_of(*files), Recipe("checkpoint", settings, evidence(), CARD, LEFT_OUT), workers=2)


def figures(n: int = 2_000, rounds: int = 2) -> list[Figure]:
    """How much of a fit is the bare fits themselves: 1 would be no work beside them."""
    cohort = draw("checkpoint", n, 31)
    batch, y = cohort.batch(), cohort.response
    table, told = FeatureTable.for_family("checkpoint", NEVER_ON_PATIENTS).fit(batch), evidence()

    def ours() -> None:
        fit_response(batch, y, cohort.patient_ids, table=table, evidence=told, settings=SETTINGS, card=CARD)

    ridges, boosters = _counted(ours)
    matrix = np.nan_to_num(table.matrix(batch))
    wanted = parameters(SETTINGS.boosted, table.columns, n, 1)
    rows = np.arange(n) % 5 != 0  # what a fold leaves

    def bare() -> None:
        for _ in range(ridges):
            LogisticRegression(C=0.01, solver="newton-cholesky").fit(matrix[rows], y[rows])
        for _ in range(boosters):
            data = lightgbm.Dataset(matrix[rows], label=y[rows], params=wanted)
            lightgbm.train(wanted, data, num_boost_round=SETTINGS.boosted.trees)

    s = in_turns({"ours": (ours, n), "bare": (bare, n)}, rounds)
    words = f"{ridges} ridge fits and {boosters} boosters on {n:,} cases: ours against bare scikit-learn and LightGBM"
    return [Figure("d training", words, s["bare"] / s["ours"])]


def _counted(work: Any) -> tuple[int, int]:
    """Run once, and count the ridge fits and the boosters it makes."""
    with (
        patch.object(ridge_path.RidgePath, "fit", autospec=True, side_effect=ridge_path.RidgePath.fit) as ridge,
        patch.object(boosted_fit, "fit_boosters", wraps=boosted_fit.fit_boosters),
        patch.object(lightgbm, "train", wraps=lightgbm.train) as train,
    ):
        work()
    return ridge.call_count + 1, train.call_count
