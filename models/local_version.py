"""A model updated on a hospital's own outcomes: another model, whose card says what it was before and after.

The calibration alone changes (:mod:`models.recalibration`), so ranks stay and contributions still add up. It is stored
as an artefact of its own, with a digest of its own; what answered before stays what it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from models.calibration import CannotCalibrate
from models.recalibration import Update, update
from models.settings import CalibrationSettings

if TYPE_CHECKING:
    from features.batch import Batch
    from models.inputs import FloatArray
    from models.response import ResponseModel

UPDATES = "local_updates"
"""Entry of the card: one account for each update, the first one first."""


def updated_on(
    model: ResponseModel, batch: Batch, y: FloatArray, where: str, settings: CalibrationSettings | None = None
) -> tuple[ResponseModel, Update]:
    """Return the model updated on local outcomes, without a version or digest yet, and what the update did.

    Parameters
    ----------
    model
        As it is served.
    batch
        Local cases whose outcome is known. Those that the model abstains on were never answered: they are left out,
        and the card counts them.
    y
        Shape (n,): 1 objective response, 0 none.
    where
        What the outcomes are called in the card, such as the id of their cohort.
    settings
        Whether the slope is updated as well; :class:`models.settings.CalibrationSettings` when not given.

    Raises
    ------
    CannotCalibrate
        When an outcome is neither 0 nor 1, or no case was answered.
    """
    if len(y) != batch.n or not np.isin(y, (0.0, 1.0)).all():
        way_out = "Leave cases without an outcome out; one outcome for each case."
        raise CannotCalibrate(f"{len(y)} outcomes of {batch.n} cases are not all 0 or 1", record=where, way_out=way_out)
    answers = model.answers(batch)
    answered = answers.answered
    if not answered.any():
        raise CannotCalibrate(f"none of {batch.n} cases is answered by {model.identity.name}", record=where)
    done = update(model.calibration, answers.scores.log_odds[answered], y[answered], settings or CalibrationSettings())
    account = {**account_of(done, where), "abstained": int((~answered).sum()), "of": model.identity.digest}
    card = {**model.card, UPDATES: [*model.card.get(UPDATES, []), account]}
    return replace(model.recalibrated(done.after), card=card), done


def account_of(done: Update, where: str) -> dict[str, Any]:
    """Return what an update did, JSON-ready: the calibration and how it fits the local outcomes, before and after."""
    sides = {
        "before": (done.before, done.citl_before, done.log_loss_before),
        "after": (done.after, done.citl_after, done.log_loss_after),
    }
    found: dict[str, Any] = {
        "outcomes_of": where,
        "outcomes": int(done.after.cases),
        "responders": int(done.after.events),
        "method": done.after.method,
    }
    for side, (pair, citl, loss) in sides.items():
        found[side] = {"a": pair.a, "b": pair.b, "citl": citl, "log_loss": loss}
    return found
