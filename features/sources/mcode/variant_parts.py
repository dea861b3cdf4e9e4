"""The components of one genomic variant, read: genes, HGVS, consequence, allele fraction, copies, source class."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from features.errors import UnreadableAlteration
from features.sources.mcode import codes
from features.sources.mcode.gene_codes import Gene, several_genes, symbol_of
from features.sources.mcode.observations import absent, components
from features.sources.mcode.plain import number, record, text, value_of
from features.sources.mcode.systems import Concept, concept
from features.sources.mcode.units import measure
from features.variants import kind_of_classification

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Resource
    from features.sources.mcode.plain import Json

_ACCESSION = re.compile(r"^[^:]{1,60}:(?=[pcgmn]\.)")
_CLINVAR = re.compile(r"[^()]*\((?P<gene>[A-Za-z0-9-]+)\):(?P<cdna>c\.[^ ]+)(?: \((?P<protein>p\.[^)]+)\))?")
_FUSION_TEXT = re.compile(r"([A-Za-z0-9-]+)(?:::|--)([A-Za-z0-9-]+)(?: fusion)?", re.IGNORECASE)


@dataclass(slots=True)
class Parts:
    """What the components of a variant say.

    Attributes
    ----------
    notations
        HGVS without accession, by slot: ``protein``, ``cdna``, ``genomic``; several of one slot are a contradiction.
    changes
        Codes of consequence and change types (``SO:0001583``, ``LA6698-0``) and their words, lower case.
    copies
        Lowest and highest number of copies.
    own
        Fields sent by our own codes: ``kind``, ``exon``, ``cancer_cell_fraction`` and so on.
    problems
        Codes and words of what makes the variant unclear.
    """

    genes: list[Gene] = field(default_factory=list)
    notations: dict[str, list[str]] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    vaf: float | None = None
    origin: str = ""
    copies: tuple[float, float] | None = None
    copies_are_bounds: bool = False
    partner: str = ""
    own: dict[str, Any] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def notation(self, slot: str) -> str:
        """Return the one notation of a slot, "" when it has none."""
        found = self.notations.get(slot, [])
        return found[0] if found else ""


def read_parts(context: Context, resource: Resource) -> Parts:
    """Read all components of a variant; those that carry no input are passed over, unknown ones are listed."""
    found = Parts()
    for part, code, component, path in components(resource):
        if part.startswith("own:"):
            found.own[part.removeprefix("own:")] = _plain(component)
        elif part in _READERS:
            if not absent(component):
                _READERS[part](context, resource, component, path, found)
        elif part not in codes.CARRIES_NO_INPUT and value_of(component)[0]:
            context.notes.left(resource, path, "a component that is no input", code.shown)
    return found


def _plain(component: Json) -> Any:
    kind, value = value_of(component)
    if kind == "Quantity":
        return number(record(value).get("value"))
    return text(value) if kind in {"String", "Code"} else number(value) if kind in {"Integer", "Decimal"} else value


def _concept(component: Json) -> Concept:
    kind, value = value_of(component)
    return concept(value) if kind in {"CodeableConcept", "Coding", "String"} else Concept()


def _genes(context: Context, resource: Resource, component: Json, path: str, found: Parts) -> None:
    said = _concept(component)
    named = [one for one in several_genes(said) if one.symbol or one.disputed]
    found.genes.extend(named)
    if not named and (said.codings or said.text):
        found.problems.append(
            ("gene_conflict", f"the gene is not understood: {' '.join(said.words[:1]) or said.shown}")
        )
    for one in named:
        if one.secondary:
            message = f"{one.symbol} carries a second id that is {one.secondary}; {one.symbol} counts"
            context.notes.say("gene_conflict", message, "alterations", resource, path)


def _hgvs(slot: str, letter: str) -> Any:
    form = re.compile(rf"{letter}\.|[^:]+:{letter}\.")

    def read(_: Context, __: Resource, component: Json, ___: str, found: Parts) -> None:
        said = _concept(component)
        written = [one.code for one in said.codings if one.code] or list(said.words)
        forms = {bare(one) for one in (*written, *said.words) if form.match(one)}
        if not forms and written:
            if slot == "genomic" and any(":c." in one for one in written):
                found.notations.setdefault("misplaced", []).append(bare(written[0]))
                return
            forms = {bare(written[0])}
        listed = found.notations.setdefault(slot, [])
        listed.extend(form for form in sorted(forms) if form not in listed)

    return read


def bare(notation: str) -> str:
    """Return an HGVS notation without its reference sequence.

    Examples
    --------
    >>> bare("NP_004647.1:p.(Gln590Ter)"), bare("NC_000003.11(NM_004656.4):c.1768C>T")
    ('p.(Gln590Ter)', 'c.1768C>T')
    """
    return _ACCESSION.sub("", notation.strip())


def _variation(_: Context, __: Resource, component: Json, ___: str, found: Parts) -> None:
    """Read ClinVar's name of a variant, or a fusion that is written out; an id alone says nothing here."""
    for words in _concept(component).words:
        if hit := _CLINVAR.fullmatch(words):
            for slot in ("cdna", "protein"):
                if hit[slot]:
                    found.notations.setdefault(f"{slot}_of_text", []).append(hit[slot])
            found.own.setdefault("gene_of_text", symbol_of(hit["gene"]))
        elif (hit := _FUSION_TEXT.fullmatch(words)) and symbol_of(hit[1]) and symbol_of(hit[2]):
            found.partner = f"{symbol_of(hit[1])}::{symbol_of(hit[2])}"


def _changes(_: Context, __: Resource, component: Json, ___: str, found: Parts) -> None:
    said = _concept(component)
    found.changes.extend(one.code for one in said.codings if one.system in {"so", "loinc"} and one.code)
    found.changes.extend(words.strip().lower() for words in said.words)


def _vaf(context: Context, resource: Resource, component: Json, path: str, found: Parts) -> None:
    kind, value = value_of(component)
    body = record(value)
    read = measure(value, "fraction") if kind == "Quantity" else None
    bare_number = number(body.get("value")) if kind == "Quantity" else number(value)
    has_unit = bool(text(body.get("code")) or text(body.get("unit")))
    if read is not None and not read.problem and read.value is not None and 0 <= read.value <= 1:
        found.vaf = read.value
        if read.factor != 1:
            found.own["vaf_note"] = f"converted from {read.seen}"
    elif not has_unit and not text(body.get("comparator")) and bare_number is not None and 0 <= bare_number <= 1:
        found.vaf = bare_number
    elif kind:
        message = f"allele fraction not used: {read.seen if read else kind}"
        context.notes.say_and_leave("unit_not_understood", message, "alterations", resource, path)


def _origin(context: Context, resource: Resource, component: Json, path: str, found: Parts) -> None:
    said = _concept(component)
    known = {codes.ORIGIN[code] for code in said.codes("loinc") if code in codes.ORIGIN}
    known = known or {word for words in said.words if (word := words.lower()) in {"somatic", "germline"}}
    if len(known) == 1:
        found.origin = known.pop()
    else:
        context.notes.left(resource, path, "source class is neither somatic nor germline", said.shown)


def _copies(context: Context, resource: Resource, component: Json, path: str, found: Parts) -> None:
    kind, value = value_of(component)
    body = record(value)
    if kind == "Range":
        low, high = measure(body.get("low"), "copies"), measure(body.get("high"), "copies")
        ends = (low.value if low.value is not None else 0.0, high.value if high.value is not None else float("inf"))
        usable = not {low.problem, high.problem} & {"unit_not_understood"} and low.value != high.value is not None
        found.copies, found.copies_are_bounds = (ends, ends[0] != ends[1]) if usable else (None, False)
    elif kind in {"Integer", "Decimal"}:
        exact = number(value)
        found.copies = None if exact is None else (exact, exact)
    elif kind == "Quantity":
        read = measure(value, "copies")
        if read.value is not None:
            up = read.comparator.startswith(">")
            bounds = {"": (read.value, read.value)}.get(
                read.comparator, (read.value, float("inf")) if up else (0.0, read.value)
            )
            found.copies, found.copies_are_bounds = bounds, bool(read.comparator)
    if found.copies is None:
        context.notes.left(resource, path, "copy number not understood")


_READERS = {
    "gene": _genes,
    "protein": _hgvs("protein", "p"),
    "cdna": _hgvs("cdna", "[cn]"),
    "genomic": _hgvs("genomic", "[gm]"),
    "variation": _variation,
    "consequence": _changes,
    "protein_change_type": _changes,
    "dna_change_type": _changes,
    "vaf": _vaf,
    "source_class": _origin,
    "copies": _copies,
}


def classification(parts: Parts) -> str:
    """Return the consequence as the record spells it, "" when none is readable or two differ."""
    found = {said for one in parts.changes if (said := _word(one))}
    kinds = {kind_of_classification(one) for one in found}
    if len(kinds) != 1:
        return ""
    terms = sorted(one for one in found if one.endswith("_variant") or "_" in one) or sorted(found)
    return terms[0]


def _word(change: str) -> str:
    coded = codes.CONSEQUENCE.get(change) or codes.CHANGE_TYPE.get(change)
    if coded:
        return coded
    try:
        return change if kind_of_classification(change) != "unknown" else ""
    except UnreadableAlteration:
        return ""
