"""Driver classes: from a finding to the curated classes it belongs to, the narrowest first.

Only rows of ``driver_alterations.csv`` count as drivers; everything else that changes a protein is a passenger.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, cast

from features.driver_rules import Finding, compile_rule
from features.errors import UnreadableAlteration
from features.fusions import Fusion, read_fusion
from features.variants import CHANGES_PROTEIN, Variant, read_variant
from features.vocabulary import cell_list, nearest, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.case import Alteration
    from features.driver_rules import Predicate

Effect = Literal["driver", "resistance", "driver_and_resistance", "loss", "passenger"]
"""``loss`` drives by losing the gene; ``passenger`` is a curated class that is not a driver (HER2 IHC 0)."""

_CACHED = 262_144


class UnknownDriverClass(LookupError):
    """A class id that the vocabulary does not have."""


@dataclass(frozen=True, slots=True)
class DriverClass:
    """One row of ``driver_alterations.csv``.

    Attributes
    ----------
    id
        ``BRAF_V600E``.
    gene
        HGNC symbol, "" for a group over genes.
    name
        What a clinician calls it.
    kind
        mutation, fusion, amplification, deletion, expression, or group.
    parents
        Broader classes it is part of.
    level
        ``approved`` (a label names it), ``trial`` or ``biology``.
    """

    id: str
    gene: str
    name: str
    kind: str
    rule: str
    effect: Effect
    parents: tuple[str, ...]
    pathway: str
    level: str
    source: str
    version: str


@lru_cache(maxsize=1)
def classes() -> Mapping[str, DriverClass]:
    """Return every class by id, in file order."""
    return {
        row["id"]: DriverClass(
            id=row["id"],
            gene=row["gene"],
            name=row["alteration_class"],
            kind=row["kind"],
            rule=row["rule"],
            effect=cast("Effect", row["effect"]),
            parents=cell_list(row["parent"]),
            pathway=row["pathway"],
            level=row["level"],
            source=row["source"],
            version=row["version"],
        )
        for row in table("driver_alterations")
    }


def row(class_id: str) -> DriverClass:
    """Return one class by its id.

    Raises
    ------
    UnknownDriverClass
        With the nearest ids.

    Examples
    --------
    >>> row("EGFR_T790M").effect, row("BRAF_V600E").parents
    ('resistance', ('BRAF_V600',))
    """
    found = classes().get(class_id)
    if found is None:
        near = ", ".join(nearest(class_id, classes())) or "none near"
        raise UnknownDriverClass(f"{class_id!r} is no driver class; nearest: {near}")
    return found


@lru_cache(maxsize=1024)
def with_broader(class_id: str) -> tuple[str, ...]:
    """Return a class and all broader ones, the nearest first.

    Examples
    --------
    >>> with_broader("KRAS_G12C")[:3]
    ('KRAS_G12C', 'KRAS_G12', 'KRAS_MUTATION')
    """
    found: dict[str, None] = {class_id: None}
    queue = [class_id]
    while queue:
        for parent in row(queue.pop(0)).parents:
            if parent not in found:
                found[parent] = None
                queue.append(parent)
    return tuple(found)


@lru_cache(maxsize=1024)
def with_narrower(class_id: str) -> frozenset[str]:
    """Return a class and every class that is part of it.

    Examples
    --------
    >>> sorted(with_narrower("NTRK_FUSION"))
    ['NTRK1_FUSION', 'NTRK2_FUSION', 'NTRK3_FUSION', 'NTRK_FUSION']
    """
    return frozenset(one for one in classes() if class_id in with_broader(one))


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


@lru_cache(maxsize=_CACHED)
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
