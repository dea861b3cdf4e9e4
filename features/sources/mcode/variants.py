"""Genomic variants: one Observation becomes the findings of the case that it says, or a reason why not.

Present, absent and undecided are told apart first; an absent variant of three genes is three tested negatives, and
never a fusion. What cannot be read leaves its gene *unclear*: such a gene is not wild-type either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from features.case import Alteration
from features.errors import UnreadableAlteration
from features.fusions import driving_genes
from features.sources.mcode.gene_codes import swapped
from features.sources.mcode.observations import absent
from features.sources.mcode.results import presence, shown
from features.sources.mcode.variant_kinds import kind_of
from features.sources.mcode.variant_parts import Parts, classification, read_parts
from features.variants import read_variant

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Resource
    from features.sources.mcode.observations import Observed

NAME = "alterations"
_STATED = frozenset(
    {
        "kind",
        "status",
        "protein_change",
        "cdna_change",
        "variant_classification",
        "exon",
        "partner",
        "copies",
        "level",
        "cancer_cell_fraction",
    }
)


@dataclass(slots=True)
class Read:
    """What one variant Observation became.

    Attributes
    ----------
    alterations
        Objects of the case.
    unclear
        Genes that it says something about which could not be read; ``*`` when not even the gene is known.
    """

    resource: Resource
    alterations: list[dict[str, Any]] = field(default_factory=list)
    unclear: set[str] = field(default_factory=set)


def read_variant_of(context: Context, one: Observed, blood: bool) -> Read:
    """Read one variant."""
    found = Read(one.resource)
    parts = read_parts(context, one.resource)
    symbols = _symbols(context, one, parts, found)
    said = presence(one.holder)
    if parts.own.get("kind") and len(symbols) == 1:
        _add(context, one, found, stated(parts, symbols[0]))
    elif said in {"", "undecided"}:
        found.unclear |= set(symbols) or {"*"}
        _undecided(context, one, said)
    elif said == "absent":
        _absent(context, one, parts, symbols, found, blood)
    else:
        _present(context, one, parts, symbols, found)
    return found


def _undecided(context: Context, one: Observed, said: str) -> None:
    if said or absent(one.holder):
        context.notes.left(one.resource, "Observation.value", f"neither present nor absent: {shown(one.holder)}")
    else:
        context.not_used("variant_without_value", NAME, one, "a variant without present or absent says nothing")


def stated(parts: Parts, symbol: str) -> dict[str, Any]:
    """Return a finding whose fields our own codes give; what has a public code is read from that."""
    found = {name: value for name, value in parts.own.items() if name in _STATED and value is not None}
    found["gene"] = symbol
    for slot, name in (("protein", "protein_change"), ("cdna", "cdna_change")):
        if name not in found and parts.notation(slot):
            found[name] = parts.notation(slot)
    if "exon" in found:
        found["exon"] = int(found["exon"])
    return {**found, **_common(parts)}


def _symbols(context: Context, one: Observed, parts: Parts, found: Read) -> list[str]:
    """Return the genes that count; genes whose id and name differ do not, unless the whole set is the same."""
    if swapped(parts.genes):
        names = ", ".join(sorted(gene.by_name for gene in parts.genes if gene.disputed))
        context.notes.say(
            "gene_ids_swapped",
            f"HGNC ids do not belong to the names {names}; the set of genes is the same either way",
            NAME,
            one.resource,
            "Observation.component",
        )
        symbols = [gene.by_name if gene.disputed else gene.symbol for gene in parts.genes]
    else:
        for gene in parts.genes:
            if gene.disputed:
                found.unclear |= {name for name in (gene.by_id, gene.by_name) if name.isalnum()} or {"*"}
                message = f"the id is {gene.by_id}, the name is {gene.by_name}; the finding is not used"
                context.notes.say_and_leave("gene_conflict", message, NAME, one.resource, "Observation.component")
        symbols = [gene.symbol for gene in parts.genes if gene.symbol]
    if not parts.genes and parts.own.get("gene_of_text"):
        symbols = [parts.own["gene_of_text"]]
    if any(gene.disputed for gene in parts.genes) and not swapped(parts.genes):
        return []
    return list(dict.fromkeys(symbols))


def _absent(context: Context, one: Observed, parts: Parts, symbols: list[str], found: Read, blood: bool) -> None:
    if not symbols:
        _unclear(context, one, found, symbols, "an absent variant without a gene")
        return
    kind = kind_of(parts, len(symbols))
    status = "not_detected" if blood else "absent"
    if kind.name == "fusion" and len(symbols) == 2 and not kind.note:
        _add(context, one, found, _fusion(context, one, parts, symbols, status))
        return
    notation = _notation(context, one, parts, symbols) if len(symbols) == 1 and kind.name == "mutation" else {}
    if notation is None:
        found.unclear |= set(symbols)
        return
    name = kind.name if kind.name and not kind.note else "mutation"  # two genes without a type are two negatives
    for symbol in symbols:
        _add(context, one, found, {"gene": symbol, "kind": name, "status": status, **notation})


def _present(context: Context, one: Observed, parts: Parts, symbols: list[str], found: Read) -> None:
    kind = kind_of(parts, len(symbols))
    if not symbols or kind.problem:
        _unclear(context, one, found, symbols, kind.why if symbols else "a variant without a gene", kind.problem)
        return
    common = _common(parts)
    if kind.name == "fusion":
        if kind.note:
            context.notes.say(kind.note, kind.why, NAME, one.resource, "Observation.component")
        if parts.notation("misplaced") or parts.notation("cdna") or parts.notation("protein"):
            context.notes.say(
                "fusion_with_hgvs",
                "a small change is written beside a fusion; the fusion is used",
                NAME,
                one.resource,
                "Observation.component",
            )
        _add(context, one, found, {**_fusion(context, one, parts, symbols, "present"), **common})
    elif kind.name in {"amplification", "deletion"}:
        exact = {} if parts.copies is None or parts.copies_are_bounds else {"copies": parts.copies[0]}
        _add(context, one, found, {"gene": symbols[0], "kind": kind.name, **exact, **common})
    else:
        notation = _notation(context, one, parts, symbols)
        if parts.copies is not None:
            context.notes.left(one.resource, "Observation.component", "copies beside a small change are not used")
        if notation is None:
            found.unclear |= set(symbols)
        else:
            _add(context, one, found, {"gene": symbols[0], "kind": "mutation", **notation, **common})


def _common(parts: Parts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if parts.vaf is not None:
        found["vaf"] = parts.vaf
    if parts.origin:
        found["origin"] = parts.origin
    return found


def _notation(context: Context, one: Observed, parts: Parts, symbols: list[str]) -> dict[str, Any] | None:
    """Return the fields that say which change it is; None when two notations of one slot differ."""
    found: dict[str, Any] = {}
    for slot, name in (("protein", "protein_change"), ("cdna", "cdna_change")):
        written = parts.notations.get(slot) or parts.notations.get(f"{slot}_of_text") or []
        if len({_canonical(symbols[0], slot, form) for form in written}) > 1:
            message = f"two {slot} notations differ: {', '.join(written[:3])}"
            context.notes.say_and_leave("display_conflict", message, NAME, one.resource, "Observation.component")
            return None
        if written:
            found[name] = written[0]
    said = classification(parts)
    if said and _fits(symbols[0], found, said):
        found["variant_classification"] = said
    elif said:
        context.notes.say(
            "consequence_conflict",
            f"{said} does not fit the notation, which counts",
            NAME,
            one.resource,
            "Observation.component",
        )
    return found


def _canonical(gene: str, slot: str, written: str) -> str:
    try:
        return read_variant(gene, **{slot: written}).text
    except UnreadableAlteration:
        return written


def _fits(gene: str, notation: dict[str, Any], said: str) -> bool:
    """Return whether a consequence is the kind of change that the protein notation is; a splice site fits many."""
    protein = notation.get("protein_change")
    if not protein:
        return True
    try:
        by_notation, by_word = read_variant(gene, protein).kind, read_variant(gene, classification=said).kind
    except UnreadableAlteration:
        return True
    loose = {"unknown", "splice", "noncoding", "delins", "inframe_deletion", "inframe_insertion", "duplication"}
    return by_notation == by_word or by_notation in loose or by_word in loose


def _fusion(context: Context, one: Observed, parts: Parts, symbols: list[str], status: str) -> dict[str, Any]:
    """Return the fusion: of two genes that both drive, the one written last, where the kinase domain lies (5'::3')."""
    finding: dict[str, Any] = {"gene": symbols[0], "kind": "fusion"}
    if status != "present":
        finding["status"] = status
    if len(symbols) == 1:
        return {**finding, "partner": parts.partner} if parts.partner else finding
    first, last = symbols[0], symbols[1]
    if {first, last} <= driving_genes():
        message = f"{first} and {last} both drive fusions; {last}, written last, is taken for the driving one"
        context.notes.say("fusion_both_drive", message, NAME, one.resource, "Observation.component")
        return {**finding, "gene": last, "partner": first}
    return {**finding, "partner": last} if first in driving_genes() else {**finding, "gene": last, "partner": first}


def _unclear(context: Context, one: Observed, found: Read, symbols: list[str], why: str, code: str = "") -> None:
    found.unclear |= set(symbols) or ({"*"} if not found.unclear else set())
    context.notes.say_and_leave(code or "variant_unclear", why, NAME, one.resource, "Observation.component")


def _add(context: Context, one: Observed, found: Read, finding: dict[str, Any]) -> None:
    """Add a finding that the record accepts; else its gene is unclear."""
    try:
        Alteration.model_validate(finding)
    except ValidationError as refused:
        found.unclear.add(str(finding["gene"]))
        why = str(refused.errors(include_url=False, include_input=False)[0]["msg"])
        context.notes.say_and_leave("not_read", why[:200], NAME, one.resource, "Observation.component")
        return
    found.alterations.append(finding)
    context.notes.took(NAME, _text(finding), one.resource, "Observation", "")


def _text(finding: dict[str, Any]) -> str:
    """Return a finding in one line, for the list of what was taken."""
    detail = (
        finding.get("protein_change") or finding.get("cdna_change") or finding.get("partner") or finding.get("level")
    )
    parts = [finding["gene"], finding["kind"], detail, finding.get("status")]
    return " ".join(str(part) for part in parts if part)
