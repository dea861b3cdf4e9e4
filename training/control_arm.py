"""The control arm: patients who got another therapy, scored as if given ours. What ranks there too is prognosis.

Evaluation only: the therapy column of a batch is replaced here and nowhere else; no case that comes through a door can
be scored for a therapy it does not name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from features.batch import Coded
from features.regimens import regimen
from models.bootstrap import Estimate
from models.delong import Z_95, auroc_standard_error
from models.metrics import auroc
from models.metrics_calibration import log_odds
from training.further import FurtherTable
from training.interaction import arm_interaction
from training.judged import MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.batch import Batch
    from training.fit import Contenders
    from training.further import Cell
    from training.judged import FloatArray
    from training.pool import Pool

COLUMNS = (
    ("predictor", "predictor"),
    ("treated_n", "treated, events/n"),
    ("treated", "AUROC treated"),
    ("control_n", "control, events/n"),
    ("control", "AUROC control"),
    ("difference", "treated less control"),
    ("interaction", "arm x log-odds"),
    ("p_value", "p"),
)


def as_if_given(batch: Batch, regimen_key: str) -> Batch:
    """Return the batch with one therapy for every case; everything else stays as it was before the index date.

    Parameters
    ----------
    regimen_key
        Agents joined by ``+``, or ``class:`` and a class; see :func:`features.batch.regimen_key`.

    Raises
    ------
    UnknownAgent, UnknownTherapyClass
        When it names no therapy.
    """
    regimen(regimen_key)
    given = Coded(np.zeros(batch.n, dtype=np.int64), (regimen_key,))
    return replace(batch, texts={**batch.texts, "therapy": given})


def control_arm_table(
    contenders: Contenders, treated: Pool, control: Pool, regimen_key: str, name: str = "control_arm"
) -> FurtherTable:
    """Return, for every predictor, how it ranks either arm and whether it ranks the treated one better.

    Parameters
    ----------
    contenders
        Fitted without either arm, and without the arms of their trial as evidence.
    treated, control
        The two arms, with responses.
    regimen_key
        The therapy that both are scored for.
    """
    ours, theirs = (contenders.forecasts(as_if_given(arm.batch(), regimen_key))[0] for arm in (treated, control))
    rows = tuple(_row(who, ours[who], theirs[who], treated, control) for who in ours)
    names = treated.provenances[0].cohort_id, control.provenances[0].cohort_id
    notes = (
        f"Both arms scored as if given {regimen_key}, by a model that has seen neither. No bar.",
        "The interaction is per unit of log-odds (markers: per standard deviation); 0 is pure prognosis.",
    )
    return FurtherTable(name, f"Control arm: {names[0]} against {names[1]}", COLUMNS, rows, notes)


def _row(predictor: str, ours: FloatArray, theirs: FloatArray, treated: Pool, control: Pool) -> Mapping[str, Cell]:
    known = np.isfinite(ours), np.isfinite(theirs)
    y = treated.outcome[known[0]], control.outcome[known[1]]
    p = ours[known[0]], theirs[known[1]]
    counted: dict[str, Cell] = {
        "predictor": predictor,
        "treated_n": f"{y[0].sum():.0f}/{len(y[0])}",
        "control_n": f"{y[1].sum():.0f}/{len(y[1])}",
    }
    if min(y[0].sum(), y[1].sum(), len(y[0]) - y[0].sum(), len(y[1]) - y[1].sum()) < 2:
        return counted
    areas = [float(auroc(*arm)) for arm in zip(y, p, strict=True)]
    errors = [auroc_standard_error(*arm) for arm in zip(y, p, strict=True)]
    score = _score(predictor, np.concatenate(p))
    arm = np.repeat([1.0, 0.0], [len(y[0]), len(y[1])])
    found = arm_interaction(np.concatenate(y), arm, score)
    return {
        **counted,
        "treated": _area(areas[0], errors[0]),
        "control": _area(areas[1], errors[1]),
        "difference": _area(areas[0] - areas[1], float(np.hypot(errors[0], errors[1]))),
        "interaction": found.interaction,
        "p_value": found.p_value,
    }


def _area(value: float, error: float) -> Estimate:
    return Estimate(value, value - Z_95 * error, value + Z_95 * error)


def _score(predictor: str, values: FloatArray) -> FloatArray:
    """Return log-odds of what lies strictly in 0 to 1, else the marker in standard deviations."""
    if predictor == MODEL or (values.min() > 0 and values.max() < 1):
        return log_odds(values)
    spread = float(values.std())
    return np.asarray((values - values.mean()) / (spread if spread > 0 else 1.0))
