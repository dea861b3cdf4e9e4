"""Prior lines in words: what a person reads about each feature, and what was not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.contract import Shown
from features.last_regimen import RANK
from features.line_derivation import DERIVED, GIVEN, SOURCES
from features.prior_classes import FACTS
from features.regimens import regimen

if TYPE_CHECKING:
    from features.batch import Priors
    from features.prior_history import History

RULES = "rules of line derivation (features/line_derivation.py)"

_WORDS = {
    "checkpoint": ("prior_checkpoint", "prior checkpoint inhibitor"),
    "ctla4": ("prior_ctla4", "prior CTLA-4 inhibitor"),
    "targeted": ("prior_targeted", "prior targeted therapy"),
    "platinum": ("prior_platinum", "prior platinum chemotherapy"),
    "same_class": ("same_class_before", "prior drug of the same class"),
    "same_generation": ("same_generation_before", "prior drug of the same or a newer generation"),
}


def shown_history(priors: Priors, history: History) -> list[Shown]:
    """Return one :class:`Shown` per feature of one case, from its regimens and its history."""
    seen = _seen(priors)
    return [
        _any_before(history),
        _lines(history),
        *(_class(history, place, *_WORDS[fact], seen) for place, fact in enumerate(FACTS)),
        _last_response(history),
        _interval(history),
    ]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _flag(feature: str, value: float, words: str, why_unknown: str, sources: tuple[str, ...] = ()) -> Shown:
    if np.isnan(value):
        return Shown(feature, "prior_lines", None, "", f"{words} not known", sources, (why_unknown,))
    return Shown(feature, "prior_lines", bool(value), "", words if value else f"no {words}", sources)


def _any_before(history: History) -> Shown:
    why = "neither prior_systemic_therapy nor prior_lines nor prior_therapies is given"
    return _flag("prior_systemic_therapy", history.any_before[0], "prior systemic therapy", why)


def _lines(history: History) -> Shown:
    number, source = history.lines.number[0], int(history.lines.source[0])
    if np.isnan(number):
        why = "prior_lines is not given and cannot be derived from prior_therapies"
        return Shown("prior_lines", "prior_lines", None, "lines", "number of prior lines not known", (), (why,))
    how = "" if source == GIVEN or number == 0 else f" ({SOURCES[source]})"
    # Singular in every case: what a contribution does is said behind it ("... lowers the estimate").
    lines = {0: "no prior line", 1: "1 prior line"}.get(int(number), f"a history of {number:g} prior lines")
    text = f"{lines} of systemic therapy in the metastatic setting{how}"
    return Shown("prior_lines", "prior_lines", int(number), "lines", text, (RULES,) if source == DERIVED else ())


def _seen(priors: Priors) -> tuple[str, ...]:
    keys = sorted(priors.regimen.levels)
    return tuple(f"{key} is {regimen(key).therapy_class} (therapies.csv)" for key in keys)


def _class(history: History, place: int, feature: str, words: str, seen: tuple[str, ...]) -> Shown:
    why = "prior_therapies is not given, is shorter than the number of lines, or names a class only"
    return _flag(feature, history.classes[0, place], words, why, seen)


def _last_response(history: History) -> Shown:
    rank = _known(history.last.response_rank[0])
    if rank is not None:
        response = next(name for name, value in RANK.items() if value == rank)
        return Shown("last_response", "prior_lines", response, "", f"best response {response} to the last therapy")
    if history.any_before[0] == 0:
        return Shown("last_response", "prior_lines", "untreated", "", "no last therapy to respond to (untreated)")
    why = "the best response to the last regimen, or which regimen was last, is not recorded"
    return Shown("last_response", "prior_lines", None, "", "response to the last therapy not known", (), (why,))


def _interval(history: History) -> Shown:
    feature, days = "days_since_last_therapy", _known(history.last.days_since_end[0])
    if days is not None:
        value = int(days) if days.is_integer() else days
        text = f"{value} day{'' if value == 1 else 's'} since the last therapy"
        return Shown(feature, "prior_lines", value, "d", text)
    if history.any_before[0] == 0:
        return Shown(feature, "prior_lines", "untreated", "d", "no time since a last therapy (untreated)")
    why = "the end of the last regimen, or which regimen was last, is not recorded"
    return Shown(feature, "prior_lines", None, "d", "time since the last therapy not known", (), (why,))
