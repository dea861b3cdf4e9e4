"""Copy number: from the codes that files use to amplification, deletion or neither.

Scales: GISTIC thresholded calls -2..2 (Mermel et al., doi:10.1186/gb-2011-12-4-r41), where only the two ends count as
events; cBioPortal words (AMP, DeepDel); total copies.
"""

from __future__ import annotations

from typing import Literal

from features.errors import UnreadableAlteration, seen_text

CopyChange = Literal["amplification", "deletion"]

AMPLIFIED_COPIES = 6.0
"""Total copies from which a gene counts as amplified: HER2 gene copies of 6 or more are ISH positive by ASCO/CAP
(doi:10.1200/JCO.2018.77.8738); MET uses 5 to 10, so a report's own call beats this number."""
DELETED_COPIES = 0.5
"""Total copies below which both copies count as lost (homozygous deletion), allowing for normal cells."""

_AMPLIFIED = ("amp", "amplification", "amplified", "high_amplification", "high-level amplification", "2")
_DELETED = ("deepdel", "homdel", "deep_deletion", "deep deletion", "homozygous deletion", "deletion", "-2")
_NO_EVENT = (
    "gain",
    "low_gain",
    "shallowdel",
    "hetloss",
    "loss",
    "diploid",
    "neutral",
    "-1",
    "0",
    "1",
    "-1.5",
    "1.5",
    "",
)
_WORDS: dict[str, CopyChange | None] = {
    **dict.fromkeys(_AMPLIFIED, "amplification"),
    **dict.fromkeys(_DELETED, "deletion"),
    **dict.fromkeys(_NO_EVENT),
}


def read_copy_call(call: str) -> CopyChange | None:
    """Return what a discrete copy-number call says; None is no event (gain and one lost copy included).

    ``-1.5`` is cBioPortal's partial deletion and is no event here.

    Raises
    ------
    UnreadableAlteration
        When the word is not a known call.

    Examples
    --------
    >>> read_copy_call("AMP"), read_copy_call("-2"), read_copy_call("1")
    ('amplification', 'deletion', None)
    """
    word = call.strip().casefold()
    word = word.removesuffix(".0") if word.lstrip("-").replace(".", "", 1).isdigit() else word
    if word in _WORDS:
        return _WORDS[word]
    raise UnreadableAlteration(
        f"{seen_text(call)} is not a copy-number call", allowed=("-2", "-1", "0", "1", "2", "AMP", "DeepDel"),
        way_out="Give a GISTIC call, AMP or DeepDel, or total copies in `copies`.",
    )  # fmt: skip


def of_copies(copies: float) -> CopyChange | None:
    """Return what total copies say: amplified from 6, deleted below 0.5.

    Examples
    --------
    >>> of_copies(12.0), of_copies(2.0)
    ('amplification', None)
    """
    if copies >= AMPLIFIED_COPIES:
        return "amplification"
    return "deletion" if copies < DELETED_COPIES else None
