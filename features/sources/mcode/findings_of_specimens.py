"""A specimen's findings while they are gathered, and how they are written into the case.

A gene that was tested and has no finding is wild-type, so a gene of which something was said that could not be read, or
a report of which a result is missing, takes the gene (or all genes) out of what counts as tested.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from features import panels
from features.sources.mcode.plain import records, text
from features.sources.mcode.specimens import source_of_specimen
from features.sources.mcode.variants import NAME
from features.sources.mcode.when import collected

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Resource

EVERY = "*"


@dataclass(slots=True)
class Group:
    """What is known of one specimen (None: of results that name none).

    ``recorded`` says that its findings were recorded even where there are none; ``sequenced`` that a variant, present
    or absent, was sent at all: stains alone say nothing of the genes that a panel tested.
    """

    specimen: Resource | None
    alterations: list[dict[str, Any]] = field(default_factory=list)
    recorded: bool = False
    sequenced: bool = False
    unclear: set[str] = field(default_factory=set)
    tested: set[str] | None = None
    panels: set[str] = field(default_factory=set)
    purity: float | None = None
    stated: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        self.source = source_of_specimen(self.specimen) if self.specimen is not None else ""


def written(context: Context, groups: list[Group]) -> dict[str, Any]:
    """Return ``specimen``, ``assay`` and ``alterations`` of one group, ``specimens`` of several; {} of none."""
    parts = [_one(context, group) for group in groups]
    parts = [one for one in parts if any(value is not None and value != {} for value in one.values())]
    if len(parts) > 1:
        flat = [{**one["specimen"], "assay": one["assay"] or None, "alterations": one["alterations"]} for one in parts]
        return {"specimens": sorted((_without_none(one) for one in flat), key=_key)}
    return (
        _without_none({name: value or None if value == {} else value for name, value in parts[0].items()})
        if parts
        else {}
    )


def _one(context: Context, group: Group) -> dict[str, Any]:
    alterations = _alterations(context, group)  # first: what contradicts itself leaves a gene unclear
    return {"specimen": _specimen(context, group), "assay": _assay(context, group), "alterations": alterations}


def _specimen(context: Context, group: Group) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if group.purity is not None:
        found["tumor_purity"] = group.purity
    if group.specimen is None:
        return found
    if group.source:
        found["source"] = group.source
        context.notes.took("specimen.source", group.source, group.specimen, "Specimen.type")
    days = context.day.days_before(collected(group.specimen.body))
    if days is not None:
        found["days_before_index"] = days
        context.notes.took(
            "specimen.days_before_index", days, group.specimen, "Specimen.collection", "counted from its date"
        )
    return found


def _assay(context: Context, group: Group) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if len(group.panels) == 1:
        found["panel"] = next(iter(group.panels))
        context.notes.took("assay.panel", found["panel"], group.specimen, "ServiceRequest.code")
    elif group.panels:
        context.notes.say("conflicting_values", "several panels are named; none is used", "assay.panel")
    known = panels.find(found["panel"]) if found else None
    tested = group.tested if group.tested is not None else (set(known.genes) if known and known.genes else None)
    unsent = bool(group.alterations) and not (group.sequenced or group.recorded)  # stains only: no variants were sent
    unclear = group.unclear | ({EVERY} if unsent or _something_is_missing(context) else set())
    if unclear and (tested is not None or (known is not None and known.exome)):
        left = set() if EVERY in unclear else (tested or set()) - unclear
        if left != tested:
            shown = "all genes" if EVERY in unclear else ", ".join(sorted(unclear)[:10])
            context.notes.say(
                "findings_incomplete",
                f"not read or not sent: {shown}; without a finding they are unknown, not wild-type",
                "assay.genes_tested",
                group.specimen,
            )
        found["genes_tested"] = sorted(left)
    elif group.tested is not None:
        found["genes_tested"] = sorted(group.tested)
    return found


def _something_is_missing(context: Context) -> bool:
    """Return whether a finding may not have been sent: a page, an entry that is none, a result that is not here."""
    if context.gathered.incomplete or context.gathered.unreadable:
        return True
    return any(
        text(one.get("reference")) and context.index.find(one, report) is None
        for report in context.index.of_kind("DiagnosticReport")
        for one in records(report.body.get("result"))
    )


def _alterations(context: Context, group: Group) -> list[dict[str, Any]] | None:
    found = {_key(one): one for one in group.alterations}
    kept = _agreeing(context, list(found.values()), group)
    if not kept:
        return [] if group.recorded else None
    return sorted(kept, key=_key)


def _agreeing(context: Context, findings: list[dict[str, Any]], group: Group) -> list[dict[str, Any]]:
    """Leave out what contradicts itself: a negative beside a finding, and one change said to be present and absent."""
    if all("status" not in one for one in findings):
        return findings
    present, exact = Counter(map(_of_gene, _those(findings, True))), Counter(map(_exactly, _those(findings, True)))
    negative = Counter(map(_exactly, _those(findings, False)))
    kept = []
    for one in findings:
        contradicted = _exactly(one) in exact and _exactly(one) in negative
        beside = "status" in one and _of_gene(one) in present and not _says_which(one)
        if contradicted or beside:
            group.unclear.add(one["gene"])
            message = f"{one['gene']} {one['kind']} is said to be present and absent; what contradicts is not used"
            context.notes.say("conflicting_values", message, NAME)
        if not (beside or (contradicted and _says_which(one))):
            kept.append(one)
    return kept


def _those(findings: list[dict[str, Any]], are_present: bool) -> list[dict[str, Any]]:
    return [one for one in findings if ("status" not in one) is are_present]


def _of_gene(one: dict[str, Any]) -> tuple[str, str]:
    return one["gene"], one["kind"]


def _exactly(one: dict[str, Any]) -> tuple[str, ...]:
    named = ("gene", "kind", "protein_change", "cdna_change", "exon", "partner", "level")
    return tuple(str(one.get(name, "")) for name in named)


def _says_which(one: dict[str, Any]) -> bool:
    return any(name in one for name in ("protein_change", "cdna_change", "exon", "partner", "level"))


def _key(value: dict[str, Any]) -> str:
    return repr(sorted(value.items()))


def _without_none(value: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if item is not None}
