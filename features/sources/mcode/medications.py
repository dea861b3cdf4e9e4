"""Medications: what was given, when, by the best record there is of it.

An administration tells more than a statement, and that more than an order: an order stays active for ever. What treats
no cancer, was given for another disease, was not given, or starts at the index date is no prior therapy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.agents import agents
from features.agents import resolve_class as therapy_class
from features.errors import UnknownTherapyClass
from features.sources.mcode import codes
from features.sources.mcode.diagnosis_codes import of_coding, tidy_icd
from features.sources.mcode.drugs import antineoplastic, drug_of
from features.sources.mcode.plain import record, records, text
from features.sources.mcode.systems import Concept, concept, extensions, readable
from features.sources.mcode.when import When, read_date, start_and_end

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Index, Resource

KINDS = ("MedicationAdministration", "MedicationStatement", "MedicationDispense", "MedicationRequest")
"""From the record that tells most to the one that tells least."""

_GIVEN = {
    "MedicationAdministration": frozenset({"in-progress", "on-hold", "completed", "stopped"}),
    "MedicationStatement": frozenset({"active", "completed", "stopped", "on-hold"}),
    "MedicationDispense": frozenset({"in-progress", "completed", "on-hold", "stopped"}),
    "MedicationRequest": frozenset({"active", "on-hold", "completed", "stopped"}),
}
_NO_ORDER = frozenset({"proposal", "plan", "option"})
_OTHER_DISEASES = frozenset("ABEFGHIJKLMNOPQ")
"""First letters of ICD-10 codes that are another disease; C and D00-D48 are tumours, R to Z no diagnosis."""


@dataclass(frozen=True, slots=True)
class Given:
    """One record of a drug given.

    Attributes
    ----------
    agents
        Names of the vocabulary; empty with ``regimen_class`` given.
    rank
        Place in :data:`KINDS`.
    episode
        The line of therapy that it says it belongs to, as a resource.
    line
        The number of the line that it states.
    intent
        SNOMED CT code of the procedure intent, or "".
    """

    agents: tuple[str, ...]
    regimen_class: str
    resource: Resource
    rank: int
    start: When | None
    end: When | None
    episode: Resource | None = None
    line: int | None = None
    intent: str = ""


def medication_of(index: Index, resource: Resource) -> Concept:
    """Return what drug a record is of: its concept, or that of the Medication it refers to."""
    body = resource.body
    if record(body.get("medicationCodeableConcept")):
        return concept(body.get("medicationCodeableConcept"))
    reference = record(body.get("medicationReference"))
    found = index.find(reference, resource, "Medication")
    if found is None:
        return Concept((), text(reference.get("display")))
    named = concept(found.body.get("code"))
    if named.codings or named.text:
        return named
    parts = [concept(one.get("itemCodeableConcept")) for one in records(found.body.get("ingredient"))]
    return Concept((), " + ".join(part.words[0] for part in parts if part.words))


def supportive_only(named: Concept) -> bool:
    """Return whether a medication is no systemic cancer drug of the vocabulary (a conflict is not settled here)."""
    drug = drug_of(named)
    if drug.disputed or named.codes("own-class"):
        return False
    return not any(agents()[name].systemic for name in (*drug.agents, *drug.by_code))


def read_medications(context: Context) -> list[Given]:
    """Return what was given before the index date; say of the rest why it does not count."""
    found = []
    for rank, kind in enumerate(KINDS):
        for resource in context.index.of_kind(kind):
            one = _read(context, resource, rank)
            if one is not None:
                found.append(one)
    return found


def _read(context: Context, resource: Resource, rank: int) -> Given | None:
    why = _why_not(context, resource)
    if why:
        context.notes.left(resource, resource.kind, why)
        return None
    named = medication_of(context.index, resource)
    drug = drug_of(named)
    own_class = _class_of(named)
    if drug.disputed or (not drug.agents and drug.by_code):
        message = f"the code is {', '.join(drug.by_code)}, the name is {', '.join(drug.by_name)}; not used"
        context.notes.say_and_leave(
            "drug_conflict", message, "prior_therapies", resource, f"{resource.kind}.medication"
        )
        return None
    episode, line = _line(context, resource)
    systemic = drug.agents if episode else tuple(name for name in drug.agents if agents()[name].systemic)
    if not systemic and not own_class:
        _not_a_cancer_drug(context, resource, named, bool(drug.agents))
        return None
    start, end = _dates(resource)
    if not _before_index(context, resource, start, stated=episode is not None or line is not None):
        return None
    if end is not None and context.day.is_after(end):
        end = None
    return Given(systemic, own_class, resource, rank, start, end, episode, line, _intent(resource))


def _class_of(named: Concept) -> str:
    for code in named.codes("own-class"):
        try:
            return therapy_class(code)
        except UnknownTherapyClass:
            return ""
    return ""


def _why_not(context: Context, resource: Resource) -> str:
    body, status = resource.body, text(resource.body.get("status"))
    if not readable(body):
        return "has a modifier extension"
    if status and status not in _GIVEN[resource.kind]:
        return f"not given: status {status[:20]}"
    if body.get("doNotPerform") is True or text(body.get("intent")) in _NO_ORDER:
        return "no order: proposed only, or not to be given"
    if _intent(resource) == codes.SUPPORTIVE:
        return "supportive intent"
    return "given for another disease" if _for_another_disease(context, resource) else ""


def _intent(resource: Resource) -> str:
    found = [
        code
        for one in extensions(resource.body, "mcode-procedure-intent", "mcode-treatment-intent", "procedure-intent")
        for code in concept(one.get("valueCodeableConcept")).codes("sct")
    ]
    return found[0] if found else ""


def _for_another_disease(context: Context, resource: Resource) -> bool:
    reasons = [concept(one) for one in records(resource.body.get("reasonCode"))]
    reasons += [
        concept(one.body.get("code"))
        for one in context.index.find_all(resource.body.get("reasonReference"), resource)
        if one.kind == "Condition"
    ]
    codings = [one for reason in reasons for one in reason.codings]
    if any(of_coding(one) for one in codings):
        return False
    icd = [tidy_icd(one.code) for one in codings if one.system == "icd10"]
    return bool(icd) and all(code[:1] in _OTHER_DISEASES for code in icd)


def _not_a_cancer_drug(context: Context, resource: Resource, named: Concept, known: bool) -> None:
    path = f"{resource.kind}.medication"
    if known:
        context.notes.left(resource, path, "treats no cancer (supportive)", named.shown)
    elif antineoplastic(named):
        message = f"a cancer drug that the vocabulary does not know: {' '.join(named.words[:1]) or named.shown}"
        context.notes.say_and_leave("antineoplastic_unknown", message, "prior_therapies", resource, path)
    else:
        context.notes.left(resource, path, f"no agent of the vocabulary: {' '.join(named.words[:1])[:60]}", named.shown)


def _dates(resource: Resource) -> tuple[When | None, When | None]:
    """Return start and end; of an order only the start is known."""
    body = resource.body
    if resource.kind == "MedicationRequest":
        bounds = [
            record(record(record(one.get("timing")).get("repeat")).get("boundsPeriod"))
            for one in records(body.get("dosageInstruction"))
        ]
        starts = [when for one in bounds if (when := read_date(one.get("start"))) is not None]
        return read_date(body.get("authoredOn")) or min(starts, default=None), None
    if resource.kind == "MedicationDispense":
        given = read_date(body.get("whenHandedOver")) or read_date(body.get("whenPrepared"))
        return given, given
    start, end = start_and_end(body, "effective")
    ongoing = resource.kind == "MedicationStatement" and not record(body.get("effectivePeriod"))
    return start or read_date(body.get("dateAsserted")), None if ongoing else end


def _before_index(context: Context, resource: Resource, start: When | None, *, stated: bool) -> bool:
    if context.day.is_after(start):
        context.notes.say_and_leave(
            "after_index", "starts after the index date", "prior_therapies", resource, resource.kind
        )
        return False
    if not stated and start is not None and start.precision == "day" and start.day == context.day.day:
        context.notes.left(resource, resource.kind, "starts at the index date: the decision itself, no prior therapy")
        return False
    return True


def _line(context: Context, resource: Resource) -> tuple[Resource | None, int | None]:
    for one in extensions(resource.body, "onconova-ext-therapy-line-reference", "therapy-line-reference"):
        found = context.index.find(one.get("valueReference"), resource, "EpisodeOfCare")
        if found is not None:
            return found, line_number(found)
    return None, line_number(resource)


def line_number(resource: Resource) -> int | None:
    """Return the line of therapy that a resource states by an extension (Onconova, bwHC, MII), None when none."""
    names = ("onconova-ext-therapy-line-number", "therapy-line-number", "therapy-line", "therapielinie")
    outer = [*extensions(resource.body, *names)]
    for one in extensions(resource.body, "mii-ex-mtb-leitlinie-dokumentation", "mii-ex-mtb-therapielinie"):
        outer += [*extensions(one, *names)] or [one]
    for one in outer:
        for key in ("valueInteger", "valuePositiveInt", "valueUnsignedInt"):
            value = one.get(key)
            if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 20:
                return value
    return None
