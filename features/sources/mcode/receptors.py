"""Receptors and single stains: HER2, oestrogen and progesterone receptor, ALK by FISH, as findings of the case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from features.sources.mcode.choosing import Candidate, choose
from features.sources.mcode.observations import absent
from features.sources.mcode.plain import number, value_of
from features.sources.mcode.results import presence, words_of

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.observations import Observed

_SCORE = re.compile(r"(?:.*[\s(])?([0-3])\s*(\+?)\)?|(?:ihc\s*)?([0-3])\s*(\+?)(?:[\s(].*)?", re.IGNORECASE)
_GENES = {
    "her2_ihc": ("ERBB2", "expression"),
    "her2_fish": ("ERBB2", "amplification"),
    "er": ("ESR1", "expression"),
    "pr": ("PGR", "expression"),
    "alk_fish": ("ALK", "fusion"),
}


def read_receptors(context: Context) -> list[dict[str, Any]]:
    """Return the findings of receptor tests, the latest of each."""
    found: list[dict[str, Any]] = []
    for topic, (gene, kind) in _GENES.items():
        offered = []
        for one in context.observed.get(topic, ()):
            finding = _finding(gene, kind, one)
            if finding is not None:
                offered.append(Candidate(finding, one.resource, f"{one.path}.value", one.when))
            elif absent(one.holder):
                context.notes.left(one.resource, one.path, "the value is said to be absent", one.code.shown)
            else:
                context.not_used("value_not_understood", "alterations", one, "the result is not understood")
        chosen = choose("alterations", offered, context.day, context.notes)
        if chosen is not None:
            found.append(chosen.value)
    return found


def _finding(gene: str, kind: str, one: Observed) -> dict[str, Any] | None:
    level = _score(one) if gene == "ERBB2" and kind == "expression" else ""
    if level:
        return {"gene": gene, "kind": kind, "level": level}
    said = presence(one.holder)
    if said not in {"present", "absent"}:
        return None
    if said == "absent":
        return {"gene": gene, "kind": kind, "status": "absent"}
    return {"gene": gene, "kind": kind, **({"level": "positive"} if kind == "expression" else {})}


def _score(one: Observed) -> str:
    """Return the HER2 score 0, 1+, 2+ or 3+, "" when none is written."""
    kind, value = value_of(one.holder)
    if kind == "Integer":
        score = number(value)
        written = f"{score:g}" if score in {0, 1, 2, 3} else ""
    else:
        hits = {hit[1] or hit[3] for words in words_of(one.holder) if (hit := _SCORE.fullmatch(words.strip()))}
        written = hits.pop() if len(hits) == 1 else ""
    return written if written in {"", "0"} else f"{written}+"
