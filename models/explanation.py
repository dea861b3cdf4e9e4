"""Explanation: contributions of one answer in words that a clinician reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.contract import GROUPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.contract import Shown
    from models.response import Answers

SMALLEST_SAID = 0.01
"""Contributions below this many log-odds (0.25 percentage points at most) are said to leave the estimate as it is."""

SMALLEST_SIGN_WARNING = 0.10
"""A column that goes against biology is warned about from this many log-odds on (2.5 percentage points at most)."""

MOST_PARTS = 6
"""Parts of the evidence that an answer shows; the rest is summed as ``other``."""


def direction(log_odds: float) -> str:
    """Return what a contribution does to the estimate.

    Examples
    --------
    >>> direction(0.21), direction(-0.004)
    ('raises the estimate', 'leaves the estimate as it is')
    """
    if abs(log_odds) < SMALLEST_SAID:
        return "leaves the estimate as it is"
    return "raises the estimate" if log_odds > 0 else "lowers the estimate"


def sentence(words: str, log_odds: float) -> str:
    """Return what a contribution does as one sentence; what the words add behind a semicolon goes to its end.

    Examples
    --------
    >>> sentence("TMB 12.3 mut/Mb; kept on its own scale", 0.21)
    'TMB 12.3 mut/Mb raises the estimate (kept on its own scale)'
    """
    if "; " not in words:
        return f"{words} {direction(log_odds)}"
    first, _, more = words.partition("; ")
    return f"{first} {direction(log_odds)} ({more})"


def contributions_of(answers: Answers, row: int, shown: Mapping[str, Shown]) -> list[dict[str, Any]]:
    """Return the contributions of one case, the largest first; they sum to log_odds - base_log_odds exactly.

    Every feature of the model is there, those that contribute nothing as well. ``declared_sign`` stands where biology
    declares one: 1 says that a higher value raises the estimate, -1 that it lowers it.
    """
    model, phi = answers.model, answers.scores.phi[row].tolist()
    found = [
        _contribution(name, group, value, shown.get(name), model.declared_signs.get(name))
        for name, group, value in zip(model.feature_names, model.feature_groups, phi, strict=True)
    ]
    if model.terms.evidence_weight is not None:
        found[0]["parts"] = evidence_parts(answers, row)
    return sorted(found, key=lambda one: -abs(one["log_odds"]))


def _contribution(
    name: str, group: str, log_odds: float, shown: Shown | None, declared_sign: int | None
) -> dict[str, Any]:
    if shown is None:
        words = "published evidence" if group == "evidence" else name.replace("_", " ")
        value, unit = None, ""
    else:
        words, value, unit = shown.text, shown.value, shown.unit
    found: dict[str, Any] = {
        "feature": name,
        "group": group,
        "value": value,
        "unit": unit,
        "log_odds": log_odds,
        "text": sentence(words, log_odds),
    }
    if declared_sign is not None:
        found["declared_sign"] = declared_sign
    if shown is not None and shown.sources:
        found["sources"] = list(shown.sources)
    if shown is not None and shown.unknown:
        found["unknown"] = list(shown.unknown)
    return found


def evidence_parts(answers: Answers, row: int) -> list[dict[str, Any]]:
    """Return the parts of the evidence's contribution, the largest first; they sum to it."""
    evidence = answers.inputs.evidence
    if evidence is None:
        return []
    values = answers.scores.parts[row].tolist()
    ranked = sorted(zip(evidence.part_names, values, strict=True), key=lambda part: -abs(part[1]))
    parts = [{"part": name, "log_odds": value} for name, value in ranked[:MOST_PARTS]]
    if len(ranked) > MOST_PARTS:
        parts.append({"part": "other", "log_odds": sum(value for _, value in ranked[MOST_PARTS:])})
    return parts


def groups_of(answers: Answers, row: int) -> dict[str, float]:
    """Return the contribution of each of the eight groups, 0 for a group without features."""
    sums: dict[str, float] = dict.fromkeys(GROUPS, 0.0)
    for group, value in zip(answers.model.feature_groups, answers.scores.phi[row].tolist(), strict=True):
        sums[group] += value
    return sums


def against_biology(answers: Answers, row: int) -> list[str]:
    """Return the features of one case whose linear coefficient has the sign that biology denies, and that matter.

    Boosters are monotone in the declared sign and cannot disagree, unless an experiment says ``monotone: false``.
    """
    places = answers.model.against_biology
    if not places.size:
        return []
    matters = answers.against_biology[row]
    if not matters.any():
        return []
    columns = answers.model.table.columns
    return list(dict.fromkeys(columns[place].feature for place in places[matters].tolist()))
