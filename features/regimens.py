"""Regimens: what follows from a set of agents (or from a class, where the agents are not recorded).

Everything is a function of the regimen key (:func:`features.batch.regimen_key`), computed once per distinct key and
cached: builders ask per level, never per case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from features.agents import Agent, agent, agents, resolve_agent
from features.batch import regimen_key
from features.errors import UnknownAgent, UnknownTherapyClass
from features.therapy_classes import (
    ClassFacts,
    Family,
    class_facts,
    classes,
    combined,
    in_order,
    resolve_class,
    resolve_class_for_arm,
)
from features.vocabulary import table

if TYPE_CHECKING:
    from collections.abc import Iterable

CLASS_PREFIX = "class:"
"""Marks a regimen key that names a class instead of agents."""

NOT_A_TREATMENT = "supportive"
"""Class of agents that are given beside a treatment (folinic acid, granulocyte factors); it adds no part."""


NO_DRUG = frozenset({"placebo", "best supportive care", "observation"})
"""Printed in arms of trials beside or instead of drugs; never an agent of a case."""


@dataclass(frozen=True, slots=True)
class RegimenFacts:
    """What the vocabularies know about one regimen.

    Attributes
    ----------
    key
        The regimen key it was asked by.
    agents
        Names, sorted; empty when only the class is recorded.
    therapy_class
        Class id of the whole: ``pd1_pdl1``, ``braf+mek``, ``pd1_pdl1+chemotherapy``.
    parts
        The single classes of the regimen, in order.
    family
        ``checkpoint``, ``targeted``, ``mixed`` or ``other``; see :class:`features.therapy_classes.ClassFacts`.
    targets
        What is acted on by any agent: HGNC symbols for genes, lower case otherwise. For a class, of any drug of it.
    mechanisms
        Of all agents; empty when only the class is recorded.
    generation
        The highest generation among the agents that have one; None when none has, or only the class is recorded.
    combination
        More than one agent, or more than one class.
    needs, undone_by
        Ids of driver and resistance classes of any of the agents, sorted; a resistance that another agent of the
        regimen meets is left out. For a class: what every agent of it with any such id shares.
    selective
        Targets that are reached in the needed alleles only, by every agent (of the class) that acts on them.
    basket
        A class of published arms that stands for unlike drugs; never in a case.
    systemic
        False only when every agent is supportive.
    """

    key: str
    agents: tuple[str, ...]
    therapy_class: str
    parts: tuple[str, ...]
    family: Family
    targets: frozenset[str]
    mechanisms: frozenset[str]
    generation: int | None
    combination: bool
    needs: tuple[str, ...]
    undone_by: tuple[str, ...]
    selective: frozenset[str]
    basket: bool
    systemic: bool


@lru_cache(maxsize=16_384)
def regimen(key: str) -> RegimenFacts:
    """Return the facts of a regimen by its key.

    Parameters
    ----------
    key
        Agents joined by ``+`` in any order and spelling, or ``class:`` and a class id.

    Raises
    ------
    UnknownAgent, UnknownTherapyClass
        When a name does not resolve.

    Examples
    --------
    >>> regimen("dabrafenib+trametinib").therapy_class, regimen("class:pd1_pdl1").family
    ('braf+mek', 'checkpoint')
    >>> regimen("carboplatin+pembrolizumab+pemetrexed").therapy_class
    'pd1_pdl1+chemotherapy'
    """
    if key.startswith(CLASS_PREFIX):
        return _of_class(key, class_facts(resolve_class_or_basket(key.removeprefix(CLASS_PREFIX))))
    return _of_agents(key, _single_agents(key.split("+")))


def _single_agents(spellings: Iterable[str]) -> list[Agent]:
    """Return the single agents by name, fixed combinations and named regimens taken apart."""
    named = [agent(spelling) for spelling in spellings]
    names = {name for one in named for name in one.consists_of or (one.name,)}
    return [agents()[name] for name in sorted(names)]


def resolve_class_or_basket(name: str) -> str:
    """Return the class id; a basket of published arms passes by its exact id only."""
    known = classes().get(name)
    return name if known is not None and known.basket else resolve_class(name)


def _of_agents(key: str, known: list[Agent]) -> RegimenFacts:
    treating = [one for one in known if one.therapy_class != NOT_A_TREATMENT] or known
    parts = in_order(part for one in treating for part in class_facts(one.therapy_class).parts)
    whole = class_facts(combined(parts))
    undone = {found for one in treating for found in one.undone_by if not _met(found, one, treating)}
    generations = [one.generation for one in treating if one.generation is not None]
    return RegimenFacts(
        key=key,
        agents=tuple(one.name for one in known),
        therapy_class=whole.name,
        parts=parts,
        family=whole.family,
        targets=frozenset(target for one in treating for target in one.targets),
        mechanisms=frozenset(one.mechanism for one in treating),
        generation=max(generations, default=None),
        combination=len(treating) > 1 or len(parts) > 1,
        needs=tuple(sorted({identity for one in treating for identity in one.needs})),
        undone_by=tuple(sorted(undone)),
        selective=_selective(treating),
        basket=False,
        systemic=any(one.systemic for one in known),
    )


def _selective(known: list[Agent]) -> frozenset[str]:
    spared = {target for one in known if one.allele_selective for target in one.targets}
    return frozenset(spared - {target for one in known if not one.allele_selective for target in one.targets})


def _met(resistance: str, undone: Agent, treating: list[Agent]) -> bool:
    """Tell whether another agent of the regimen meets what undoes one of them.

    It does when it needs that very alteration (osimertinib and T790M), or acts on the gene of a bypass: encorafenib on
    BRAF V600E, which undoes cetuximab alone.
    """
    gene = _genes_of_drivers().get(resistance, "")
    others = [one for one in treating if resistance not in one.undone_by]
    bypass = gene not in undone.targets
    return any(resistance in one.needs or (bypass and gene in one.targets) for one in others)


@lru_cache(maxsize=1)
def _genes_of_drivers() -> dict[str, str]:
    return {row["id"]: row["gene"] for row in table("driver_alterations")}


def _of_class(key: str, whole: ClassFacts) -> RegimenFacts:
    needs = frozenset(found for part in whole.parts for found in _shared(part, "needs"))
    undone = {
        found
        for part in whole.parts
        for found in _shared(part, "undone_by") - needs
        if not _bypassed(found, part, whole)
    }
    return RegimenFacts(
        key=key,
        agents=(),
        therapy_class=whole.name,
        parts=whole.parts,
        family=whole.family,
        targets=whole.targets,
        mechanisms=frozenset(),
        generation=None,
        combination=len(whole.parts) > 1,
        needs=tuple(sorted(needs)),
        undone_by=tuple(sorted(undone)),
        selective=_selective([one for one in agents().values() if one.therapy_class in whole.parts]),
        basket=whole.basket,
        systemic=NOT_A_TREATMENT not in whole.parts,
    )


def _bypassed(resistance: str, undone: str, whole: ClassFacts) -> bool:
    """Tell whether another class of a combination acts on the gene by which one is bypassed; see :func:`_met`."""
    gene = _genes_of_drivers().get(resistance, "")
    others = [classes()[part].targets for part in whole.parts if part != undone]
    return gene not in classes()[undone].targets and any(gene in targets for targets in others)


def _shared(part: str, field: str) -> frozenset[str]:
    """Return the ids that all agents of a class share, among those agents that have any."""
    found = [frozenset(getattr(one, field)) for one in agents().values() if one.therapy_class == part]
    stated = [ids for ids in found if ids]
    return frozenset.intersection(*stated) if stated else frozenset()


def printed_regimen(printed: str) -> str:
    """Return the regimen key of a therapy as a trial report prints it.

    A class, also a basket of unlike drugs; agents joined by ``+`` with doses; ``placebo`` beside a drug is passed
    over; ``A or B`` of one class is that class; a mark such as ``(control)`` is no part of the name.

    Raises
    ------
    UnknownAgent, UnknownTherapyClass
        When a part resolves neither as an agent nor as a class.

    Examples
    --------
    >>> printed_regimen("nivolumab 3+ipilimumab 1"), printed_regimen("placebo+fulvestrant (control)")
    ('ipilimumab+nivolumab', 'fulvestrant')
    >>> printed_regimen("dabrafenib or vemurafenib"), printed_regimen("any ICI")
    ('class:braf', 'class:checkpoint_unspecified')
    """
    name = re.sub(r"\s*\([^)]*\)\s*$", "", printed.strip())
    try:
        return regimen_key([resolve_agent(part) for part in name.split("+") if part.strip() not in NO_DRUG], None)
    except UnknownAgent:
        if " or " in name:
            return regimen_key(None, _one_class(name.split(" or ")))
        return regimen_key(None, resolve_class_for_arm(name))


def _one_class(printed: list[str]) -> str:
    found = {regimen(printed_regimen(part)).therapy_class for part in printed}
    if len(found) > 1:
        raise UnknownTherapyClass(f"{' or '.join(printed)} are of different classes: {', '.join(sorted(found))}")
    return found.pop()
