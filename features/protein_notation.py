"""Protein notation: from ``p.Val600Glu`` and its many spellings to one reading.

Reads HGVS of one and of three letters, and what callers write instead of it: ``V600E``, ``p.X1010_splice``,
``p.564_565LT>F``, ``p.EK211fs``, ``*1453*``. Numbers count residues of the transcript that the report used; they are
not checked against a sequence.

References: den Dunnen et al., HGVS recommendations, doi:10.1002/humu.22981; the short form of vcf2maf.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from features.errors import UnreadableAlteration, seen_text
from features.protein_change import ProteinChange, VariantKind
from features.remembered import MOST_FINDINGS

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_PROTEIN = 36_000
"""Residues: titin, the longest human protein, has 34,350 to 35,991 (UniProt Q8WZ42); a larger number is a slip."""

WAY_OUT = "Write HGVS such as p.V600E, p.Glu746_Ala750del, p.R213*, p.X1010_splice, or leave it out when unknown."

_THREE_TO_ONE = {
    "Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G", "His": "H",
    "Ile": "I", "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Ser": "S", "Thr": "T", "Trp": "W",
    "Tyr": "Y", "Val": "V", "Sec": "U", "Ter": "*", "Xaa": "X", "STOP": "*", "Stop": "*",
}  # fmt: skip
_TRIPLET = re.compile("|".join(_THREE_TO_ONE))
_RESIDUE = "[ACDEFGHIKLMNPQRSTUVWXY*]"
_ACCESSION = re.compile(r"^[A-Za-z]{1,5}[A-Za-z0-9_.\-]*(?:\([A-Za-z0-9\-]+\))?:(?=p\.)")


def _substitution(m: re.Match[str]) -> ProteinChange:
    reference, alternate, start = m["ref"], m["alt"], int(m["start"])
    end = start + len(reference) - 1
    text = f"{reference}{start}{alternate}"
    if alternate in {"X", "*"} and reference != "*":
        return ProteinChange("nonsense", reference, start, end, "*", 0, f"{reference}{start}*")
    if start == 1 and reference == "M" and alternate != "M":
        return ProteinChange("start_loss", reference, 1, 1, alternate, 0, text)
    if reference == alternate:
        return ProteinChange("synonymous", reference, start, end, alternate, 0, f"{reference}{start}=")
    if reference == "*":
        return ProteinChange("extension", reference, start, end, alternate, 0, text)
    if len(reference) == len(alternate) == 1:
        return ProteinChange("missense", reference, start, end, alternate, 0, text)
    return _changed(reference, start, end, alternate)


def _changed(reference: str, start: int, end: int, alternate: str) -> ProteinChange:
    """Return a run of residues replaced by others; a stop among the new ones truncates."""
    size = end - start + 1
    if alternate.isdigit():
        gained, written = int(alternate) - size, f"X[{alternate}]"
    else:
        gained, written = len(alternate) - size, alternate
    last = reference[-1] if len(reference) > 1 else ""
    place = f"{reference[:1]}{start}" + (f"_{last}{end}" if end > start else "")
    kind: VariantKind = "nonsense" if "*" in alternate else "delins"
    return ProteinChange(kind, reference, start, end, alternate, gained, f"{place}delins{written}")


def _unchanged(m: re.Match[str]) -> ProteinChange:
    reference, start = m["ref"] or "", int(m["start"])
    return ProteinChange("synonymous", reference, start, start, reference, 0, f"{reference}{start}=")


def _stop_kept(m: re.Match[str]) -> ProteinChange:
    start = int(m["start"])
    return ProteinChange("synonymous", "*", start, start, "*", 0, f"*{start}=")


def _frameshift(m: re.Match[str]) -> ProteinChange:
    reference, start = m["ref"] or "", int(m["start"])
    first, changed, after = reference[:1], m["alt"] or "", m["after"] or ""
    stop = f"*{after}" if after else ""
    return ProteinChange("frameshift", reference, start, start, changed, 0, f"{first}{start}{changed}fs{stop}")


def _span(m: re.Match[str]) -> tuple[str, int, int]:
    """Return the residues named, the first and the last place; ``DS593del`` names two residues from 593 on."""
    first, start = m["ref"] or "", int(m["start"])
    if m["end"] is None:
        return first, start, start + max(len(first), 1) - 1
    last = m["last"] or ""
    return (first + last if first and last else ""), start, int(m["end"])


def _place(m: re.Match[str]) -> str:
    reference, start, end = _span(m)
    first, last = reference[:1], (reference[-1] if reference else "")
    return f"{first}{start}" if end == start else f"{first}{start}_{last}{end}"


def _deletion(m: re.Match[str]) -> ProteinChange:
    reference, start, end = _span(m)
    if start == 1:
        return ProteinChange("start_loss", reference, start, end, "", start - end - 1, f"{_place(m)}del")
    return ProteinChange("inframe_deletion", reference, start, end, "", start - end - 1, f"{_place(m)}del")


def _delins(m: re.Match[str]) -> ProteinChange:
    reference, start, end = _span(m)
    change = _changed(reference, start, end, m["alt"])
    return ProteinChange(change.kind, reference, start, end, m["alt"], change.gained, f"{_place(m)}delins{m['alt']}")


def _numbered_delins(m: re.Match[str]) -> ProteinChange:
    """Return ``564_565LT>F``; where the new residues begin with the old ones it is an insertion."""
    reference, start, end, alternate = m["ref"], int(m["start"]), int(m["end"]), m["alt"]
    if len(reference) == end - start + 1:
        return _changed(reference, start, end, alternate)
    raise UnreadableAlteration(
        f"{seen_text(m.string)} names {len(reference)} residues in a range of {end - start + 1}", way_out=WAY_OUT
    )


def _duplication(m: re.Match[str]) -> ProteinChange:
    reference, start, end = _span(m)
    return ProteinChange("duplication", reference, start, end, "", end - start + 1, f"{_place(m)}dup")


def _insertion(m: re.Match[str]) -> ProteinChange:
    reference, start, end = _span(m)
    alternate = (m["alt"] or "").strip("()")
    gained = int(alternate) if alternate.isdigit() else len(alternate)
    kind: VariantKind = "nonsense" if "*" in alternate else "inframe_insertion"
    if m["end"] is None:
        reference, end = reference[:1], start + 1
        return ProteinChange(kind, reference, start, end, alternate, gained, f"{reference}{start}_{end}ins{alternate}")
    if end != start + 1:
        raise UnreadableAlteration(
            f"{seen_text(m.string)} inserts between residues that are not neighbours", way_out=WAY_OUT
        )
    return ProteinChange(kind, reference, start, end, alternate, gained, f"{_place(m)}ins{alternate}")


def _splice(m: re.Match[str]) -> ProteinChange:
    start, end = int(m["start"]), int(m["end"] or m["start"])
    return ProteinChange("splice", "", start, end, "", 0, f"X{start}_splice")


def _start_loss(_: re.Match[str]) -> ProteinChange:
    return ProteinChange("start_loss", "M", 1, 1, "", 0, "M1?")


def _extension(m: re.Match[str]) -> ProteinChange:
    start = int(m["start"])
    return ProteinChange(
        "extension", "*", start, start, m["alt"] or "", 0, f"*{start}{m['alt'] or ''}ext*{m['after'] or '?'}"
    )


def _residue_only(m: re.Match[str]) -> ProteinChange:
    start = int(m["start"])
    return ProteinChange("missense", m["ref"], start, start, "", 0, f"{m['ref']}{start}")


def _nothing_said(m: re.Match[str]) -> ProteinChange:
    return ProteinChange("synonymous" if "=" in m.string else "unknown", "", None, None, "", 0, m.string)


_STOP = r"(?:[*X]?(?P<after>\d+|\?)|[*X])?"
_R, _SPAN = _RESIDUE, rf"(?P<ref>{_RESIDUE}*)(?P<start>\d+)(?:_(?P<last>{_RESIDUE}*)(?P<end>\d+))?"
_GRAMMAR: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], ProteinChange]], ...] = tuple(
    (re.compile(pattern, flags), reading)
    for pattern, flags, reading in (
        (rf"(?P<ref>{_R}+)(?P<start>\d+)(?P<alt>{_R}+)", 0, _substitution),
        (r"\*(?P<start>\d+)\*", 0, _stop_kept),
        (rf"(?P<ref>{_R}*)-?(?P<start>\d+)(?:_{_R}?\d+)?(?P<alt>[AC-IK-NP-Y]?)\*?fs{_STOP}", 0, _frameshift),
        (rf"{_R}?(?P<start>\d+)(?:_{_R}?(?P<end>\d+))?_splice", re.IGNORECASE, _splice),
        (rf"(?P<ref>{_R}?)(?P<start>\d+)(?:_{_R}?\d+)?=", 0, _unchanged),
        (rf"M1(?:\?|ext-?\d*|_{_R}?\d+del|del)|0\??", 0, _start_loss),
        (rf"\*(?P<start>\d+)(?P<alt>{_R}?)ext\*?(?P<after>\d+|\?)?", 0, _extension),
        (rf"{_SPAN}del(?:{_R}+|\d+)?", 0, _deletion),
        (rf"{_SPAN}(?:del{_R}*ins|>)(?P<alt>{_R}+|\d+)", 0, _delins),
        (rf"(?P<start>\d+)_(?P<end>\d+)(?P<ref>{_R}+)>(?P<alt>{_R}+)", 0, _numbered_delins),
        (rf"{_SPAN}dup(?:{_R}+|\d+)?", 0, _duplication),
        (rf"{_SPAN}ins(?P<alt>{_R}+|\(?\d+\)?)?", 0, _insertion),
        (r"(?P<ref>[ACDEFGHIKLMNPQRSTUVWY])(?P<start>\d+)", 0, _residue_only),
        (r"=|\?", 0, _nothing_said),
    )
)  # fmt: skip


def _letters(notation: str) -> str:
    """Return the notation in one-letter code, without accession, ``p.``, brackets and blanks."""
    bare = _ACCESSION.sub("", notation.strip().replace(" ", ""))
    bare = bare.removeprefix("p.")
    bare = bare.replace("(", "").replace(")", "")
    return _TRIPLET.sub(lambda m: _THREE_TO_ONE[m[0]], bare)


@lru_cache(maxsize=MOST_FINDINGS)
def read_protein(notation: str) -> ProteinChange:
    """Read one protein notation.

    Parameters
    ----------
    notation
        With or without ``p.``, an accession in front, brackets of prediction; one or three letters.

    Raises
    ------
    UnreadableAlteration
        When no reading fits; nothing is guessed.

    Examples
    --------
    >>> read_protein("NP_004324.2:p.(Val600Glu)").text
    'V600E'
    >>> change = read_protein("p.L747_P753delinsS")
    >>> change.kind, change.start, change.end, change.gained
    ('delins', 747, 753, -6)
    """
    if notation.strip().casefold() in {"promoter", "p.promoter"}:
        return ProteinChange("promoter", "", None, None, "", 0, "promoter")
    letters = _letters(notation)
    for pattern, reading in _GRAMMAR:
        found = pattern.fullmatch(letters)
        if found:
            return _checked(reading(found), notation)
    raise UnreadableAlteration(f"{seen_text(notation)} is not a protein change that can be read", way_out=WAY_OUT)


def _checked(change: ProteinChange, notation: str) -> ProteinChange:
    for place in (change.start, change.end):
        if place is not None and not 1 <= place <= LONGEST_PROTEIN:
            raise UnreadableAlteration(
                f"{seen_text(notation)} names residue {place}; proteins have 1 to {LONGEST_PROTEIN}", way_out=WAY_OUT
            )
    if change.start is not None and change.end is not None and change.end < change.start:
        raise UnreadableAlteration(f"{seen_text(notation)} ends before it starts", way_out="Check the two positions.")
    return change
