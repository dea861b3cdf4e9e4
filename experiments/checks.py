"""What the gate asks beside the judgement: do contributions add up, are the bytes of a refit the same, permutations."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.artifact import save_artifact
from models.manifest import json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.response import Answers, ResponseModel
    from training.evidence_check import LeaveFamilyOut
    from training.further import FurtherTable

PERMUTATIONS = "permutations"
"""Name of the further table with the null of the within-histology AUROC."""

ASIDE = ("card.json", "manifest.json")
"""Files of an artefact that say what the model is, not what it answers: a refit has no card yet."""


def checks_of(
    model: ResponseModel,
    answers: Answers,
    further: Sequence[FurtherTable] = (),
    refit: Callable[[], ResponseModel] | None = None,
    left_family_out: LeaveFamilyOut | None = None,
) -> dict[str, Any]:
    """Return JSON-ready findings of a run for the gate.

    Returns
    -------
    dict
        ``largest_gap`` between base + contributions and the log-odds; ``refit_differs`` (files of the artefact whose
        bytes a second fit on the same cases changes; None when it was not tried); ``permutations`` by cohort;
        ``left_family_out``, how the evidence foretold arms, for a family fitted on them.
    """
    scores = answers.scores
    gaps = np.abs(scores.base + scores.phi.sum(axis=1) - scores.log_odds)
    return {
        "largest_gap": float(gaps.max(initial=0.0)),
        "refit_differs": None if refit is None else differing_files(model, refit()),
        "permutations": _permutations(further),
        "left_family_out": None if left_family_out is None else left_family_out.summary(),
    }


def differing_files(one: ResponseModel, other: ResponseModel) -> list[str]:
    """Return the files of two models' artefacts that differ in a byte; the card aside."""
    with tempfile.TemporaryDirectory() as held:
        folders = [Path(held) / name for name in ("one", "other")]
        for model, folder in zip((one, other), folders, strict=True):
            save_artifact(model, folder)
        return [name for name in differing(*folders) if name not in ASIDE]


def differing(one: Path, other: Path) -> list[str]:
    """Return the files that differ between two folders, or are in one alone, sorted."""
    names = {path.relative_to(folder).as_posix() for folder in (one, other) for path in folder.rglob("*.*")}
    return sorted(name for name in names if _bytes(one / name) != _bytes(other / name))


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _permutations(further: Sequence[FurtherTable]) -> list[dict[str, Any]]:
    table = next((one for one in further if one.name == PERMUTATIONS), None)
    return [] if table is None else list(table.to_dict()["rows"])


def checks_bytes(checks: dict[str, Any]) -> bytes:
    """Return the checks as JSON, the same bytes for the same findings."""
    return json_bytes(checks)
