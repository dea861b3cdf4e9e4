"""Fusions: the two genes of a rearrangement from its common spellings.

``EML4::ALK`` (HGNC), ``EML4-ALK``, ``ALK-EML4``, ``EML4/ALK``, ``ALK fusion``, ``ALK rearrangement``, and so on.
The order of partners differs between reports, so the gene of a fusion is the one that drives
(``driver_alterations.csv``) and the other is its partner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from features import genes
from features.errors import UnknownGene, UnreadableAlteration, seen_text
from features.vocabulary import table

INTRAGENIC = "intragenic"
WAY_OUT = "Write the two genes as EML4::ALK, or one gene and `partner`, or only the gene of `ALK fusion`."

_WORD = re.compile(
    r"[\s,_-]*\b(?:gene\s+)?(?:fusions?|fused|rearrange(?:ments?|d)|translocat(?:ions?|ed)|positive|structural variant"
    r"|sv|inversion|transcript|variant\s*\w*)\b\s*",
    re.IGNORECASE,
)
_EXONS = re.compile(r"\((?:e|ex|exon)?\s*\d+[a-z]?\)|\b[ev]\d+[ab]?\b(?=\s*[;,:-]?\s*)|;\s*[ea]\d+.*$", re.IGNORECASE)
_ANY_GENE = frozenset(
    ("", "unknown", "other", "?", "fusion", "rearrangement", "na", "n/a", "intergenic", "yes", "positive")
)
_INTRAGENIC = re.compile(r"\b(intragenic|intra-genic|internal|kinase domain duplication|kdd)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fusion:
    """A rearrangement: the gene that drives, and its partner.

    ``partner`` is None when it is not known; ``intragenic`` is a rearrangement within the gene.
    """

    gene: str
    partner: str | None = None
    intragenic: bool = False

    @property
    def text(self) -> str:
        """Return the canonical spelling: ``EML4::ALK``, ``ALK fusion``, ``MET intragenic``."""
        if self.intragenic:
            return f"{self.gene} {INTRAGENIC}"
        return f"{self.partner}::{self.gene}" if self.partner else f"{self.gene} fusion"


@lru_cache(maxsize=1)
def driving_genes() -> frozenset[str]:
    """Return the genes for which the vocabulary has a fusion rule."""
    return frozenset(row["gene"] for row in table("driver_alterations") if "fusion" in row["rule"])


@lru_cache(maxsize=65_536)
def read_fusion(gene: str, partner: str | None = None) -> Fusion:
    """Read the gene and the partner of one rearrangement, in any order.

    Parameters
    ----------
    gene
        Symbol of one of the genes.
    partner
        The other gene, the whole fusion in any spelling, or None when it is not known.

    Raises
    ------
    UnreadableAlteration
        When the partner is no gene, or names a fusion without this gene.

    Examples
    --------
    >>> read_fusion("ALK", "EML4").text, read_fusion("EML4", "ALK").text, read_fusion("ALK", "ALK-EML4").text
    ('EML4::ALK', 'EML4::ALK', 'EML4::ALK')
    >>> read_fusion("MET", "intragenic").intragenic
    True
    """
    text = (partner or "").strip()
    if _INTRAGENIC.search(text):
        return Fusion(gene, None, intragenic=True)
    named = _genes_in(text, gene)
    others = [symbol for symbol in named if symbol != gene]
    if len(named) > 1 and not others:
        return Fusion(gene, None, intragenic=True)
    if len(named) == 1 and not others and _bare(text) == gene:
        return Fusion(gene)
    if len(others) > 1:
        raise UnreadableAlteration(f"{seen_text(partner)} names a fusion without {gene}", way_out=WAY_OUT)
    return _ordered(gene, others[0] if others else None)


def _ordered(gene: str, partner: str | None) -> Fusion:
    driving = driving_genes()
    if partner is not None and gene not in driving and partner in driving:
        return Fusion(partner, gene)
    return Fusion(gene, partner)


def _bare(text: str) -> str:
    return _WORD.sub(" ", _EXONS.sub("", text)).strip(" -_:/")


def _genes_in(text: str, gene: str) -> tuple[str, ...]:
    bare = _bare(text)
    if bare.casefold() in _ANY_GENE:
        return ()
    if "::" in bare or "/" in bare or "--" in bare:
        return tuple(_symbol(part, text) for part in re.split(r"::|--|/", bare) if part.strip())
    cuts = [i for i, letter in enumerate(bare) if letter in "-\u2013\u2014_:" and 0 < i < len(bare) - 1]
    for cut in cuts:
        pair = (_symbol(bare[:cut], text), _symbol(bare[cut + 1 :], text))
        if gene in pair:
            return pair
    whole = _symbol(bare, text) if not cuts or genes.row(_symbol(bare, text)) else None
    if whole is not None:
        return (whole,)
    cut = cuts[0]
    return (_symbol(bare[:cut], text), _symbol(bare[cut + 1 :], text))


def _symbol(part: str, text: str) -> str:
    try:
        return genes.resolve(part.strip())
    except UnknownGene:
        raise UnreadableAlteration(f"{seen_text(text)} is not a fusion that can be read", way_out=WAY_OUT) from None


@lru_cache(maxsize=65_536)
def read_fusion_text(text: str) -> Fusion:
    """Read a fusion written as one text, without knowing either gene.

    Examples
    --------
    >>> read_fusion_text("ALK rearrangement").text, read_fusion_text("KIF5B-RET fusion").text
    ('ALK fusion', 'KIF5B::RET')
    """
    intragenic = bool(_INTRAGENIC.search(text))
    bare = _bare(_INTRAGENIC.sub("", text)).strip(" -_")
    named = _genes_in(bare, "")
    if not named:
        raise UnreadableAlteration(f"{seen_text(text)} names no gene", way_out=WAY_OUT)
    if intragenic or (len(named) == 2 and named[0] == named[1]):
        return Fusion(named[0], None, intragenic=True)
    return _ordered(named[0], named[1] if len(named) > 1 else None)
