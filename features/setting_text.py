"""A learned level of a therapy's setting in words: ``osimertinib in LUNG for EGFR_EXON19_DELETION`` for people."""

from __future__ import annotations

import re
from functools import lru_cache

from features import histology
from features.regimens import regimen
from features.therapy_classes import class_facts
from features.vocabulary import table

_LEVEL = re.compile(
    r"(?P<key>.*?)(?: in (?P<tissue>[A-Z][A-Z0-9_]*))?"
    r"(?: for (?P<matched>[A-Z0-9_]+|no known match))?(?P<again> after the same target)?(?P<undone> undone)?"
)


@lru_cache(maxsize=4096)
def setting_text(level: str) -> str:
    """Return a level of :func:`features.therapy_interactions.levels_of` in words.

    Examples
    --------
    >>> setting_text("osimertinib in LUNG for EGFR_EXON19_DELETION after the same target")
    'osimertinib in lung for EGFR exon 19 deletion after the same target'
    >>> setting_text("cetuximab+encorafenib undone"), setting_text("class:egfr")
    ('cetuximab + encorafenib, undone by a finding', 'EGFR tyrosine kinase inhibitor')
    """
    parts = _LEVEL.fullmatch(level)
    if parts is None:
        return level
    tissue, matched = parts["tissue"], parts["matched"]
    return "".join(
        [
            _therapy(parts["key"]),
            f" in {histology.row(tissue).name.lower()}" if tissue else "",
            f" for {_alteration(matched)}" if matched else "",
            parts["again"] or "",
            ", undone by a finding" if parts["undone"] else "",
        ]
    )


def _therapy(key: str) -> str:
    found = regimen(key)
    return " + ".join(found.agents) or class_facts(found.therapy_class).title


def _alteration(code: str) -> str:
    return _titles().get(code, code)


@lru_cache(maxsize=1)
def _titles() -> dict[str, str]:
    return {row["id"]: row["alteration_class"] for row in table("driver_alterations")}
