"""cDNA notation: from ``ENST00000288602.6:c.1799T>A`` to place, size and what follows for the protein.

Without the transcript's sequence a substitution cannot be translated: its consequence stays ``unknown`` unless the
report says it (``Variant_Classification``). Deletions and insertions show their frame, offsets into introns their
splice site.

Reference: den Dunnen et al., HGVS recommendations, doi:10.1002/humu.22981.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from features.errors import UnreadableAlteration, seen_text
from features.remembered import MOST_FINDINGS

if TYPE_CHECKING:
    from features.protein_change import VariantKind

SPLICE_OFFSET = 2
"""Bases: the canonical splice sites are the first two and last two of an intron (GT-AG)."""

PROMOTER_REACH = 1500
"""Bases upstream of the start codon that are read as promoter (TERT c.-124C>T, c.-146C>T lie well inside)."""

WAY_OUT = "Write HGVS such as c.1799T>A, c.2235_2249del, c.3028+1G>T, or leave it out when unknown."

_PLACE = r"(?:[-*]?\d+(?:[+-]\d+)?)"
_CHANGE = re.compile(
    rf"(?P<start>{_PLACE})(?:_(?P<end>{_PLACE}))?"
    r"(?:(?P<ref>[ACGTN]+)?>(?P<alt>[ACGTN]+)"
    r"|del(?P<gone>[ACGTN]*|\d*)ins(?P<put>[ACGTN]+|\d+)"
    r"|del(?P<lost>[ACGTN]*|\d*)"
    r"|dup(?P<twice>[ACGTN]*|\d*)"
    r"|ins(?P<new>[ACGTN]+|\d+)"
    r"|inv(?P<turned>[ACGTN]*|\d*)"
    r"|(?P<same>=))",
    re.IGNORECASE,
)
_ACCESSION = re.compile(r"^[A-Za-z]{1,5}[A-Za-z0-9_.\-]*(?:\([A-Za-z0-9\-]+\))?:(?=[cn]\.)")


@dataclass(frozen=True, slots=True)
class CodingPlace:
    """A place on the coding strand: base counted from the A of the start codon, and the offset into an intron."""

    base: int
    offset: int = 0
    after_stop: bool = False

    @property
    def codon(self) -> int | None:
        """Residue the base codes for; None outside the coding region."""
        return (self.base + 2) // 3 if self.base > 0 and not self.after_stop else None


@dataclass(frozen=True, slots=True)
class CodingChange:
    """What a cDNA notation says.

    Attributes
    ----------
    kind
        What follows for the protein, ``unknown`` for a coding substitution.
    start, end
        First and last codon touched (for an intron, the codon at its edge); None outside the coding region.
    gained
        Residues gained or lost when the frame holds, else 0.
    text
        Canonical spelling without ``c.`` and without deleted bases: ``1799T>A``, ``1798_1799delinsAA``.
    """

    kind: VariantKind
    start: int | None
    end: int | None
    gained: int
    text: str


def _coding_place(text: str) -> CodingPlace:
    after_stop = text.startswith("*")
    found = re.fullmatch(r"(-?\d+)([+-]\d+)?", text.lstrip("*"))
    if found is None:  # the grammar above lets nothing else through
        raise UnreadableAlteration(f"{seen_text(text)} is not a place on a transcript", way_out=WAY_OUT)
    return CodingPlace(int(found[1]), int(found[2] or 0), after_stop)


def _size(text: str | None, spanned: int) -> int:
    """Return how many bases a tail names: its letters, its number, or the span when it is bare."""
    if not text:
        return spanned
    return int(text) if text.isdigit() else len(text)


@lru_cache(maxsize=MOST_FINDINGS)
def read_cdna(notation: str) -> CodingChange:
    """Read one cDNA notation.

    Raises
    ------
    UnreadableAlteration
        When it cannot be read; genomic notation (``g.``) is refused with the way out.

    Examples
    --------
    >>> change = read_cdna("ENST00000397752.3:c.3028+1G>T")
    >>> change.kind, change.start
    ('splice', 1010)
    >>> read_cdna("c.1799_1800TG>AA").text
    '1799_1800delinsAA'
    >>> read_cdna("c.2235_2249del").kind, read_cdna("c.2235_2249del").gained
    ('inframe_deletion', -5)
    """
    bare = _ACCESSION.sub("", notation.strip().replace(" ", ""))
    bare = re.sub(r"^[cn]\.", "", bare).replace("(", "").replace(")", "")
    found = _CHANGE.fullmatch(bare)
    if found is None:
        raise UnreadableAlteration(f"{seen_text(notation)} is not a cDNA change that can be read", way_out=WAY_OUT)
    start = _coding_place(found["start"])
    end = _coding_place(found["end"]) if found["end"] else start
    if found["end"] and (end.base, end.offset) < (start.base, start.offset) and not end.after_stop:
        raise UnreadableAlteration(f"{seen_text(notation)} ends before it starts", way_out="Check the two positions.")
    lost, gained = _bases(found, end.base - start.base + 1)
    if found["lost"] and not found["end"] and not found["lost"].isdigit():
        end = CodingPlace(start.base + len(found["lost"]) - 1, start.offset)
    return CodingChange(
        _kind(found, start, end, gained - lost), *_codons(start, end), *_frame(gained - lost), _text(found)
    )


def _bases(found: re.Match[str], spanned: int) -> tuple[int, int]:
    """Return bases lost and bases gained."""
    if found["alt"] is not None:
        return (_size(found["ref"], spanned), len(found["alt"]))
    if found["put"] is not None:
        return (spanned if found["end"] else _size(found["gone"], 1), _size(found["put"], 0))
    if found["lost"] is not None:
        return (_size(found["lost"], spanned), 0)
    if found["twice"] is not None:
        return (0, _size(found["twice"], spanned))
    return (0, _size(found["new"], 0)) if found["new"] is not None else (0, 0)


def _kind(found: re.Match[str], start: CodingPlace, end: CodingPlace, net: int) -> VariantKind:
    outside = _outside(start, end)
    if outside is not None:
        return outside
    if found["same"]:
        return "synonymous"
    if net % 3:
        return "frameshift"
    if start.base <= 3 and (found["lost"] is not None or found["alt"] is not None):
        return "start_loss"
    if found["twice"] is not None:
        return "duplication"
    if found["new"] is not None:
        return "inframe_insertion"
    if found["lost"] is not None:
        return "inframe_deletion"
    return "delins" if net else "unknown"


def _outside(start: CodingPlace, end: CodingPlace) -> VariantKind | None:
    """Return the kind when the change is not wholly inside an exon's coding bases."""
    if start.after_stop or end.base < 0:
        near = start.base >= -PROMOTER_REACH and not start.after_stop and not start.offset and not end.offset
        return "promoter" if near else "noncoding"
    if not start.offset and not end.offset:
        return None
    if bool(start.offset) != bool(end.offset) or start.base != end.base:
        return "splice"
    nearest = 0 if start.offset * end.offset < 0 else min(abs(start.offset), abs(end.offset))
    return "splice" if nearest <= SPLICE_OFFSET else "noncoding"


def _codons(start: CodingPlace, end: CodingPlace) -> tuple[int | None, int | None]:
    return start.codon, end.codon


def _frame(net: int) -> tuple[int]:
    return (net // 3 if net % 3 == 0 else 0,)


def _text(found: re.Match[str]) -> str:
    place = found["start"] + (f"_{found['end']}" if found["end"] else "")
    if found["alt"] is not None:
        reference, alternate = (found["ref"] or "").upper(), found["alt"].upper()
        if len(reference) == len(alternate) == 1:
            return f"{place}{reference}>{alternate}"
        return f"{place}delins{alternate}"
    if found["put"] is not None:
        return f"{place}delins{found['put'].upper()}"
    if found["new"] is not None:
        return f"{place}ins{found['new'].upper()}"
    words = (("del", "lost"), ("dup", "twice"), ("inv", "turned"))
    return place + next((word for word, name in words if found[name] is not None), "=")
