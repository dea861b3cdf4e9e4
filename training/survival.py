"""Patients of whom only survival is known, beside treated ones: a score that ranks both alike is prognosis.

Evaluation only: survival never trains anything, and both groups are scored as if given the same therapy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.bootstrap import Estimate, estimate, resample_counts
from training.concordance import concordance
from training.control_arm import as_if_given
from training.further import FurtherTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.cohort import Cohort
    from training.fit import Contenders
    from training.further import Cell
    from training.judged import FloatArray

C_RESAMPLES = 400
"""Resamples of a c-index: every one compares all pairs."""

FEWEST_DEATHS = 5
"""Deaths below which a group is counted and not scored, as for responses (design/protocol.md)."""

COLUMNS = (
    ("predictor", "predictor"),
    ("treated_n", "treated, deaths/n"),
    ("treated", "c-index treated"),
    ("control_n", "control, deaths/n"),
    ("control", "c-index control"),
    ("difference", "treated less control"),
)


def survival_table(
    contenders: Contenders, treated: Cohort, control: Cohort, regimen_key: str, *, seed: int = 0
) -> FurtherTable:
    """Return, for every predictor, how it ranks survival in either group.

    Parameters
    ----------
    contenders
        Fitted on neither group.
    treated, control
        Cohorts with overall survival; patients without it are left out and ``n`` says so.
    regimen_key
        The therapy that both are scored for.
    """
    groups = (treated, control)
    values = [contenders.forecasts(as_if_given(group.batch(), regimen_key))[0] for group in groups]
    rows = []
    for predictor in values[0]:
        ours, theirs = (_judged(groups[k], values[k][predictor], seed + k) for k in (0, 1))
        rows.append(_row(predictor, ours, theirs))
    names = treated.provenance.cohort_id, control.provenance.cohort_id
    note = f"Overall survival; both groups scored as if given {regimen_key}, by a model that has seen neither. No bar."
    return FurtherTable("survival", f"Survival: {names[0]} against {names[1]}", COLUMNS, tuple(rows), (note,))


def _judged(group: Cohort, score: FloatArray, seed: int) -> tuple[str, float, FloatArray]:
    """Return deaths of n, the c-index, and its resamples."""
    months, died = group.survival
    known = np.isfinite(months) & np.isfinite(died) & np.isfinite(score)
    months, died, score = months[known], died[known], score[known]
    counted = f"{died.sum():.0f}/{len(died)}"
    if died.sum() < FEWEST_DEATHS:
        return counted, float("nan"), np.full(C_RESAMPLES, np.nan)
    people = np.array(group.patient_ids)[known]
    blocks = resample_counts(people, np.zeros(len(people)), C_RESAMPLES, seed)
    drawn = np.concatenate([concordance(months, died, score, counts) for counts in blocks])
    return counted, concordance(months, died, score), drawn


def _row(
    predictor: str, ours: tuple[str, float, FloatArray], theirs: tuple[str, float, FloatArray]
) -> Mapping[str, Cell]:
    treated, control = estimate(ours[1], ours[2]), estimate(theirs[1], theirs[2])
    less: Estimate = estimate(ours[1] - theirs[1], ours[2] - theirs[2])
    return {
        "predictor": predictor,
        "treated_n": ours[0],
        "treated": treated,
        "control_n": theirs[0],
        "control": control,
        "difference": less,
    }
