"""Driver classes: from a finding to the curated classes it belongs to, the narrowest first.

Only rows of ``driver_alterations.csv`` count as drivers; everything else that changes a protein is a passenger.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from features.driver_rules import Finding, compile_rule
from features.driver_vocabulary import (
    DriverClass,
    Effect,
    UnknownDriverClass,
    classes,
    row,
    with_broader,
    with_narrower,
)
from features.errors import UnreadableAlteration
from features.fusions import Fusion, read_fusion
from features.remembered import MOST_FINDINGS
from features.variants import CHANGES_PROTEIN, Variant, read_variant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.case import Alteration
    from features.driver_rules import Predicate

__all__ = [
    "DriverClass",
    "Effect",
    "Reading",
    "UnknownDriverClass",
    "classes",
    "classes_of",
    "curated_genes",
    "read",
    "row",
    "with_broader",
    "with_narrower",
]


@lru_cache(maxsize=1)
def _rules_by_gene() -> Mapping[str, tuple[tuple[str, Predicate], ...]]:
    found: dict[str, list[tuple[str, Predicate]]] = {}
    for one in classes().values():
        if one.gene and one.rule:
            found.setdefault(one.gene, []).append((one.id, compile_rule(one.rule)))
    return {gene: tuple(rules) for gene, rules in found.items()}


@lru_cache(maxsize=1)
def curated_genes() -> frozenset[str]:
    """Return the genes that have at least one rule."""
    return frozenset(_rules_by_gene())


@dataclass(frozen=True, slots=True)
class Reading:
    """A finding as read: its classes, and what it is when it has none.

    Attributes
    ----------
    gene
        The gene that carries it (of a fusion the one that drives).
    classes
        Narrowest first, then the broader ones; empty for a passenger.
    narrowest
        Those classes that no other of ``classes`` is part of.
    text
        Canonical text: ``V600E``, ``EML4::ALK``, ``amplification``, ``expression 3+``.
    changes_protein
        Whether it would count as a passenger mutation when it has no class.
    unreadable
        Why it could not be read; "" when it could. Then it has no class and is no passenger either.
    """

    gene: str
    classes: tuple[str, ...] = ()
    narrowest: tuple[str, ...] = ()
    text: str = ""
    changes_protein: bool = False
    unreadable: str = ""

    def __hash__(self) -> int:
        return hash((self.gene, self.text, self.classes))

    @property
    def drives(self) -> bool:
        """Whether one of its classes drives or undoes a therapy (a curated passenger does not)."""
        return any(classes()[one].effect != "passenger" for one in self.narrowest)


def read(alteration: Alteration) -> Reading:
    """Read one finding, whatever its status; cached per distinct content.

    A notation that cannot be read gives a reading with ``unreadable`` set, so that one bad row of a report does not
    stop a cohort; builders warn of it. Use :func:`classes_of` to be told by an error.
    """
    a = alteration.__dict__
    return _read(
        a["gene"], a["kind"], a["protein_change"], a["cdna_change"], a["variant_classification"], a["exon"],
        a["partner"], a["level"], a["origin"],
    )  # fmt: skip


def classes_of(alteration: Alteration) -> tuple[str, ...]:
    """Return the classes of one finding, the narrowest first, then the broader; empty for a passenger.

    Raises
    ------
    UnreadableAlteration
        When its notation cannot be read.

    Examples
    --------
    >>> from features.case import Alteration
    >>> classes_of(Alteration(gene="BRAF", kind="mutation", protein_change="p.V600E"))[:2]
    ('BRAF_V600E', 'BRAF_V600')
    """
    found = read(alteration)
    if found.unreadable:
        raise UnreadableAlteration(found.unreadable, way_out="Correct the notation, or leave it out when unknown.")
    return found.classes


@lru_cache(maxsize=MOST_FINDINGS)
def _read(
    gene: str,
    kind: str,
    protein: str | None,
    cdna: str | None,
    classification: str | None,
    exon: int | None,
    partner: str | None,
    level: str | None,
    origin: str | None,
) -> Reading:
    variant: Variant | None = None
    fusion: Fusion | None = None
    try:
        if kind == "mutation":
            variant = read_variant(gene, protein, cdna, classification, exon)
        elif kind == "fusion":
            fusion = read_fusion(gene, partner)
        elif kind == "deletion" and exon is not None:  # of one exon, not of the gene: EGFR exon 19
            variant = read_variant(gene, f"exon {exon} deletion")
    except UnreadableAlteration as refusal:
        return Reading(gene, unreadable=f"{gene}: {refusal.message}")
    driving = fusion.gene if fusion is not None else gene
    finding = Finding(kind, origin == "germline", variant, fusion, level)
    hits = [one for one, matches in _rules_by_gene().get(driving, ()) if matches(finding)]
    ordered = _ordered(hits)
    return Reading(
        gene=driving,
        classes=ordered,
        narrowest=tuple(
            one for one in ordered if not any(one != other and one in with_broader(other) for other in ordered)
        ),
        text=_text(kind, variant, fusion, level),
        changes_protein=variant is not None and (variant.kind in CHANGES_PROTEIN or variant.kind == "unknown"),
    )


def _ordered(hits: list[str]) -> tuple[str, ...]:
    found = {broader for hit in hits for broader in with_broader(hit)}
    return tuple(sorted(found, key=lambda one: (-len(with_broader(one)), one)))


def _text(kind: str, variant: Variant | None, fusion: Fusion | None, level: str | None) -> str:
    if variant is not None:
        return variant.text
    if fusion is not None:
        return fusion.text
    return f"{kind} {level}" if level else kind
