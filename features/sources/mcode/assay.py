"""Findings by specimen: variants, regions studied and panels put to the specimen that they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features import panels
from features.sources.mcode.findings_of_specimens import EVERY, Group, written
from features.sources.mcode.gene_codes import several_genes
from features.sources.mcode.observations import components
from features.sources.mcode.plain import number, record, text, value_of
from features.sources.mcode.specimens import specimens_of, tumour_specimen
from features.sources.mcode.systems import concept
from features.sources.mcode.variants import NAME, read_variant_of
from features.sources.mcode.when import collected

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Resource
    from features.sources.mcode.observations import Observed


def read_findings(context: Context, receptors: list[dict[str, Any]]) -> dict[str, Any]:
    """Return ``specimen``, ``assay`` and ``alterations``, or ``specimens`` where several have findings."""
    groups: dict[Resource | None, Group] = {}
    for one in _in_time(context, "variant"):
        group = _group(context, groups, one.resource)
        read = read_variant_of(context, one, group.source == "blood")
        group.sequenced = True
        group.alterations.extend(read.alterations)
        group.unclear |= read.unclear
        group.panels |= _panels(context, one.resource)
    _set_aside(context, groups)
    _regions(context, groups)
    _own(context, groups)
    if receptors:
        _group_of_receptors(groups).alterations.extend(receptors)
    merged = _merged(context, groups)
    return written(context, merged)


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
        context.notes.say(
            "matched_normal",
            "tumour and blood in one report; the findings are of the tumour",
            NAME,
            specimen,
            "Specimen",
        )
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
        _group(context, groups, one.resource).purity = number(
            record(value).get("value") if isinstance(value, dict) else value
        )
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
    into.sequenced |= other.sequenced
    into.tested = into.tested if other.tested is None else (into.tested or set()) | other.tested
    into.purity = other.purity if into.purity is None else into.purity


def _after(context: Context, group: Group) -> bool:
    if group.specimen is None or not context.day.is_after(collected(group.specimen.body)):
        return False
    context.notes.say_and_leave(
        "after_index", "taken after the index date", "specimen", group.specimen, "Specimen.collection"
    )
    return True
