"""What ``$predict-response`` was asked: the record, the therapies, and where each came from.

Therapies, in this order: the parameter ``therapy``; else the drafted orders of the bundle; else every therapy that the
served models can judge, ranked as POST /rank does and cut at ``limit``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.errors import seen_text
from features.sources.mcode import BundleRefused, OrderedTherapies, read_bundle, therapies_of_orders
from features.vocabulary import nearest
from serving.body import MOST_THERAPIES, read_object
from serving.fhir.refusals import WrongParameter, WrongResource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from features.sources.mcode import ReadCase

RESOURCES = ("Parameters", "Bundle")
NAMES = ("patient", "bundle", "resource", "therapy", "priorLines", "indexDate", "condition", "limit")
"""Names of parameters; the first three hold the record, and so does any of them."""

DEFAULT_LIMIT, MOST_LIMIT = 10, 50
"""Therapies answered for when none is named."""

STANDS_FOR_ALL = {"class": "pd1_pdl1"}
"""The therapy that the case is read with when none is named; each therapy then takes its place."""

NO_ORDERS = OrderedTherapies((), (), ())
_DRAFTED = ("MedicationRequest", "draft")


@dataclass(frozen=True)
class Asked:
    """One request, read.

    Attributes
    ----------
    read
        The record as a case per therapy, with where every value came from.
    every_therapy
        Whether no therapy was named, so that all are ranked.
    limit
        How many of those are answered.
    ordered
        The drafted orders: therapies, and those that are no cancer drug or whose drug cannot be told.
    """

    read: ReadCase
    every_therapy: bool
    limit: int
    ordered: OrderedTherapies = NO_ORDERS


def read_operation(body: bytes) -> Asked:
    """Read the body of the operation.

    Raises
    ------
    NotJson, NotAnObject, WrongResource, WrongParameter
        When it is not Parameters or a Bundle of FHIR JSON.
    BundleRefusal
        When the record cannot be read, or does not hold what a case needs.
    """
    raw = read_object(body)
    if raw.get("resourceType") not in RESOURCES:
        raise WrongResource(
            f"the resource is {seen_text(raw.get('resourceType'))}", field="resourceType", allowed=RESOURCES
        )
    limit = _parameters(raw) if raw["resourceType"] == "Parameters" else DEFAULT_LIMIT
    asked = _asked(raw, limit)
    asked.read.raise_for_errors()
    if len(asked.read.cases) > MOST_THERAPIES:
        raise WrongParameter(f"{len(asked.read.cases)} therapies; at most {MOST_THERAPIES} fit one request")
    return asked


def _asked(raw: Mapping[str, Any], limit: int) -> Asked:
    if any(one.get("name") == "therapy" for one in _objects(raw.get("parameter"))):
        return Asked(read_bundle(raw), every_therapy=False, limit=limit)
    drafts = list(_drafts(raw))
    drafted = therapies_of_orders(drafts, resources=raw) if drafts else NO_ORDERS
    if drafted.therapies:
        read = read_bundle(raw, therapy=list(drafted.therapies))
        return Asked(read, every_therapy=False, limit=limit, ordered=drafted)
    if drafted.findings:  # a drug that cannot be told: ranking all others would answer another question
        raise BundleRefused(drafted.findings)
    return Asked(read_bundle(raw, therapy=STANDS_FOR_ALL), every_therapy=True, limit=limit, ordered=drafted)


def _drafts(raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the drafted orders of a bundle, also of one inside Parameters."""
    for parameter in _objects(raw.get("parameter")):
        if isinstance(inner := parameter.get("resource"), dict):
            yield from _drafts(inner)
    for entry in _objects(raw.get("entry")):
        resource = entry.get("resource")
        if isinstance(resource, dict) and (resource.get("resourceType"), resource.get("status")) == _DRAFTED:
            yield resource


def _parameters(raw: Mapping[str, Any]) -> int:
    """Check the names of the parameters; return the limit."""
    limit: Any = DEFAULT_LIMIT
    for place, parameter in enumerate(_objects(raw.get("parameter"))):
        name = parameter.get("name")
        if name not in NAMES:
            raise WrongParameter(
                f"there is no parameter {seen_text(name)}",
                field=f"Parameters.parameter[{place}].name",
                allowed=nearest(str(name), NAMES) or NAMES,
            )
        if name == "limit":
            limit = parameter.get("valueInteger", parameter.get("valuePositiveInt"))
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_LIMIT:
        raise WrongParameter(f"limit is a whole number from 1 to {MOST_LIMIT}, seen {seen_text(limit)}", field="limit")
    return limit


def _objects(found: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list; anything else is not there, and reading the bundle says so."""
    if isinstance(found, list):
        yield from (one for one in found if isinstance(one, dict))
