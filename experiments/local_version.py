"""``oncorespond update``: a promoted model updated on a cohort of local outcomes, promoted as a version of its own."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cohort_loading import CohortDisagrees, find_cohort
from experiments.promotion import DEMO, SyntheticChampion, place_of
from models.artifact import save_artifact
from models.local_version import account_of, updated_on
from models.pointer import CHALLENGERS, load_promoted, models_folder
from models.pointer import promote as point
from training.pool import Pool
from training.tracking import CHALLENGER, CHAMPION

if TYPE_CHECKING:
    from features.cohort import Cohort
    from models.pointer import Pointer
    from models.recalibration import Update
    from models.response import ResponseModel

SYNTHETIC_CASES = 200
"""Cases drawn of an embedded synthetic cohort that is not on disk."""


@dataclass(frozen=True)
class Updated:
    """Where the new version is, what it was made of, and what the update did on the local outcomes."""

    pointer: Pointer
    cohort_id: str
    before_version: str
    update: Update


def update_promoted(
    name: str, cohort: str, version: str, *, alias: str = CHALLENGER, models: Path | None = None
) -> Updated:
    """Update a promoted model on a cohort's outcomes and promote the result.

    The gate is not asked: it judged the model that this one is of, and the update moves its level (with 100 responders
    and 100 others its slope) and nothing else.

    Parameters
    ----------
    name
        Of a promoted model.
    cohort
        Id or folder; its endpoint is the model's. Cases without an outcome and cases that the model abstains on are
        left out.
    version
        Of the new model, such as ``3-our-site``.
    alias
        ``challenger`` answers in shadow; ``champion`` replaces the model that is served.
    models
        The folder of promoted models, ``$ORP_MODELS`` or ``./served-models`` when not given.

    Raises
    ------
    NothingPromoted, CohortNotFound, CohortDisagrees, CannotPool, CannotCalibrate, UnknownAlias, SyntheticChampion,
    PromotionRefused
    """
    home = models_folder(models)
    target = place_of(alias, home if alias != CHALLENGER else home / CHALLENGERS)
    model = load_promoted(home, name)
    if model.card.get("synthetic") and alias == CHAMPION and DEMO not in home.absolute().parts:
        raise SyntheticChampion("is trained on synthetic cases", record=name, way_out="Leave --alias challenger.")
    found = find_cohort(cohort, SYNTHETIC_CASES)
    _refuse_unlike(found, model)
    pool = Pool.of([found])
    updated, done = updated_on(model, pool.batch(), pool.outcome, found.provenance.cohort_id)
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held) / "artefact"
        save_artifact(updated, folder)
        pointer = point(folder, target, name, version, alias)
    return Updated(pointer, found.provenance.cohort_id, model.identity.version, done)


def _refuse_unlike(cohort: Cohort, model: ResponseModel) -> None:
    ours, theirs = model.card, cohort.provenance
    if theirs.endpoint != ours.get("endpoint"):
        seen = (
            f"records {theirs.endpoint} and the model is of {ours.get('endpoint')}; kinds of response are never pooled"
        )
        raise CohortDisagrees(seen, record=theirs.cohort_id, field="endpoint")
    if theirs.synthetic != bool(ours.get("synthetic")):
        kinds = ("synthetic", "real") if theirs.synthetic else ("real", "synthetic")
        seen = f"is {kinds[0]} and the model was trained on {kinds[1]} cases; they are never mixed"
        raise CohortDisagrees(seen, record=theirs.cohort_id, field="synthetic")


def updated_json(done: Updated) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    account = account_of(done.update, done.cohort_id)
    return {"pointer": asdict(done.pointer), "before_version": done.before_version, "update": account}


def in_words(done: Updated) -> list[str]:
    """Return the lines that the command prints."""
    found, pointer = done.update, done.pointer
    what = "slope and level" if found.after.method == "affine" else "level"
    told = f"{found.after.cases:g} outcomes of {done.cohort_id}, {found.after.events:g} responders"
    return [
        f"{told}: {what} updated",
        f"calibration in the large  {found.citl_before:+.3f} before, {found.citl_after:+.3f} after",
        f"log loss                  {found.log_loss_before:.3f} before, {found.log_loss_after:.3f} after",
        "Both are on the outcomes that it learned from; judge it on later ones.",
        f"{pointer.name} version {pointer.version}, of version {done.before_version}, is now {pointer.alias}"
        f" ({pointer.digest})",
    ]
