"""What the fields about earlier treatment say against each other: shown as coded warnings, never settled silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.line_derivation import DERIVED, derived_lines, stated_lines

if TYPE_CHECKING:
    from features.batch import Priors
    from features.prior_history import History


def history_warnings(given: float, priors: Priors, history: History) -> list[str]:
    """Return the coded warnings of one case, from its ``prior_lines`` (NaN unknown), its regimens and its history.

    ``prior_lines_disagree``
        The number given is not the number that the list of prior therapies makes.
    ``prior_therapy_not_listed``
        Treatment before is said to have been given, and the list of prior therapies is empty.
    ``prior_lines_derived``
        The number was derived by rule and not given.
    """
    found = [_disagree(given, priors, history), _not_listed(priors, history), _derived(history)]
    return [warning for warning in found if warning]


def _disagree(given: float, priors: Priors, history: History) -> str:
    if np.isnan(given) or not priors.row.size:
        return ""
    listed = stated_lines(priors, history.listed, 1)[0]
    if np.isnan(listed):
        listed = derived_lines(priors, history.listed, np.ones(1, dtype=np.bool_))[0]
    if np.isnan(listed) or listed == given:
        return ""
    return f"prior_lines_disagree: prior_lines is {given:g}, the listed therapies make {listed:g}; {given:g} is used"


def _not_listed(priors: Priors, history: History) -> str:
    if not priors.recorded[0] or history.listed.systemic_of_case[0] or history.any_before[0] != 1:
        return ""
    return "prior_therapy_not_listed: therapy before is stated, yet prior_therapies holds no systemic regimen"


def _derived(history: History) -> str:
    if history.lines.source[0] != DERIVED or history.lines.number[0] == 0:
        return ""
    return f"prior_lines_derived: {history.lines.number[0]:g} lines were derived from the listed therapies"
