"""The rule language of ``driver_alterations.csv``: when a finding belongs to a class.

A rule is a list of terms separated by ``;`` of which any one suffices. A term is a word and arguments; ``germline`` in
front makes it ask for a germline finding, and without it a germline finding never matches.

==============================  ======================================================================================
``missense V600E @600 @32-45``  a substitution with this text, or at these residues
``residue G12 Q61``             a substitution of this residue by any other
``inframe 729-761``             an in-frame change that touches the range
``inframe_deletion 729-761``    the same with residues lost; ``inframe_insertion``: gained
``truncating`` (``1-200``)      nonsense, frameshift, canonical splice site or start loss (within the range)
``splice @1009-1011``           a canonical splice site at these residues
``exon 19 inframe_deletion``    a phrase: inframe_deletion, inframe_insertion, splice, mutation
``cdna 1799T>A``                this coding change, where no protein notation is given
``promoter``                    a change upstream of the gene
``unspecified``                 only that the gene is mutated
``fusion`` (``BCR``)            a rearrangement with another (or this) gene; ``intragenic``: within the gene
``amplification, deletion``     copy number
``expression 2+ 3+ high``       protein expressed at one of these levels
==============================  ======================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.variants import CHANGES_PROTEIN, TRUNCATING, Variant

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.fusions import Fusion

    Predicate = Callable[["Finding"], bool]

_PLACED = ("missense", "residue", "inframe", "inframe_deletion", "inframe_insertion", "truncating", "splice")
MUTATION_WORDS = frozenset((*_PLACED, "exon", "cdna", "promoter", "unspecified"))
WORDS = MUTATION_WORDS | {"fusion", "intragenic", "amplification", "deletion", "expression"}
_IN_FRAME = frozenset({"inframe_deletion", "inframe_insertion", "delins", "duplication"})
_RANGE = re.compile(r"@?(\d+)(?:-(\d+))?")


class BadRule(ValueError):
    """A rule of the vocabulary that the language does not have; a data test keeps it out of a release."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding as the rules see it: its kind, and its reading."""

    kind: str
    germline: bool
    variant: Variant | None = None
    fusion: Fusion | None = None
    level: str | None = None


def compile_rule(rule: str) -> Predicate:
    """Compile a rule; an empty one never matches (its class is reached through narrower ones).

    Raises
    ------
    BadRule
        When a word or an argument is not of the language.

    Examples
    --------
    >>> from features.variants import read_variant
    >>> v600 = compile_rule("missense @600; germline truncating")
    >>> v600(Finding("mutation", False, read_variant("BRAF", "V600E"))), v600(Finding("fusion", False))
    (True, False)
    """
    terms = [_term(term.split()) for term in rule.split(";") if term.strip()]
    return lambda finding: any(term(finding) for term in terms)


def _term(words: list[str]) -> Predicate:
    germline = words[0] == "germline"
    word, *arguments = words[1:] if germline else words
    if word not in WORDS:
        raise BadRule(f"{' '.join(words)!r}: {word!r} is none of {', '.join(sorted(WORDS))}")
    ask = _on_mutation(word, arguments) if word in MUTATION_WORDS else _on_gene(word, arguments)
    return lambda finding: finding.germline == germline and ask(finding)


def _on_gene(word: str, arguments: list[str]) -> Predicate:
    chosen = frozenset(arguments)
    if word == "expression":
        return lambda f: f.kind == "expression" and f.level in chosen
    if word == "intragenic":
        return lambda f: f.fusion is not None and f.fusion.intragenic
    if word == "fusion":
        return lambda f: f.fusion is not None and not f.fusion.intragenic and (not chosen or f.fusion.partner in chosen)
    return lambda f: f.kind == word


def _on_mutation(word: str, arguments: list[str]) -> Predicate:
    ask = _MUTATION_TERMS[word](arguments)
    return lambda f: f.variant is not None and ask(f.variant)


def _ranges(arguments: list[str]) -> list[tuple[int, int]]:
    found = [_RANGE.fullmatch(argument) for argument in arguments]
    if not all(found):
        raise BadRule(f"{' '.join(arguments)!r} are not residues such as 600, @600 or 729-761")
    return [(int(m[1]), int(m[2] or m[1])) for m in found if m]


def _within(place: int | None, ranges: list[tuple[int, int]]) -> bool:
    return place is not None and any(low <= place <= high for low, high in ranges)


def _touches(variant: Variant, ranges: list[tuple[int, int]]) -> bool:
    start, end = variant.start, variant.end
    return start is not None and end is not None and any(start <= high and end >= low for low, high in ranges)


def _missense(arguments: list[str]) -> Callable[[Variant], bool]:
    ranges = _ranges([a for a in arguments if a.startswith("@")])
    texts = frozenset(a for a in arguments if not a.startswith("@"))
    anywhere = not arguments
    return lambda v: (
        (v.kind == "missense" and (anywhere or v.text in texts or _within(v.start, ranges)))
        or bool(texts.intersection(v.substitutions) or (v.kind not in {"missense", "unknown"} and v.text in texts))
    )  # fmt: skip


def _residue(arguments: list[str]) -> Callable[[Variant], bool]:
    residues = {int(a[1:]): a[0] for a in arguments}

    def hit(variant: Variant) -> bool:
        if variant.kind == "missense" and variant.start in residues:
            return variant.reference[:1] in {"", residues[variant.start]}
        return any(residues.get(int(text[1:-1])) == text[0] for text in variant.substitutions)

    return hit


def _inframe(sign: int) -> Callable[[list[str]], Callable[[Variant], bool]]:
    def term(arguments: list[str]) -> Callable[[Variant], bool]:
        ranges = _ranges(arguments)
        return lambda v: v.kind in _IN_FRAME and (not sign or v.gained * sign > 0) and _touches(v, ranges)

    return term


def _truncating(arguments: list[str]) -> Callable[[Variant], bool]:
    ranges = _ranges(arguments)
    return lambda v: v.kind in TRUNCATING and (not ranges or _within(v.start, ranges))


def _splice(arguments: list[str]) -> Callable[[Variant], bool]:
    ranges = _ranges(arguments)
    return lambda v: v.kind == "splice" and (not ranges or _within(v.start, ranges))


def _exon(arguments: list[str]) -> Callable[[Variant], bool]:
    exon, what = int(arguments[0]), arguments[1]
    kinds: dict[str, Callable[[Variant], bool]] = {
        "inframe_deletion": lambda v: v.kind in _IN_FRAME and v.gained < 0,
        "inframe_insertion": lambda v: v.kind in _IN_FRAME and v.gained > 0,
        "splice": lambda v: v.kind == "splice",
        "mutation": lambda v: v.start is None and (v.kind == "unknown" or v.kind in CHANGES_PROTEIN),
    }
    if what not in kinds:
        raise BadRule(f"exon {exon} {what!r}: what is none of {', '.join(sorted(kinds))}")
    ask = kinds[what]
    return lambda v: v.exon == exon and ask(v)


def _cdna(arguments: list[str]) -> Callable[[Variant], bool]:
    chosen = frozenset(arguments)
    return lambda v: not v.from_protein and v.cdna in chosen


def _promoter(_: list[str]) -> Callable[[Variant], bool]:
    return lambda v: v.kind == "promoter"


def _unspecified(_: list[str]) -> Callable[[Variant], bool]:
    return lambda v: v.kind == "unknown" and v.start is None and v.exon is None and not v.cdna


_MUTATION_TERMS: dict[str, Callable[[list[str]], Callable[[Variant], bool]]] = {
    "missense": _missense,
    "residue": _residue,
    "inframe": _inframe(0),
    "inframe_deletion": _inframe(-1),
    "inframe_insertion": _inframe(1),
    "truncating": _truncating,
    "splice": _splice,
    "exon": _exon,
    "cdna": _cdna,
    "promoter": _promoter,
    "unspecified": _unspecified,
}
