"""What kind of alteration a variant is: mutation, fusion, amplification, deletion, or only a relative call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.copy_number import of_copies
from features.sources.mcode import codes
from features.sources.mcode.variant_parts import classification

if TYPE_CHECKING:
    from features.sources.mcode.variant_parts import Parts

_AMPLIFIED_WORDS = frozenset({"amplification", "amplified", "feature_amplification", "transcript_amplification"})
_DELETED_WORDS = frozenset({"homozygous deletion", "deep deletion", "homozygous loss", "biallelic loss", "homdel"})
_FUSION_WORDS = frozenset({"fusion", "gene_fusion", "gene fusion", "rearrangement", "translocation",
                           "complex chromosomal rearrangement", "structural variant"})  # fmt: skip
_GAIN_WORDS = frozenset({"gain", "copy_number_gain", "copy number gain"})
_LOSS_WORDS = frozenset({"loss", "copy_number_loss", "copy number loss"})


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind; ``problem`` is the code of a finding when it is no kind of the record; ``note`` one to be shown."""

    name: str = ""
    problem: str = ""
    why: str = ""
    note: str = ""


def kind_of(parts: Parts, genes: int) -> Kind:
    """Return the kind of a variant of so many genes."""
    changes = set(parts.changes)
    if changes & (codes.FUSION | _FUSION_WORDS):
        return Kind("fusion") if genes <= 2 else _several(genes)
    if genes > 2:
        return _several(genes)
    small = any(parts.notation(slot) for slot in ("protein", "cdna", "protein_of_text", "cdna_of_text"))
    if genes == 2:
        return _of_two(small)
    if changes & (codes.AMPLIFIED | _AMPLIFIED_WORDS):
        return Kind("amplification")
    if changes & _DELETED_WORDS:
        return Kind("deletion")
    if small:
        return Kind("mutation")
    if parts.copies is not None or changes & (codes.GAIN | codes.LOSS | _GAIN_WORDS | _LOSS_WORDS):
        return _of_copies(parts, changes)
    if parts.partner:
        return Kind("fusion")
    if classification(parts):
        return Kind("mutation")
    return Kind("", "variant_unclear", "neither a notation nor a kind of change is given")


def _several(genes: int) -> Kind:
    return Kind("", "variant_unclear", f"one variant of {genes} genes cannot be read")


def _of_two(small: bool) -> Kind:
    if small:
        return Kind("", "variant_unclear", "a small change with two genes: which of them is changed is not said")
    return Kind("fusion", why="two genes and no kind of change: read as a fusion", note="fusion_by_two_genes")


def _of_copies(parts: Parts, changes: set[str]) -> Kind:
    """Return what copies say; gain or loss without a number may be one copy, which is no event."""
    if parts.copies is not None:
        low, high = of_copies(parts.copies[0]), of_copies(parts.copies[1])
        if low is not None and low == high:
            return Kind(low)
        why = "the number of copies is neither an amplification (6 or more) nor a loss of both (under 0.5)"
        return Kind("", "copy_number_relative", why)
    word = "gain" if changes & (codes.GAIN | _GAIN_WORDS) else "loss"
    return Kind("", "copy_number_relative", f"copy number {word} without a number: one copy or many is not said")
