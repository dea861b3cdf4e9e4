"""Therapies that are asked about: from the caller, from Parameters, from the draft orders of CDS Hooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.agents import resolve_class
from features.errors import UnknownTherapyClass
from features.sources.mcode.drugs import agents_of, drug_of
from features.sources.mcode.findings import Finding, Notes, NotUnderstood, cut, in_order
from features.sources.mcode.gather import gather
from features.sources.mcode.index import Index
from features.sources.mcode.medications import medication_of, supportive_only
from features.sources.mcode.plain import EMPTY, record, records, text, texts, value_of
from features.sources.mcode.systems import Concept, concept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.sources.mcode.gather import Resource

NAME = "therapy"


@dataclass(frozen=True, slots=True)
class TherapyAsked:
    """One therapy to be estimated.

    Attributes
    ----------
    agents
        Names of the vocabulary; empty where only the class is asked about.
    regimen_class
        Class of a regimen whose agents are not given, else "".
    text
        As it was written by the caller; foreign text.
    codings
        (system alias, code, display) as received, for the outcome of a RiskAssessment.
    source
        ``request``, or the reference of the draft order.
    """

    agents: tuple[str, ...] = ()
    regimen_class: str = ""
    text: str = ""
    codings: tuple[tuple[str, str, str], ...] = ()
    source: str = "request"

    @property
    def regimen(self) -> dict[str, Any]:
        """Return the therapy as the case has it."""
        return {"class": self.regimen_class} if self.regimen_class else {"agents": list(self.agents)}


@dataclass(frozen=True, slots=True)
class OrderedTherapies:
    """Therapies of draft orders, and what else was seen among them."""

    therapies: tuple[TherapyAsked, ...]
    not_understood: tuple[NotUnderstood, ...]
    findings: tuple[Finding, ...]


def asked(given: Any, parameters: Mapping[str, list[dict[str, Any]]], notes: Notes) -> tuple[TherapyAsked, ...]:
    """Return the therapies of the caller, else those of Parameters; the same therapy twice counts once."""
    if given is not None:
        listed = list(given) if isinstance(given, (list, tuple)) and not isinstance(given, TherapyAsked) else [given]
        found = [_of_any(one, notes) for one in listed]
    else:
        found = [_of_parameter(one, notes) for one in parameters.get("therapy", [])]
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _of_any(one: Any, notes: Notes) -> TherapyAsked | None:
    if isinstance(one, TherapyAsked):
        return one
    if isinstance(one, str):
        return _of_concept(Concept((), text(one)), notes)
    if hasattr(one, "model_dump"):
        return _of_any(one.model_dump(by_alias=True, exclude_none=True), notes)
    body = record(one)
    if "agents" in body:
        return _of_agents(texts(list(body["agents"]) if isinstance(body["agents"], tuple) else body["agents"]), notes)
    if "class" in body:
        return _of_class(text(body["class"]), notes)
    return _of_concept(concept(body), notes)


def _of_parameter(entry: dict[str, Any], notes: Notes) -> TherapyAsked | None:
    parts = [
        value_of(one)[1] for one in records(entry.get("part")) if text(one.get("name")) in {"agent", "drug", "therapy"}
    ]
    if parts:
        return _of_agents([words for part in parts for words in _names(concept(part))], notes)
    kind, value = value_of(entry)
    return _of_concept(concept(value) if kind in {"CodeableConcept", "Coding", "String", "Code"} else Concept(), notes)


def _names(said: Concept) -> list[str]:
    drug = drug_of(said)
    return list(drug.agents) or [(said.words or (said.shown,))[0]]


def _of_agents(names: list[str], notes: Notes) -> TherapyAsked | None:
    found: list[str] = []
    for name in names:
        agents = agents_of(name)
        if not agents:
            return _unknown(name, notes)
        found.extend(agents)
    return TherapyAsked(tuple(sorted(set(found))), text=cut(" + ".join(names))) if found else _unknown("", notes)


def _of_class(name: str, notes: Notes) -> TherapyAsked | None:
    try:
        return TherapyAsked((), resolve_class(name), text=cut(name))
    except UnknownTherapyClass:
        return _unknown(name, notes)


def _of_concept(said: Concept, notes: Notes, source: str = "request") -> TherapyAsked | None:
    drug = drug_of(said)
    codings = tuple((one.system, one.code, one.display) for one in said.codings)
    words = cut((said.words or (said.shown,))[0])
    if drug.disputed or (not drug.agents and drug.by_code):
        message = f"the code is {', '.join(drug.by_code)}, the name is {', '.join(drug.by_name)}"
        notes.say("therapy_conflict", message, NAME, path="Parameters.parameter(therapy)")
        return None
    if drug.agents:
        return TherapyAsked(tuple(sorted(drug.agents)), "", words, codings, source)
    for code in said.codes("own-class"):
        return _of_class(code, notes)
    return _unknown(words, notes)


def _unknown(name: str, notes: Notes) -> TherapyAsked | None:
    message = f"{cut(name)!r} is no agent of the therapy vocabulary" if name else "a therapy without a code or a name"
    notes.say("therapy_unknown", message, NAME, path="Parameters.parameter(therapy)")
    return None


def therapies_of_orders(
    draft_orders: Any, selections: Sequence[str] | None = None, resources: Any = None
) -> OrderedTherapies:
    """Return the cancer therapies among draft orders.

    Parameters
    ----------
    draft_orders
        The Bundle ``context.draftOrders`` of ``order-select``, or a list of resources.
    selections
        References of the orders that are being selected; None for all.
    resources
        Where Medication resources are looked up beside the orders (the prefetch), or None.

    Returns
    -------
    OrderedTherapies
        Orders that share a ``groupIdentifier`` are one regimen, every other order is one therapy. Drugs that treat no
        cancer are listed in ``not_understood``.
    """
    notes = Notes()
    entries = (
        draft_orders
        if isinstance(draft_orders, dict)
        else {"entry": [{"resource": one} for one in records(draft_orders)]}
    )
    orders = gather({"resourceType": "Bundle", **entries}, notes).resources
    beside = gather(resources, Notes()).resources if isinstance(resources, dict) and resources else []
    index = Index([*orders, *beside])
    wanted = None if selections is None else {text(one) for one in selections}
    groups: dict[tuple[str, str], list[TherapyAsked]] = {}
    for place, order in enumerate(orders):
        if order.kind != "MedicationRequest" or not _selected(order, wanted):
            if order.kind != "Medication":
                notes.left(order, order.kind, "no selected medication order")
            continue
        said = medication_of(index, order)
        if supportive_only(said):
            notes.left(order, "MedicationRequest.medication", "no cancer drug of the vocabulary", said.shown)
            continue
        one = _of_concept(said, notes, order.reference)
        if one is not None:
            groups.setdefault(_group(order, place), []).append(one)
    therapies = tuple(_regimen(groups[key]) for key in sorted(groups))
    return OrderedTherapies(therapies, tuple(notes.not_understood), in_order(notes.findings))


def _selected(order: Resource, wanted: set[str] | None) -> bool:
    return wanted is None or order.reference in wanted or order.full_url in wanted


def _group(order: Resource, place: int) -> tuple[str, str]:
    identifier = record(order.body.get("groupIdentifier")) or EMPTY
    value = text(identifier.get("value"))
    return (
        ("group", f"{text(identifier.get('system'))}|{value}")
        if value
        else ("order", order.reference if order.body.get("id") else f"{order.reference} {place:06d}")
    )


def _regimen(members: list[TherapyAsked]) -> TherapyAsked:
    if len(members) == 1:
        return members[0]
    agents = tuple(sorted({name for one in members for name in one.agents}))
    codings = tuple(dict.fromkeys(coding for one in members for coding in one.codings))
    words = cut(" + ".join(one.text for one in members))
    return TherapyAsked(agents, "", words, codings, ", ".join(one.source for one in members))
