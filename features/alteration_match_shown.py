"""How the match of a therapy with the findings of a case is shown to a person."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from features.alteration_columns import MATCH, PLACE
from features.contract import Shown
from features.driver_classes import row as class_row
from features.matching import judge, needs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from features.finding_levels import LevelFacts
    from features.matching import Match, Verdict

MOST_NAMED = 3
"""Genes or findings a text names; the rest are left to the sources."""

_STATES: dict[str, tuple[str | None, str]] = {
    "matched": ("altered", "target altered"),
    "wrong_class": ("altered in another class", "target altered, but in another class"),
    "unmatched": ("wild-type", "target wild-type"),
    "not_detected": ("not detected in blood", "target not detected in blood"),
    "untested": (None, "target not tested"),
    "not_applicable": ("not applicable", "therapy not chosen by an alteration"),
}
"""By status: the value and the words."""

_WHY = {
    "not_detected": "a negative in blood is not wild-type",
    "untested": "whether the target is altered decides most for a targeted drug",
}

_LEVELS = {
    "label": ("label", "match on a label in this histology"),
    "trial": ("trial", "match on a trial in this histology"),
    "other_histology": ("other histology", "match with evidence in other histologies only"),
    "none": ("none", "no match with evidence"),
    "refuted": ("refuted", "match refuted in this histology"),
}


def shown_match(key: str, facts: Sequence[LevelFacts], found: Match, numbers: Sequence[float]) -> tuple[Shown, ...]:
    """Return the match, resistance, level of evidence and clonality of one case.

    Parameters
    ----------
    key
        Regimen key.
    facts
        Of the case's findings.
    numbers
        All columns of the case.
    """
    level, text = _LEVELS[found.level]
    sources = found.sources if found.level != "none" else ()
    return (
        _state(key, facts, found),
        _resistance(key, facts, found, numbers[PLACE["resistance_present"]]),
        Shown("match_evidence_level", "alterations", level, "", text, sources),
        _clonality(numbers[PLACE["match_clonality"]]),
    )


def _state(key: str, facts: Sequence[LevelFacts], found: Match) -> Shown:
    value, text = _STATES[found.status]
    if found.status == "matched":
        names = _findings(key, facts, lambda verdict: bool(verdict.matches))
    elif found.status == "wrong_class":
        names = _findings(key, facts, lambda verdict: verdict.wrong_class)
    else:
        names = [gene for gene, _ in needs_of(key).by_gene]
    behind = f" ({', '.join(names[:MOST_NAMED])})" if names else ""
    why = _WHY.get(found.status)
    return Shown(MATCH, "alterations", value, "", text + behind, found.sources, (why,) if why else ())


def _findings(key: str, facts: Sequence[LevelFacts], meant: Callable[[Verdict], bool]) -> list[str]:
    """Return the findings that mean something for a regimen: ``EGFR L858R``."""
    readings = [fact.reading for fact in facts if fact.status == "present"]
    return sorted({f"{one.gene} {one.text}" for one in readings if meant(judge(one, key))})


def _resistance(key: str, facts: Sequence[LevelFacts], found: Match, value: float) -> Shown:
    feature = "resistance_present"
    if math.isnan(value):
        why = "no list of findings was given, or blood without a sign of tumour DNA"
        return Shown(feature, "alterations", None, "", "resistance alteration not known", (), (why,))
    if not value:
        return Shown(feature, "alterations", False, "", "no resistance alteration found")
    names = ", ".join(_findings(key, facts, lambda verdict: bool(verdict.undoes))[:MOST_NAMED])
    sources = tuple(f"{one} ({class_row(one).source})" for one in found.resistance_ids)
    return Shown(feature, "alterations", True, "", f"resistance alteration ({names})", sources)


def _clonality(value: float) -> Shown:
    feature = "match_clonality"
    if math.isnan(value):
        why = "there is no matched finding with a cell or allele fraction"
        return Shown(feature, "alterations", None, "%", "clonality of the matched alteration not known", (), (why,))
    percent = round(100 * value)
    return Shown(feature, "alterations", percent, "%", f"clonality of the matched alteration {percent}%")
