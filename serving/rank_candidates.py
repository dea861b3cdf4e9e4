"""Which therapies are ranked when the caller names none.

Candidates are (a) every regimen of a published arm, by its agents or by its class, and (b) every single agent that is
sold somewhere (a brand in ``therapies.csv``); of both, those of a family that a served model judges. Baskets of unlike
drugs and supportive drugs are no therapy of one patient and are left out. An agent in development without an arm of its
own is answered when the caller names it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from features.agents import agents
from features.batch import regimen_key
from features.case import Regimen
from features.regimens import regimen
from features.therapy_classes import classes
from features.vocabulary import table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def key_of(therapy: Regimen) -> str:
    """Return the regimen key of a therapy."""
    return regimen_key(therapy.agents, therapy.regimen_class)


@lru_cache(maxsize=1)
def candidates() -> Mapping[str, Regimen]:
    """Return every candidate by its regimen key, whatever its family.

    Examples
    --------
    >>> {"pembrolizumab", "cetuximab+encorafenib", "class:pd1_pdl1"} <= set(candidates())
    True
    >>> "class:matched_targeted" in candidates() or "placebo" in candidates()
    False
    """
    of_arms = dict.fromkeys(row["case_therapy"] for row in table("published_arms"))
    sold = (one.name for one in agents().values() if one.brands)
    known = (regimen(key) for key in (*of_arms, *sold))
    found = [
        Regimen.model_validate({"agents": facts.agents} if facts.agents else {"class": facts.therapy_class})
        for facts in known
        if not facts.basket and facts.systemic
    ]
    return {key_of(therapy): therapy for therapy in found}


def judged(families: Collection[str], judged_by: Mapping[str, str]) -> list[Regimen]:
    """Return the candidates whose family one of the served models judges.

    Parameters
    ----------
    families
        Of the served models.
    judged_by
        Family of a regimen to the family of the model that judges it, where they differ.
    """
    return [
        therapy
        for key, therapy in candidates().items()
        if judged_by.get(regimen(key).family, regimen(key).family) in families
    ]


def not_judged(families: Collection[str], judged_by: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the single therapy classes that no served model judges, by id and name: chemotherapy, endocrine ..."""
    return [
        {"therapy_class": one.name, "name": one.title}
        for one in classes().values()
        if not one.basket and len(one.parts) == 1 and judged_by.get(one.family, one.family) not in families
    ]
