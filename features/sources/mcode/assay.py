"""Findings by specimen: what each specimen's assay tested, what was found, and which genes stay unclear.

A gene that was tested and has no finding is wild-type, so a gene of which something was said that could not be read, or
a report of which a result is missing, takes the gene (or all genes) out of what counts as tested.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from features import panels
from features.sources.mcode.gene_codes import several_genes
from features.sources.mcode.observations import components
from features.sources.mcode.plain import number, record, records, text, value_of
from features.sources.mcode.specimens import source_of_specimen, specimens_of, tumour_specimen
from features.sources.mcode.systems import concept
from features.sources.mcode.variants import NAME, read_variant_of
from features.sources.mcode.when import collected

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Resource
    from features.sources.mcode.observations import Observed

EVERY = "*"


@dataclass(slots=True)
class Group:
    """What is known of one specimen (None: of results that name none)."""

    specimen: Resource | None
    alterations: list[dict[str, Any]] = field(default_factory=list)
    recorded: bool = False
    unclear: set[str] = field(default_factory=set)
    tested: set[str] | None = None
    panels: set[str] = field(default_factory=set)
    purity: float | None = None
    stated: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        self.source = source_of_specimen(self.specimen) if self.specimen is not None else ""


def read_findings(context: Context, receptors: list[dict[str, Any]]) -> dict[str, Any]:
    """Return ``specimen``, ``assay`` and ``alterations``, or ``specimens`` where several have findings."""
    groups: dict[Resource | None, Group] = {}
    for one in _in_time(context, "variant"):
        group = _group(context, groups, one.resource)
        read = read_variant_of(context, one, group.source == "blood")
        group.alterations.extend(read.alterations)
        group.unclear |= read.unclear
        group.panels |= _panels(context, one.resource)
    _set_aside(context, groups)
    _regions(context, groups)
    _own(context, groups)
    if receptors:
        _group_of_receptors(groups).alterations.extend(receptors)
    merged = _merged(context, groups)
    return _written(context, merged)


def _in_time(context: Context, topic: str) -> list[Observed]:
    found = []
    for one in context.observed.get(topic, ()):
        if context.day.is_after(one.when):
            context.notes.say_and_leave("after_index", "dated after the index date", NAME, one.resource, one.path)
        else:
            found.append(one)
    return found


def _set_aside(context: Context, groups: dict[Resource | None, Group]) -> None:
    """Take the genes of observations that are not used out of what counts as tested."""
    for resource in context.set_aside:
        named = [component for part, _, component, _ in components(resource) if part == "gene"]
        if named:
            found = [one for component in named for one in several_genes(concept(value_of(component)[1]))]
            unclear = {name for one in found for name in (one.symbol, one.by_id, one.by_name) if name}
            _group(context, groups, resource).unclear |= unclear or {EVERY}


def _group(context: Context, groups: dict[Resource | None, Group], result: Resource) -> Group:
    listed = specimens_of(context.index, result)
    specimen = tumour_specimen(listed)
    if len(listed) > 1 and specimen is not None:
        context.notes.say("matched_normal", "tumour and blood in one report; the findings are of the tumour", NAME, specimen, "Specimen")
    if specimen not in groups:
        groups[specimen] = Group(specimen)
    return groups[specimen]


def _group_of_receptors(groups: dict[Resource | None, Group]) -> Group:
    tissue = [one for one in groups.values() if one.source != "blood"]
    return tissue[0] if len(tissue) == 1 else groups.setdefault(None, Group(None))


def _panels(context: Context, result: Resource) -> set[str]:
    """Return the names of the panel that was ordered for a result, and of a report that is named after its panel."""
    found: set[str] = set()
    for holder in (result, *context.index.reports_of(result)):
        for order in context.index.find_all(holder.body.get("basedOn"), holder):
            words = concept(order.body.get("code")).words
            found |= {next((name for name in words if panels.find(name)), words[0])} if words else set()
        if holder is not result:
            found |= {name for name in concept(holder.body.get("code")).words if panels.find(name)}
    return {name for name in found if len(name) <= 200}


def _regions(context: Context, groups: dict[Resource | None, Group]) -> None:
    for one in _in_time(context, "regions_studied"):
        group = _group(context, groups, one.resource)
        group.panels |= _panels(context, one.resource)
        for part, code, component, path in components(one.resource):
            if part == "gene":
                _tested(context, one.resource, component, path, group)
            elif code.codings and value_of(component)[0]:
                context.notes.left(one.resource, path, "of a region studied only the genes are read", code.shown)


def _tested(context: Context, resource: Resource, component: dict[str, Any], path: str, group: Group) -> None:
    for gene in several_genes(concept(value_of(component)[1])):
        if gene.symbol:
            group.tested = (group.tested or set()) | {gene.symbol}
            context.notes.took("assay.genes_tested", gene.symbol, resource, path)
        elif gene.disputed:
            group.tested = group.tested or set()
            message = f"the id is {gene.by_id}, the name is {gene.by_name}; neither counts as tested"
            context.notes.say_and_leave("gene_conflict", message, "assay.genes_tested", resource, path)


def _own(context: Context, groups: dict[Resource | None, Group]) -> None:
    """Read what our own writer says of a specimen beside its findings; such a specimen is joined with no other."""
    for one in context.observed.get("own:specimen", ()):
        _group(context, groups, one.resource).stated = True
    for one in context.observed.get("own:specimen.tumor_purity", ()):
        value = value_of(one.holder)[1]
        _group(context, groups, one.resource).purity = number(record(value).get("value") if isinstance(value, dict) else value)
    for one in context.observed.get("own:alterations", ()):
        _group(context, groups, one.resource).recorded = True
    for one in context.observed.get("own:assay.panel", ()):
        name = text(value_of(one.holder)[1])
        _group(context, groups, one.resource).panels |= {name} if name and len(name) <= 200 else set()
    for one in context.observed.get("own:assay.genes_tested", ()):
        group = _group(context, groups, one.resource)
        group.tested = group.tested or set()


def _merged(context: Context, groups: dict[Resource | None, Group]) -> list[Group]:
    """Put results without a specimen to the only specimen there is, and germline findings of blood to the tumour."""
    for group in [one for one in groups.values() if one.source == "blood" and not one.stated]:
        others = [one for one in groups.values() if one is not group and one.source != "blood"]
        if len(others) == 1 and group.alterations and all(a.get("origin") == "germline" for a in group.alterations):
            _join(others[0], groups.pop(group.specimen))
    if len(groups) == 2 and None in groups:
        _join(next(one for one in groups.values() if one.specimen is not None), groups.pop(None))
    if not groups:
        tumour = tumour_specimen(list(context.index.of_kind("Specimen")))
        if tumour is not None:
            groups[tumour] = Group(tumour)
    kept = [one for one in groups.values() if not _after(context, one)]
    return sorted(kept, key=lambda one: one.specimen.reference if one.specimen is not None else "")


def _join(into: Group, other: Group) -> None:
    into.alterations.extend(other.alterations)
    into.unclear |= other.unclear
    into.panels |= other.panels
    into.recorded |= other.recorded
    into.tested = into.tested if other.tested is None else (into.tested or set()) | other.tested
    into.purity = other.purity if into.purity is None else into.purity


def _after(context: Context, group: Group) -> bool:
    if group.specimen is None or not context.day.is_after(collected(group.specimen.body)):
        return False
    context.notes.say_and_leave("after_index", "taken after the index date", "specimen", group.specimen, "Specimen.collection")
    return True


def _written(context: Context, groups: list[Group]) -> dict[str, Any]:
    parts = [_one(context, group) for group in groups]
    parts = [one for one in parts if any(value is not None and value != {} for value in one.values())]
    if len(parts) > 1:
        flat = [{**one["specimen"], "assay": one["assay"] or None, "alterations": one["alterations"]} for one in parts]
        return {"specimens": sorted((_without_none(one) for one in flat), key=_key)}
    return _without_none({name: value or None if value == {} else value for name, value in parts[0].items()}) if parts else {}


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
        context.notes.took("specimen.days_before_index", days, group.specimen, "Specimen.collection", "counted from its date")
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
    unclear = group.unclear | ({EVERY} if _something_is_missing(context) else set())
    if unclear and (tested is not None or (known is not None and known.exome)):
        left = set() if EVERY in unclear else (tested or set()) - unclear
        if left != tested:
            shown = "all genes" if EVERY in unclear else ", ".join(sorted(unclear)[:10])
            context.notes.say("findings_incomplete", f"not read or not sent: {shown}; without a finding they are unknown, not wild-type", "assay.genes_tested", group.specimen)
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
    return json.dumps(value, sort_keys=True)


def _without_none(value: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if item is not None}
