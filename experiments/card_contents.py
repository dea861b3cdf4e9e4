"""The parts of the model card that only a finished run knows: population, features, performance, fairness, limits."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from features.regimens import regimen
from models.manifest import LIBRARIES
from training.judged import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from experiments.outputs import Material
    from models.response import ResponseModel
    from training.evaluate import Evaluation
    from training.further import FurtherTable
    from training.judged import Row
    from training.pool import Pool

SHOWN = ("auroc", "auroc_within_histology", "brier", "brier_skill", "citl", "slope", "ici")
"""Metrics of the card's performance tables."""

MOST_NAMED = 25
"""Histologies that the card counts by name."""

SUBGROUPS = "subgroup"
"""Word in the name of every further table that scores groups of patients."""

MISSING = {
    "indicator": "unknown is its own 0/1 column, never a value",
    "never": "always known: absent means none of it was recorded in the case",
}
"""Missing policies in words."""


def population(pool: Pool | None) -> dict[str, Any]:
    """Return whom the model was fitted on: counts by histology, therapy class and prior lines."""
    if pool is None:
        return {"cases": None, "note": "fitted on published arms: no single patients"}
    batch = pool.batch()
    classes = (regimen(key).therapy_class if key else "unknown" for key in batch.texts["therapy"].texts())
    lines = batch.numbers["prior_lines"]
    return {
        "cases": len(pool),
        "patients": len(set(pool.patients.tolist())),
        "responders": int(pool.outcome.sum()),
        "histologies": _counts(pool.histology.tolist()),
        "therapy_classes": _counts(classes),
        "prior_lines": _counts("unknown" if np.isnan(n) else str(int(n)) for n in lines.tolist()),
        "sex": _counts(text or "unknown" for text in batch.texts["patient.sex"].texts()),
        "race": _counts(text or "unknown" for text in batch.texts["patient.race"].texts()),
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    ordered = sorted(Counter(values).items(), key=lambda one: (-one[1], one[0]))
    rest = sum(n for _, n in ordered[MOST_NAMED:])
    return dict(ordered[:MOST_NAMED]) | ({f"{len(ordered) - MOST_NAMED} others": rest} if rest else {})


def feature_dictionary(model: ResponseModel) -> list[dict[str, Any]]:
    """Return every feature with its group, units, missing policy and the sign that biology gives it."""
    found = []
    for feature in model.table.features:
        columns = [model.table.columns[c] for c in feature.columns]
        own = [column for column in columns if not column.name.endswith("__missing")]
        first = own[0]
        found.append(
            {
                "feature": feature.name,
                "group": feature.group,
                "columns": len(columns),
                "units": sorted({column.unit for column in own}),
                "missing": MISSING[first.missing],
                "expected_sign": first.expected_sign,
                "sign_source": first.sign_source,
            }
        )
    return found


def performance(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return our model's rows in every scene with the metrics that matter; the losing ones too."""
    return [_row(row) for row in evaluation.rows if row.predictor == MODEL]


def _row(row: Row) -> dict[str, Any]:
    whole = row.to_dict()
    kept = {name: whole[name] for name in ("scene", "cohort", "n", "events", "abstained", "note")}
    return kept | {"metrics": {name: whole["metrics"][name] for name in SHOWN if name in whole["metrics"]}}


def subgroups(further: Sequence[FurtherTable]) -> list[dict[str, Any]]:
    """Return the further tables that score groups of patients."""
    return [table.to_dict() for table in further if SUBGROUPS in table.name]


def fairness(people: Mapping[str, Any], scored: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what is known about fairness, in sentences; what is not known is said."""
    race = people.get("race") or {}
    known = sum(n for name, n in race.items() if name != "unknown")
    said = [
        "Race is never an input of the estimate; sex and age are, as clinical measurements.",
        f"Race is recorded for {known} of the cases the model was fitted on."
        if known
        else "Race is not recorded for the cases the model was fitted on: fairness by race is not known.",
    ]
    groups = "Performance by sex, age, histology, MSI, prior lines and cohort is in the subgroup tables."
    none = "No subgroup was scored in this run: fairness is not known."
    return [*said, groups if scored else none, "No step of the fit equalises anything between groups."]


def limits(card: Mapping[str, Any], material: Material, evaluation: Evaluation) -> list[str]:
    """Return the limits of this model, each as a sentence that follows from the run."""
    found = ["The outcome is tumour response, not survival, benefit or harm; toxicity is not estimated."]
    if card.get("synthetic"):
        found.append("SYNTHETIC: fitted on invented cases. It says nothing about any patient.")
    if card.get("underpowered"):
        size = card["sample_size"]
        found.append(f"Underpowered: {size['cases']:.0f} cases where Riley's criteria ask for {size['needed']}.")
    if not material.external:
        found.append("Not evaluated on any external cohort in this run.")
    if {pool.outcome.size and _denominators(pool) for pool, _ in material.pools} - {("itt",)}:
        found.append("Denominators differ or are unknown between cohorts: patients without a scan may be missing.")
    for row in evaluation.rows:
        slope = row.value("slope")
        if row.predictor == MODEL and np.isfinite(slope) and not 0.8 <= slope <= 1.25:
            word = "too extreme" if slope < 1 else "too cautious"
            found.append(f"On {row.cohort} ({row.scene}) estimates are {word}: calibration slope {slope:.2f}.")
    return [*found, "Not a comparison of therapies: who received which therapy was not randomised in these cohorts."]


def _denominators(pool: Pool) -> tuple[str, ...]:
    return tuple(sorted({str(one.denominator) for one in pool.provenances}))


def versions(model: ResponseModel) -> dict[str, str]:
    """Return versions of what can move a number: vocabularies and libraries."""
    return {"vocabulary": str(model.card.get("vocabulary", "")), **{name: version(name) for name in LIBRARIES}}
