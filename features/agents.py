"""Agents: from any spelling of a drug to its one name, and what the therapy vocabulary knows about it.

A spelling is folded (case, spaces, hyphens, accents) and looked up among names, synonyms and brands. If that fails,
what does not change the drug is taken away and it is looked up again: a dose (``trastuzumab deruxtecan 5.4 mg/kg``),
a dose word (``low-dose ipilimumab``), a salt (``imatinib mesylate``), a biosimilar suffix (``bevacizumab-awwb``), a
route (``amivantamab SC``).
What still does not resolve is refused with the nearest names; an agent is never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, cast

from features.errors import UnknownAgent, seen_text
from features.therapy_classes import ClassFacts, class_facts, classes, resolve_class
from features.vocabulary import cell_list, nearest, table

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Agent",
    "ClassFacts",
    "Mechanism",
    "agent",
    "agents",
    "class_facts",
    "classes",
    "resolve_agent",
    "resolve_class",
    "spellings",
]

Mechanism = Literal[
    "adc",
    "antibody",
    "bispecific",
    "car_t",
    "checkpoint",
    "chemotherapy",
    "cytokine",
    "endocrine",
    "fusion_protein",
    "immunomodulator",
    "radioligand",
    "small_molecule",
    "supportive",
    "vaccine",
]

_DOSE = re.compile(r"\s+\d+(\.\d+)?\s*((mg|mcg|ug|g)(/(kg|m2|day|d))?|iu|mk|auc)?(\s*(bid|qd|od|daily|q\d+w))?$")
_DOSE_WORD = re.compile(r"^(low|high|standard|full)[ -]dose\s+")
_SALT = re.compile(
    r"\s+(acetate|besylate|calcium|camsylate|citrate|dimaleate|dihydrochloride|ditosylate|fumarate|hcl|hydrochloride"
    r"|maleate|malate|mesylate|phosphate|sodium|succinate|sulfate|tartrate|tosylate)$"
)
_BIOSIMILAR = re.compile(r"-[a-z]{4}$")
_ROUTE = re.compile(r"\s+\(?(sc|iv|po|subcutaneous|intravenous|oral|injection|tablets?|capsules?)\)?$")
_NOT_THE_DRUG = (_DOSE, _DOSE_WORD, _SALT, _BIOSIMILAR, _ROUTE)


@dataclass(frozen=True, slots=True)
class Agent:
    """One row of ``therapies.csv``.

    Attributes
    ----------
    name
        International non-proprietary name, lower case.
    therapy_class
        Id of the one class the agent belongs to (``therapy_classes.csv``).
    targets
        What it acts on: HGNC symbols for genes (``ERBB2``), lower case otherwise (``platinum``, ``tubulin``).
    generation
        1, 2, 3 ... among agents of the same target; None where the word means nothing.
    needs
        Ids of driver classes, any one of which makes the agent a match (``driver_alterations.csv``); empty when it
        is not chosen by an alteration.
    allele_selective
        Whether it acts on the altered protein of the classes it needs and spares every other form of it: sotorasib
        binds the cysteine of KRAS G12C (PMID 31666701), so that KRAS G12D is no target of it.
    undone_by
        Ids of resistance classes that undo it, each with its source in ``undone_by_sources`` (same order).
    rxnorm
        RxNorm ingredient code, or "" where none was verified.
    consists_of
        The agents of a fixed combination or of a regimen that is called by one name (FOLFOX); empty for one drug.
    systemic
        Whether it counts as systemic anticancer therapy when lines are derived (supportive drugs do not).
    """

    name: str
    synonyms: tuple[str, ...]
    brands: tuple[str, ...]
    rxnorm: str
    therapy_class: str
    targets: tuple[str, ...]
    generation: int | None
    mechanism: Mechanism
    needs: tuple[str, ...]
    allele_selective: bool
    undone_by: tuple[str, ...]
    undone_by_sources: tuple[str, ...]
    consists_of: tuple[str, ...]
    systemic: bool
    source: str
    version: str


def folded(spelling: str) -> str:
    r"""Fold what never tells two drugs apart: case, accents, white space, and spaces around hyphens.

    Examples
    --------
    >>> folded("  Trastuzumab\u00a0 Deruxtecan ")
    'trastuzumab deruxtecan'
    """
    plain = unicodedata.normalize("NFKD", spelling)
    plain = "".join(mark for mark in plain if not unicodedata.combining(mark))
    plain = re.sub(r"[\u2010-\u2015\u2212]", "-", plain).casefold().replace("®", "").replace("™", "")
    return re.sub(r"\s*-\s*", "-", " ".join(plain.split()))


def _agent_of(row: Mapping[str, str]) -> Agent:
    undone = [part.partition("=") for part in cell_list(row["undone_by"])]
    return Agent(
        name=row["agent"],
        synonyms=cell_list(row["synonyms"]),
        brands=cell_list(row["brands"]),
        rxnorm=row["rxnorm"],
        therapy_class=row["therapy_class"],
        targets=cell_list(row["targets"]),
        generation=int(row["generation"]) if row["generation"] else None,
        mechanism=cast("Mechanism", row["mechanism"]),
        needs=cell_list(row["needs"]),
        allele_selective=row["allele_selective"] == "yes",
        undone_by=tuple(identity for identity, _, _ in undone),
        undone_by_sources=tuple(source for _, _, source in undone),
        consists_of=cell_list(row["consists_of"]),
        systemic=row["systemic"] == "yes",
        source=row["source"],
        version=row["version"],
    )


@lru_cache(maxsize=1)
def agents() -> Mapping[str, Agent]:
    """Return every agent by its name, in file order.

    Examples
    --------
    >>> agents()["pembrolizumab"].therapy_class
    'pd1_pdl1'
    """
    return {row["agent"]: _agent_of(row) for row in table("therapies")}


@lru_cache(maxsize=1)
def spellings() -> Mapping[str, str]:
    """Return every folded spelling (name, synonym, brand) with the agent's name."""
    found: dict[str, str] = {}
    for known in agents().values():
        for spelling in (known.name, *known.synonyms, *known.brands):
            found[folded(spelling)] = known.name
            found.setdefault(folded(spelling).replace("-", " "), known.name)
            found.setdefault(folded(spelling).replace("-", "").replace(" ", ""), known.name)
    return found


def _look_up(spelling: str) -> str | None:
    known = spellings()
    tries = (spelling, spelling.replace("-", " "), spelling.replace("-", "").replace(" ", ""))
    return next((known[form] for form in tries if form in known), None)


@lru_cache(maxsize=65_536)
def resolve_agent(spelling: str) -> str:
    """Return the name of the agent that a spelling stands for.

    Parameters
    ----------
    spelling
        Non-proprietary name, brand, development code, abbreviation; a dose, salt or biosimilar suffix may follow.

    Raises
    ------
    UnknownAgent
        With the nearest names, when no row of the vocabulary has the spelling.

    Examples
    --------
    >>> resolve_agent("Keytruda"), resolve_agent("MPDL3280A"), resolve_agent("nivolumab 3 mg/kg")
    ('pembrolizumab', 'atezolizumab', 'nivolumab')
    """
    form = folded(spelling)
    found = _look_up(form)
    while found is None:
        shorter = next((cut for cut in (part.sub("", form) for part in _NOT_THE_DRUG) if cut != form), None)
        if shorter is None:
            raise _unknown(spelling)
        form, found = shorter, _look_up(shorter)
    return found


def _unknown(spelling: str) -> UnknownAgent:
    close = dict.fromkeys(spellings()[hit] for hit in nearest(folded(spelling), spellings()))
    return UnknownAgent(
        f"{seen_text(spelling)} is not an agent of the therapy vocabulary",
        allowed=close or sorted(agents()),
        nearest=bool(close),
        way_out="Give the non-proprietary name, or `class` when the agent is not recorded.",
    )


def agent(name: str) -> Agent:
    """Return the vocabulary row of an agent, by any of its spellings. See :func:`resolve_agent`."""
    return agents()[resolve_agent(name)]
