"""What the fields about earlier treatment say against each other: shown as coded warnings, never settled silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.line_derivation import DERIVED, derived_lines, stated_lines

if TYPE_CHECKING:
    from features.batch import Batch
    from features.prior_history import History


def history_warnings(batch: Batch, history: History) -> list[str]:
    """Return the coded warnings of the one case of a batch.

    ``prior_lines_disagree``
        The number given is not the number that the list of prior therapies makes.
    ``prior_therapy_not_listed``
        Treatment before is said to have been given, and the list of prior therapies is empty.
    ``prior_lines_derived``
        The number was derived by rule and not given.
    """
    found = [_disagree(batch, history), _not_listed(batch, history), _derived(history)]
    return [warning for warning in found if warning]


def _disagree(batch: Batch, history: History) -> str:
    given = batch.numbers["prior_lines"][0]
    if np.isnan(given) or not batch.priors.row.size:
        return ""
    listed = stated_lines(batch.priors, history.listed, 1)[0]
    if np.isnan(listed):
        listed = derived_lines(batch.priors, history.listed, np.ones(1, dtype=np.bool_))[0]
    if np.isnan(listed) or listed == given:
        return ""
    return f"prior_lines_disagree: prior_lines is {given:g}, the listed therapies make {listed:g}; {given:g} is used"


def _not_listed(batch: Batch, history: History) -> str:
    if not batch.priors.recorded[0] or history.listed.systemic_of_case[0] or history.any_before[0] != 1:
        return ""
    return "prior_therapy_not_listed: therapy before is stated, yet prior_therapies holds no systemic regimen"


def _derived(history: History) -> str:
    if history.lines.source[0] != DERIVED or history.lines.number[0] == 0:
        return ""
    return f"prior_lines_derived: {history.lines.number[0]:g} lines were derived from the listed therapies"
