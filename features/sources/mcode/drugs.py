"""Drugs: from RxNorm codes, clinical drugs and written names to agents of the therapy vocabulary.

``gefitinib 250 MG Oral Tablet`` is gefitinib; ``10 ML pembrolizumab 25 MG/ML Injection [Keytruda]`` is pembrolizumab;
``nivolumab + ipilimumab`` is two agents. A code and a name that are two drugs are a conflict, never settled here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from features.agents import agents, resolve_agent
from features.errors import UnknownAgent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.sources.mcode.systems import Concept

_BRAND = re.compile(r"\[([^\]]+)\]")
_BEFORE = re.compile(r"^(?:\d+(?:\.\d+)?\s*(?:ml|hr|mg|l|actuat)\s+)+", re.IGNORECASE)
_STRENGTH = re.compile(r"\s+\d[\d.,]*\s*(?:mg|mcg|ug|g|ml|unt|meq|%|\[iu\]|iu|mmol)\b.*$", re.IGNORECASE)
_FORM = re.compile(
    r"\s+(?:delayed release |extended release |film[ -]coated |powder for |solution for |concentrate for )*"
    r"(?:oral|injectable|injection|infusion|tablets?|capsules?|solution|suspension|powder|prefilled|subcutaneous"
    r"|intravenous|iv|sc|po|inj)\b.*$",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\s*(?:\+|/|;|\bplus\b|\band\b|\bwith\b|\bund\b|,)\s*", re.IGNORECASE)
_ANTINEOPLASTIC_ATC = ("L01", "L02")


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug as named: the agents that count, and what code and name say apart."""

    agents: tuple[str, ...] = ()
    by_code: tuple[str, ...] = ()
    by_name: tuple[str, ...] = ()

    @property
    def disputed(self) -> bool:
        """Return whether code and name are two drugs."""
        return bool(self.by_code and self.by_name and set(self.by_code) != set(self.by_name))


@lru_cache(maxsize=1)
def _by_rxnorm() -> Mapping[str, str]:
    return {known.rxnorm: known.name for known in agents().values() if known.rxnorm}


@lru_cache(maxsize=8192)
def drug_of(concept: Concept) -> Drug:
    """Return the agents that a medication is; none when neither code nor name is of the vocabulary.

    Examples
    --------
    >>> from features.sources.mcode.systems import Coding, Concept
    >>> drug_of(Concept((Coding("rxnorm", "349472", "gefitinib 250 MG Oral Tablet"),))).agents
    ('gefitinib',)
    >>> drug_of(Concept((Coding("rxnorm", "1547545", "nivolumab"),))).disputed
    True
    """
    coded = {_by_rxnorm()[code] for code in concept.codes("rxnorm") if code in _by_rxnorm()}
    by_code = tuple(sorted(coded)) if len(coded) == 1 else ()
    names = [found for words in concept.words if (found := agents_of(words))]
    distinct = {tuple(sorted(found)) for found in names}
    by_name = min(distinct, key=lambda found: (-len(found), found)) if distinct else ()
    if len(distinct) > 1 and any(not set(other) <= set(by_name) for other in distinct):
        return Drug((), by_code or by_name, tuple(sorted({one for found in distinct for one in found})))
    if len(coded) > 1:
        return Drug((), tuple(sorted(coded)), by_name or ("?",))
    drug = Drug(by_name or by_code, by_code, by_name)
    return Drug((), by_code, by_name) if drug.disputed else drug


def antineoplastic(concept: Concept) -> bool:
    """Return whether a code says that an unknown drug treats cancer (ATC L01, L02)."""
    return any(code.startswith(_ANTINEOPLASTIC_ATC) for code in concept.codes("atc"))


@lru_cache(maxsize=8192)
def agents_of(words: str) -> tuple[str, ...]:
    """Return the agents of a written drug or regimen, () when any part is not known.

    Examples
    --------
    >>> agents_of("10 ML pembrolizumab 25 MG/ML Injection [Keytruda]"), agents_of("nivolumab + ipilimumab")
    (('pembrolizumab',), ('nivolumab', 'ipilimumab'))
    >>> agents_of("Amoxicillin 120 MG/ML")
    ()
    """
    whole = _agent(words)
    if whole:
        return (whole,)
    parts = [part for part in _JOINED.split(_BRAND.sub("", words)) if part.strip()]
    found = [_agent(part) for part in parts]
    if len(parts) > 1 and all(found):
        return tuple(dict.fromkeys(found))
    brand = _BRAND.search(words)
    return (_resolved(brand[1]),) if brand and _resolved(brand[1]) else ()


def _agent(words: str) -> str:
    bare = _BEFORE.sub("", _BRAND.sub("", words)).strip()
    for form in (bare, _STRENGTH.sub("", bare), _FORM.sub("", _STRENGTH.sub("", bare))):
        if found := _resolved(form.strip()):
            return found
    return ""


@lru_cache(maxsize=8192)
def _resolved(name: str) -> str:
    try:
        return resolve_agent(name) if name else ""
    except UnknownAgent:
        return ""
