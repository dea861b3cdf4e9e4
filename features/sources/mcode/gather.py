"""From any JSON to a flat list of resources: bundles, parameters, prefetch values, one resource, contained ones.

Accepted: a Bundle of any type (collection, searchset, transaction, batch-response, document, history), Parameters with
resources, one resource alone, a mapping of CDS Hooks prefetch values (null, a resource, a searchset, an
OperationOutcome), and bundles within any of these. Resources are returned in an order of their own, so that the order
of the entries can never matter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from features.sources.mcode.plain import EMPTY, Json, record, records, text
from features.sources.mcode.refusals import BundleTooDeep, BundleTooLarge, NotABundle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.sources.mcode.findings import Notes

MOST_RESOURCES = 20_000
"""Resources of one patient; a whole chart has some thousands."""

DEEPEST = 8
"""Bundles within bundles or parameters; real ones have two."""


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource as it came.

    Attributes
    ----------
    kind
        ``resourceType``.
    body
        The JSON object; never changed.
    reference
        How we name it: ``Observation/tmb``, else its fullUrl, else ``Observation (no id)``.
    full_url
        ``fullUrl`` of its entry, or "".
    holder
        The resource that contains it, None for one of its own.
    """

    kind: str
    body: Json
    reference: str
    full_url: str = ""
    holder: Resource | None = None


@dataclass(slots=True)
class Gathered:
    """What a request held, before anything clinical is read.

    ``parameters`` are the entries of a Parameters resource that carry no resource, by name. ``incomplete``: the request
    says that something was not sent; ``unreadable``: an entry is no resource, and may have been anything.
    """

    resources: list[Resource] = field(default_factory=list)
    parameters: dict[str, list[Json]] = field(default_factory=dict)
    identifier: str = ""
    timestamp: str = ""
    incomplete: bool = False
    unreadable: bool = False
    holds_fhir: bool = False


def gather(raw: object, notes: Notes) -> Gathered:
    """Return all resources of a request, sorted, once each.

    Raises
    ------
    NotABundle, BundleTooLarge, BundleTooDeep
        For what cannot be FHIR of one patient.
    """
    if not isinstance(raw, dict):
        raise NotABundle(
            f"a JSON object is asked for, seen {type(raw).__name__}", way_out="Send a Bundle or Parameters."
        )
    found = Gathered()
    _read(raw, found, notes, 0)
    if not found.holds_fhir:
        raise NotABundle(
            "the object holds no FHIR resource (no resourceType)",
            way_out="Send a Bundle, Parameters with a Bundle, or CDS Hooks prefetch values.",
        )
    found.resources = _once_each(found.resources, notes)
    return found


def _read(raw: Json, found: Gathered, notes: Notes, depth: int) -> None:
    if depth > DEEPEST:
        raise BundleTooDeep(f"bundles within bundles, more than {DEEPEST} deep", way_out="Send one flat Bundle.")
    kind = text(raw.get("resourceType"))
    if kind == "Bundle" or (not kind and isinstance(raw.get("entry"), list)):
        _read_bundle(raw, found, notes, depth)
    elif kind == "Parameters":
        found.holds_fhir = True
        for entry in records(raw.get("parameter")):
            _read_parameter(entry, found, notes, depth)
    elif kind:
        _add(raw, "", found, notes)
    elif depth == 0:
        _read_prefetch(record(raw.get("prefetch")) if "hook" in raw else raw, found, notes, depth)


def _read_bundle(raw: Json, found: Gathered, notes: Notes, depth: int) -> None:
    found.holds_fhir = True
    if depth == 0 or not found.identifier:
        found.identifier = text(record(raw.get("identifier")).get("value")) or text(raw.get("id")) or found.identifier
        found.timestamp = text(raw.get("timestamp")) or found.timestamp
    if any(text(link.get("relation")) == "next" for link in records(raw.get("link"))):
        found.incomplete = True
        notes.say("incomplete_page", "the bundle is one page of several; the other pages were not sent", path="Bundle")
    for entry in records(raw.get("entry")):
        body = entry.get("resource")
        if isinstance(body, dict):
            _take(body, text(entry.get("fullUrl")), found, notes, depth)
        elif body is not None:
            found.unreadable = True
            notes.left(None, "Bundle.entry.resource", "an entry whose resource is no object")


def _take(body: Json, full_url: str, found: Gathered, notes: Notes, depth: int) -> None:
    if text(body.get("resourceType")) in {"Bundle", "Parameters"}:
        _read(body, found, notes, depth + 1)
    else:
        _add(body, full_url, found, notes)


def _read_parameter(entry: Json, found: Gathered, notes: Notes, depth: int) -> None:
    body = entry.get("resource")
    if isinstance(body, dict):
        _take(body, "", found, notes, depth)
    elif name := text(entry.get("name")):
        found.parameters.setdefault(name, []).append(entry)


def _read_prefetch(values: Mapping[str, Any], found: Gathered, notes: Notes, depth: int) -> None:
    """Read prefetch values: null is no data; an OperationOutcome is a query that failed."""
    for key in sorted(key for key in values if isinstance(key, str)):
        for body in records(values[key]):
            inner = body if "resourceType" in body else record(body.get("resource"))
            kind = text(inner.get("resourceType"))
            if kind == "OperationOutcome":
                found.incomplete = found.holds_fhir = True
                notes.say("prefetch_failed", f"the prefetch {key[:40]!r} failed at its source", path="prefetch")
            elif kind:
                _take(inner, "", found, notes, depth)


def _add(body: Json, full_url: str, found: Gathered, notes: Notes, holder: Resource | None = None) -> None:
    kind = text(body.get("resourceType"))
    if not kind:
        found.unreadable = True
        notes.left(None, "Bundle.entry.resource", "a resource without resourceType")
        return
    if len(found.resources) >= MOST_RESOURCES:
        raise BundleTooLarge(
            f"more than {MOST_RESOURCES} resources", way_out="Send what the prefetch templates name, of one patient."
        )
    found.holds_fhir = True
    one = Resource(kind, body, _reference(kind, body, full_url, holder), full_url, holder)
    found.resources.append(one)
    if holder is None:
        for inner in records(body.get("contained")):
            _add(inner, "", found, notes, one)


def _reference(kind: str, body: Json, full_url: str, holder: Resource | None) -> str:
    identity = text(body.get("id"))
    if holder is not None:
        return f"{holder.reference}#{identity.removeprefix('#')}" if identity else f"{holder.reference}#"
    return f"{kind}/{identity}" if identity else full_url or f"{kind} (no id)"


def _once_each(resources: list[Resource], notes: Notes) -> list[Resource]:
    """Sort, drop what is there twice, and keep the newest of several versions."""
    by_name: dict[tuple[str, str], list[Resource]] = {}
    for one in resources:
        by_name.setdefault((one.kind, one.reference), []).append(one)
    kept: list[Resource] = []
    for name in sorted(by_name):
        same = by_name[name]
        kept.extend(same if len(same) == 1 else _of_one_name(same, notes))
    return kept


def _of_one_name(same: list[Resource], notes: Notes) -> list[Resource]:
    different = {_digest(one.body): one for one in same}
    bodies = [different[digest] for digest in sorted(different)]
    if len(bodies) == 1 or bodies[0].reference.endswith("(no id)") or bodies[0].reference.endswith("#"):
        return bodies
    versions = [_version(one) for one in bodies]
    newest = max(versions)
    if newest > ("", 0) and versions.count(newest) == 1:
        return [bodies[versions.index(newest)]]
    notes.say("duplicate_id", "two resources of one id say different things; both are read", source=bodies[0])
    return bodies


def _version(one: Resource) -> tuple[str, int]:
    meta = record(one.body.get("meta"))
    version = text(meta.get("versionId"))
    return text(meta.get("lastUpdated")), int(version) if version.isdecimal() and len(version) < 18 else 0


def _digest(body: Json) -> str:
    """Return the body as one sorted text; too deep a body (no FHIR is) has none."""
    try:
        return json.dumps(body, sort_keys=True, default=str)
    except (RecursionError, ValueError, TypeError):
        return ""


NO_RESOURCE = Resource("", EMPTY, "")
"""Stands for no resource where a reader needs one."""
