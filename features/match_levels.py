"""Match levels: how strong the evidence is for a class of therapy in an alteration class, by histology.

Rows of ``match_levels.csv``. A row for the regimen as a whole (``braf+egfr``) beats rows for its parts, so that what a
part does alone (a BRAF inhibitor in colorectal cancer) is not held against the combination.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from features.regimens import regimen
from features.vocabulary import cell_list, table

Level = Literal["label", "trial", "other_histology", "none", "refuted"]
LEVEL_SCORE: dict[Level, float] = {"label": 3.0, "trial": 2.0, "other_histology": 1.0, "none": 0.0, "refuted": 0.0}
"""Ordinal strength of a match: a label or a trial in this histology, evidence in another only, none or against."""


@lru_cache(maxsize=65_536)
def level_of(key: str, class_ids: tuple[str, ...], lineage: tuple[str, ...]) -> tuple[Level, str]:
    """Return the strength of a match in a histology and its source.

    Parameters
    ----------
    key
        Regimen key.
    class_ids
        Classes of the matching finding, broader ones included.
    lineage
        OncoTree codes of the case, from its own code upwards.
    """
    facts = regimen(key)
    rows = [one for one in _levels() if one[1] in class_ids and one[0] in {facts.therapy_class, *facts.parts}]
    whole = [one for one in rows if one[0] == facts.therapy_class]
    here = [one for one in whole if _covers(one[2], lineage)] or [one for one in rows if _covers(one[2], lineage)]
    if here:
        best = min(here, key=lambda one: ("label", "trial", "refuted").index(one[3]))
        return best[3], best[4]
    elsewhere = [one for one in rows if one[3] != "refuted"]
    return ("other_histology", elsewhere[0][4]) if elsewhere else ("none", "")


def _covers(histologies: tuple[str, ...], lineage: tuple[str, ...]) -> bool:
    return "ANY" in histologies or any(code in histologies for code in lineage)


@lru_cache(maxsize=1)
def _levels() -> tuple[tuple[str, str, tuple[str, ...], Level, str], ...]:
    return tuple(
        (one["therapy_class"], one["alteration"], cell_list(one["histologies"]), one["level"], one["source"])  # type: ignore[misc]  # a data test holds the words to Level
        for one in table("match_levels")
    )
