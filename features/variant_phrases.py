"""Phrases: what reports write in place of a notation, and the words they put around one.

``exon 19 deletion``, ``ex20ins``, ``METex14 skipping``; ``activating mutation``; ``V600E mutation``, ``exon 21 L858R``;
``V600E/K``; ``185delAG``. Only the words are told apart here; :mod:`features.variants` says what they mean.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.protein_change import VariantKind

_EXON = re.compile(
    r"(?:e|ex|exon)[\s._-]*(?P<exon>\d{1,3})[\s._-]*(?:in[\s-]?frame\s+)?"
    r"(?P<what>deletions?|dels?|insertions?|ins|skipping|skip|skipped|splice|duplications?|dup|indels?|delins"
    r"|mutations?|mutated|mutants?|mut)?",
    re.IGNORECASE,
)
_EXON_BACKWARDS = re.compile(r"(?P<what>del|ins)[\s._-]*(?:(?:e|ex|exon)[\s._-]*)?(?P<exon>19|20)", re.IGNORECASE)
_WHAT: tuple[tuple[str, VariantKind], ...] = (
    ("delins", "delins"), ("indel", "delins"), ("del", "inframe_deletion"), ("ins", "inframe_insertion"),
    ("skip", "splice"), ("splice", "splice"), ("dup", "duplication"),
)  # fmt: skip
GAINED: dict[str, int] = {"inframe_deletion": -1, "inframe_insertion": 1, "duplication": 1}
"""Residues gained, by sign, where a report says the kind of change and not its size."""

PHRASE_WORDS = {
    "inframe_deletion": "deletion",
    "inframe_insertion": "insertion",
    "splice": "skipping",
    "unknown": "mutation",
}
ONLY_MUTATED = frozenset(
    {"mutation", "mutations", "mutated", "mutant", "mut", "positive", "pathogenic", "variant", "yes", "alteration",
     "altered", "likely pathogenic", "activating", "sensitising", "sensitizing", "oncogenic", "hotspot", "driver",
     "deleterious", "kinase domain", "tyrosine kinase domain", "tkd"}
)  # fmt: skip
LOSS = frozenset({"loss", "loss of function", "loss-of-function", "lof", "inactivating", "truncating", "truncation"})
"""Words that say the product is lost, and not how: read as a truncation somewhere."""

_OF_AN_EXON = frozenset(
    {"deletion", "del", "in-frame deletion", "inframe deletion", "insertion", "ins", "in-frame insertion",
     "inframe insertion", "duplication", "dup", "indel", "skipping", "skipped", "skip", "exon skipping", "splice"}
)  # fmt: skip
"""What a report says of an exon whose number stands in a field of its own."""

_SAID_BESIDE = (
    re.compile(
        r"^(?:any|activating|pathogenic|deleterious|oncogenic|classical|common|somatic|germline)\s+(?P<rest>.+)$"
    ),
    re.compile(
        r"^(?P<rest>.+?)(?:[\s,_-]+(?:mutations?|mutated|mutants?|mut|substitutions?|variants?|alterations?|positive"
        r"|site)|(?<=\d)mut)$"
    ),
    re.compile(r"^\(?(?:exon|ex)\s*\d{1,3}\)?[\s:,-]+\(?(?P<rest>[A-Za-z]+\d.*?)\)?$"),
    re.compile(r"^(?P<rest>.*\d.*?)[\s,]+(?:in\s+)?\(?(?:exon|ex)\s*\d{1,3}\)?$"),
)
"""Words around a notation that add nothing to it: ``V600E mutation``, ``exon 21 L858R``, ``any exon 20 insertion``."""

ONE_OF_SEVERAL = re.compile(r"(?:p\.)?(?P<residue>[A-Z]\d+)[A-Z](?:(?:\s*/\s*|\s+or\s+)(?:(?P=residue))?[A-Z])+")
EITHER_COMMON = re.compile(r"(?=.*\b(?:ex(?:on)?\s*)?19)(?=.*L858R).+(?:/|\bor\b).+", re.IGNORECASE)
"""``ex19del/L858R``: one of the two common changes of EGFR, and not which; no more than that the gene is mutated."""

BREAST_CORE = re.compile(r"\d+(?:del|ins)(?P<bases>[ACGT]+|\d+)")
"""Names of the Breast Cancer Information Core for BRCA1 and BRCA2, counted in bases: ``185delAG``, ``5382insC``."""
NOT_A_CHANGE = frozenset({"wild-type", "wildtype", "wild type", "wt", "negative", "none", "not detected", "no"})


def exon_phrase(gene: str, text: str) -> re.Match[str] | None:
    """Return the phrase about an exon that a text is, with groups ``exon`` and ``what``; None when it is none.

    Examples
    --------
    >>> exon_phrase("EGFR", "ex19del")["exon"], exon_phrase("EGFR", "L858R")
    ('19', None)
    """
    folded = text.casefold()
    phrase = _EXON.fullmatch(text) or (_EXON_BACKWARDS.fullmatch(text) if gene in {"EGFR", "ERBB2"} else None)
    if phrase is None and gene == "EGFR" and re.fullmatch(r"(?:19|20)(?:del|ins)", folded):
        phrase = _EXON.fullmatch(f"exon{text}")
    if phrase is None and gene == "MET" and folded.startswith("14"):
        phrase = _EXON.fullmatch(f"exon{text}")
    return phrase


def kind_of_phrase(what: str) -> VariantKind:
    """Return the kind of change that the last word of a phrase says; ``unknown`` when it says none.

    Examples
    --------
    >>> kind_of_phrase("skipping"), kind_of_phrase("mutation")
    ('splice', 'unknown')
    """
    return next((kind for word, kind in _WHAT if what.casefold().startswith(word)), "unknown")


def without_words_around(text: str) -> str | None:
    """Return what is left of a text without the words around it; None when there are none.

    Examples
    --------
    >>> without_words_around("V600E mutation"), without_words_around("V600E")
    ('V600E', None)
    """
    found = next((hit for around in _SAID_BESIDE if (hit := around.fullmatch(text))), None)
    return found["rest"] if found is not None else None


def about_exon(exon: int, protein: str | None, classification: str | None) -> tuple[str | None, str | None]:
    """Return notation and classification, one that only says what befell the exon made a phrase about it.

    Examples
    --------
    >>> about_exon(19, None, "deletion"), about_exon(21, "L858R", None)
    (('exon 19 deletion', None), ('L858R', None))
    """
    for said, other in ((protein, classification), (classification, protein)):
        if said and said.strip().casefold() in _OF_AN_EXON and not (other and other.strip()):
            return f"exon {exon} {said.strip().casefold().removeprefix('exon ')}", None
    return protein, classification
