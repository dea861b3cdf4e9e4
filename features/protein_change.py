"""Protein changes: what a notation says once it is read, and the kinds of change there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VariantKind = Literal[
    "missense",
    "nonsense",
    "frameshift",
    "inframe_deletion",
    "inframe_insertion",
    "delins",
    "duplication",
    "splice",
    "synonymous",
    "start_loss",
    "stop_loss",
    "extension",
    "promoter",
    "noncoding",
    "unknown",
]
"""What a change does: ``noncoding`` lies outside coding bases and splice sites, ``unknown`` is not said."""


@dataclass(frozen=True, slots=True)
class ProteinChange:
    """What a protein notation says.

    Attributes
    ----------
    kind
        See :data:`VariantKind`; a change that puts a stop inside is ``nonsense``.
    reference, alternate
        Residues of one letter, ``*`` for a stop; empty where the notation does not say.
    start, end
        First and last residue touched, counted from 1; None where the notation does not say.
    gained
        Residues gained (positive) or lost (negative); 0 where the length does not change or is not known.
    text
        The one canonical spelling, without ``p.``: ``V600E``, ``E746_A750del``.
    """

    kind: VariantKind
    reference: str
    start: int | None
    end: int | None
    alternate: str
    gained: int
    text: str
