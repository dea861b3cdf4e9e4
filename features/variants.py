"""Variants: one reading of a mutation from whatever a report gives: protein, cDNA, classification, exon.

The protein notation counts first, then the cDNA, then the classification (``Variant_Classification`` of a MAF, a
Sequence Ontology term); each fills what the one before leaves open. Nothing is guessed: what cannot be read is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from features.cdna_notation import CodingChange, read_cdna
from features.errors import UnreadableAlteration, seen_text
from features.protein_change import ProteinChange, VariantKind
from features.protein_notation import read_protein
from features.remembered import MOST_FINDINGS
from features.variant_classification import kind_of_classification
from features.variant_phrases import (
    BREAST_CORE,
    EITHER_COMMON,
    GAINED,
    LOSS,
    NOT_A_CHANGE,
    ONE_OF_SEVERAL,
    ONLY_MUTATED,
    PHRASE_WORDS,
    about_exon,
    exon_phrase,
    kind_of_phrase,
    without_words_around,
)

if TYPE_CHECKING:
    import re

__all__ = ["CHANGES_PROTEIN", "TRUNCATING", "Variant", "VariantKind", "kind_of_classification", "read_variant"]

TRUNCATING: frozenset[VariantKind] = frozenset({"nonsense", "frameshift", "splice", "start_loss"})
"""Kinds that are read as loss of the product (a canonical splice site included)."""

SILENT: frozenset[VariantKind] = frozenset({"synonymous", "noncoding", "promoter"})
_IN_FRAME: frozenset[VariantKind] = frozenset({"delins", "duplication", "inframe_deletion", "inframe_insertion"})
_ONE_RESIDUE: frozenset[VariantKind] = frozenset({"missense", "stop_loss", "extension"})
CHANGES_PROTEIN: frozenset[VariantKind] = _ONE_RESIDUE | _IN_FRAME | TRUNCATING
"""Kinds that count as nonsynonymous."""

WRITTEN_WITH_ANY: dict[str, frozenset[int]] = {
    "ALK": frozenset({1171, 1174}),
    "BRAF": frozenset({600, 601}),
    "EGFR": frozenset({709, 719, 861}),
    "HRAS": frozenset({12, 13, 61}),
    "IDH1": frozenset({132}),
    "IDH2": frozenset({140, 172}),
    "KIT": frozenset({816}),
    "KRAS": frozenset({12, 13, 61}),
    "NRAS": frozenset({12, 13, 61}),
    "PDGFRA": frozenset({842}),
    "PIK3CA": frozenset({542, 545, 1047}),
    "RET": frozenset({634, 804, 810}),
}
"""Hotspots that reports write with X for any residue (``EGFR G719X``); elsewhere X is a stop, as HGVS had it."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A mutation as read.

    Attributes
    ----------
    gene
        HGNC symbol as given.
    kind
        See :data:`features.protein_notation.VariantKind`; ``unknown`` when the report only says "mutated".
    reference, alternate
        Residues of one letter; empty where not said.
    start, end
        Residues touched, None where not said.
    gained
        Residues gained or lost.
    exon
        Exon, where the report says it; None otherwise.
    cdna
        Canonical cDNA without ``c.`` (``1799T>A``); empty where not given.
    from_protein
        Whether a protein notation was read: cDNA hotspots then need not be asked.
    text
        Canonical text: ``V600E``, ``E746_A750del``, ``c.1799T>A``, ``exon 19 deletion``, ``mutation``.
    """

    gene: str
    kind: VariantKind
    reference: str = ""
    start: int | None = None
    end: int | None = None
    alternate: str = ""
    gained: int = 0
    exon: int | None = None
    cdna: str = ""
    from_protein: bool = False
    text: str = "mutation"

    @property
    def substitutions(self) -> tuple[str, ...]:
        """Return the single substitutions it consists of: ``("V600E", "K601I")`` for ``VK600EI``."""
        if self.kind == "missense":
            return (self.text,) if self.alternate else ()
        if self.start is None or self.gained or not self.alternate or len(self.reference) != len(self.alternate):
            return ()
        pairs = enumerate(zip(self.reference, self.alternate, strict=True))
        return tuple(f"{old}{self.start + i}{new}" for i, (old, new) in pairs if old != new)


@lru_cache(maxsize=MOST_FINDINGS)
def read_variant(
    gene: str,
    protein: str | None = None,
    cdna: str | None = None,
    classification: str | None = None,
    exon: int | None = None,
) -> Variant:
    """Read one mutation.

    Parameters
    ----------
    gene
        HGNC symbol.
    protein
        Protein notation, or a phrase about an exon (``exon 19 deletion``, ``ex20ins``), with or without the gene.
    cdna
        cDNA notation.
    classification
        See :func:`kind_of_classification`.
    exon
        Exon number, where no notation is at hand.

    Raises
    ------
    UnreadableAlteration
        When any of the texts cannot be read.

    Examples
    --------
    >>> read_variant("BRAF", "p.Val600Glu").text
    'V600E'
    >>> read_variant("EGFR", "exon 19 deletion").kind, read_variant("EGFR", "exon 19 deletion").exon
    ('inframe_deletion', 19)
    >>> read_variant("NRAS", cdna="c.182A>G", classification="Missense_Mutation").start
    61
    """
    if exon is not None:
        protein, classification = about_exon(exon, protein, classification)
    said = kind_of_classification(classification) if classification and classification.strip() else None
    coding = read_cdna(cdna) if cdna and cdna.strip() else None
    found = _of_protein(gene, _without_gene(gene, protein)) if protein and protein.strip() else Variant(gene, "unknown")
    if found.start is None and found.exon is None and coding is not None:
        found = _of_coding(gene, coding)
    elif coding is not None:
        found = replace(found, cdna=coding.text)
    found = _with_classification(found, said, classification)
    if exon is None or found.exon is not None:
        return found
    text = f"exon {exon} mutation" if found.text == "mutation" else found.text
    return replace(found, exon=exon, text=text)


def _without_gene(gene: str, protein: str) -> str:
    bare = protein.strip()
    if bare.upper().startswith(gene.upper()) and bare[len(gene) : len(gene) + 1] in {" ", ":", "-"}:
        return bare[len(gene) :].strip(" :-")
    return bare.removeprefix("METex") if gene == "MET" and bare.startswith("METex") else bare


def _of_protein(gene: str, text: str) -> Variant:
    """Read a notation or a phrase; what cannot be read as it stands is read without the words around it."""
    try:
        return _as_it_stands(gene, text)
    except UnreadableAlteration:
        bare = without_words_around(text)
        if bare is None:
            raise
        return _of_protein(gene, bare)


def _as_it_stands(gene: str, text: str) -> Variant:
    folded = text.casefold()
    if folded in ONLY_MUTATED or (gene == "EGFR" and EITHER_COMMON.fullmatch(text)):
        return Variant(gene, "unknown")
    if folded in LOSS:
        return Variant(gene, "nonsense", text=folded)
    if text.startswith("c."):
        return _of_coding(gene, read_cdna(text))
    bases = BREAST_CORE.fullmatch(text) if gene in {"BRCA1", "BRCA2"} else None
    if bases is not None:
        return _of_bases(gene, text, bases["bases"])
    several = ONE_OF_SEVERAL.fullmatch(text)
    if several is not None:
        return _of_change(gene, read_protein(several["residue"]))
    if folded in NOT_A_CHANGE:
        raise UnreadableAlteration(
            f"{seen_text(text)} is not a change", way_out='Say it by `"status": "absent"`, without a protein change.'
        )
    phrase = exon_phrase(gene, text)
    return _of_phrase(gene, phrase) if phrase is not None else _of_change(gene, read_protein(text))


def _of_bases(gene: str, text: str, bases: str) -> Variant:
    count = int(bases) if bases.isdigit() else len(bases)
    if count % 3:
        return Variant(gene, "frameshift", from_protein=True, text=text)
    lost = "del" in text
    kind: VariantKind = "inframe_deletion" if lost else "inframe_insertion"
    return Variant(gene, kind, gained=(-count if lost else count) // 3, from_protein=True, text=text)


def _of_phrase(gene: str, phrase: re.Match[str]) -> Variant:
    exon, kind = int(phrase["exon"]), kind_of_phrase(phrase["what"] or "")
    gained = GAINED.get(kind, 0)
    word = PHRASE_WORDS.get(kind, kind)
    return Variant(gene, kind, gained=gained, exon=exon, from_protein=True, text=f"exon {exon} {word}")


def _of_change(gene: str, change: ProteinChange) -> Variant:
    if change.kind == "unknown":
        return Variant(gene, "unknown")
    kind, alternate, text = change.kind, change.alternate, change.text
    if kind == "nonsense" and len(change.reference) == 1 and change.start in WRITTEN_WITH_ANY.get(gene, ()):
        kind, alternate, text = "missense", "", f"{change.reference}{change.start}"
    return Variant(
        gene, kind, change.reference, change.start, change.end, alternate, change.gained, from_protein=True, text=text
    )


def _of_coding(gene: str, change: CodingChange) -> Variant:
    return Variant(
        gene, change.kind, "", change.start, change.end, "", change.gained, cdna=change.text, text=f"c.{change.text}"
    )


def _with_classification(found: Variant, said: VariantKind | None, classification: str | None) -> Variant:
    """Let the classification settle what the notation leaves open, or say that it is outside the coding bases.

    ``Splice_Site`` does not turn a synonymous change into a splice change: some annotators use it for the last bases of
    an exon too, and a change at the canonical site has a splice notation or none.
    """
    if said is None or said == "unknown" or said == found.kind:
        return found
    if found.kind == "unknown":
        text = classification or "" if found.text == "mutation" else found.text
        return replace(found, kind=said, text=text, gained=found.gained or GAINED.get(said, 0))
    if found.from_protein:
        return replace(found, kind=said) if found.kind == "synonymous" and said == "noncoding" else found
    return replace(found, kind=said) if found.kind not in {"splice", "frameshift"} or said in TRUNCATING else found
