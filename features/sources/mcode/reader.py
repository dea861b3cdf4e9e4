"""Reading a bundle: gather, choose the patient and the date, read each input, choose one value of each, make the case.

Assumes FHIR R4 JSON that was parsed already; matches by (system, code), never by profile or slice. Units are those of
the case. Unknown is unknown: nothing is filled in. No JSON makes it fail: structure is refused, content becomes
findings. Specification, input by input: docs/fhir-mapping.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.case import Case, read_case
from features.errors import InvalidCase
from features.sources.mcode.assay import read_findings
from features.sources.mcode.biomarkers import read_biomarkers
from features.sources.mcode.choosing import LAB_WINDOW_DAYS, choose
from features.sources.mcode.conditions import offer_metastases, read_conditions
from features.sources.mcode.context import Context
from features.sources.mcode.courses import read_prior_therapies
from features.sources.mcode.diagnosis import read_diagnosis
from features.sources.mcode.findings import Finding, Notes, in_order
from features.sources.mcode.gather import Gathered, gather
from features.sources.mcode.index import Index, dangling
from features.sources.mcode.index_date import read_index_date
from features.sources.mcode.labs import LAB_FIELDS, read_labs
from features.sources.mcode.lines import asked_lines, read_lines, stated_by_episodes
from features.sources.mcode.medications import read_medications
from features.sources.mcode.missing import missing_of
from features.sources.mcode.observations import observations
from features.sources.mcode.own_fields import read_own
from features.sources.mcode.patient import read_patient
from features.sources.mcode.plain import record, records, text, value_of
from features.sources.mcode.read_case import ReadCase
from features.sources.mcode.receptors import read_receptors
from features.sources.mcode.subject import of_subject, patient_of
from features.sources.mcode.systems import OWN_PATIENT, readable
from features.sources.mcode.therapies import TherapyAsked, asked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from features.errors import CaseRefusal
    from features.sources.mcode.index import Resource

_WITHIN_WINDOW = LAB_FIELDS | {"patient.ecog"}
_NEVER_READ = frozenset(
    {
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Encounter",
        "Location",
        "Device",
        "Provenance",
        "Group",
        "CareTeam",
        "RelatedPerson",
        "Medication",
        "Binary",
        "BodyStructure",
        "List",
        "Coverage",
    }
)
_READ = frozenset(
    {
        "Patient",
        "Condition",
        "Observation",
        "DiagnosticReport",
        "Specimen",
        "ServiceRequest",
        "MedicationAdministration",
        "MedicationStatement",
        "MedicationDispense",
        "MedicationRequest",
        "Procedure",
        "EpisodeOfCare",
    }
)
_REFERENCES = {
    "DiagnosticReport": ("result", "specimen", "basedOn"),
    "Observation": ("specimen", "hasMember", "derivedFrom"),
    "MedicationAdministration": ("medicationReference",),
    "MedicationStatement": ("medicationReference",),
    "MedicationRequest": ("medicationReference",),
}
_PLACEHOLDER: dict[str, Any] = {"histology": "UDMN", "therapy": {"class": "pd1_pdl1"}}
"""Stands for what is missing while the rest of a case is checked for errors; it never leaves this module."""


def read_bundle(
    bundle: Mapping[str, Any],
    *,
    therapy: Any = None,
    prior_lines: int | None = None,
    index_date: date | str | None = None,
    patient: str | None = None,
    condition: str | None = None,
) -> ReadCase:
    """Read a bundle to a case, or to one case per therapy.

    Parameters
    ----------
    bundle
        A Bundle of any type, Parameters with one, one resource, or a mapping of CDS Hooks prefetch values. It is not
        changed.
    therapy
        A name (``"nivolumab + ipilimumab"`` is one regimen), a regimen of the case, a CodeableConcept, a
        :class:`TherapyAsked`, or a list of them (several therapies). Wins over Parameters.
    prior_lines
        Systemic lines before; wins over what the bundle states, which wins over what is derived.
    index_date
        Date of the decision; see :mod:`features.sources.mcode.index_date` for what is taken when it is not given.
    patient, condition
        References that choose where there are several.

    Raises
    ------
    NotABundle, BundleTooLarge, BundleTooDeep
        For structure alone. Everything clinical is in the answer.

    Examples
    --------
    >>> nsclc = {"resourceType": "Condition", "id": "c1", "code": {"coding": [
    ...     {"system": "http://snomed.info/sct", "code": "254637007"}]}}
    >>> read = read_bundle({"resourceType": "Bundle", "entry": [{"resource": nsclc}]}, therapy="Keytruda")
    >>> read.case.histology, read.case.therapy.agents, read.sources("histology")
    ('NSCLC', ('pembrolizumab',), ('Condition/c1',))
    """
    notes = Notes()
    gathered = gather(bundle, notes)
    everything = Index(gathered.resources)
    person, person_reference = patient_of(everything, patient, notes)
    context = Context(gathered, everything, notes)
    context.index = _readable(of_subject(everything, person_reference, notes), context)
    dated, date_source = read_index_date(context, index_date)
    _dangling(context)
    context.observed = observations(context.index.of_kind("Observation"), notes, context.set_aside)
    raw, diagnosed, cancer = _clinical(context, person, condition)
    stated = asked_lines(context, prior_lines)
    lines_source = _choose(context, raw, stated, prior_lines is not None)
    _identify(gathered, person, raw)
    therapies = asked(therapy, gathered.parameters, notes)
    if not therapies and not any(one.field == "therapy" for one in notes.findings):
        notes.say("no_therapy", "no therapy is asked about", "therapy", path="Parameters.parameter(therapy)")
    cases = _cases(context, raw, therapies)
    return ReadCase(
        raw,
        cases,
        therapies,
        tuple(notes.taken),
        tuple(dict.fromkeys(notes.not_understood)),
        in_order(notes.findings),
        missing_of(raw, bool(therapies)),
        dated,
        date_source,
        cancer,
        person_reference or None,
        diagnosed.reference if diagnosed else None,
        gathered.incomplete,
        lines_source,
    )


def _readable(index: Index, context: Context) -> Index:
    """Leave out resources with a modifier extension, and list the kinds that are not known."""
    kept, notes = [], context.notes
    for one in index.resources:
        if one.kind in _READ and not readable(one.body):
            context.set_aside.append(one)
            notes.say_and_leave(
                "modifier_extension",
                "a modifier extension may change its meaning; it is not read",
                "",
                one,
                f"{one.kind}.modifierExtension",
            )
        else:
            kept.append(one)
        if one.kind not in _READ and one.kind not in _NEVER_READ:
            notes.left(one, one.kind, "a kind of resource that is not read")
            context.gathered.unreadable |= bool(records(one.body.get("component")))
        if (
            one.kind == "DiagnosticReport"
            and records(one.body.get("presentedForm"))
            and not records(one.body.get("result"))
        ):
            notes.say(
                "attachment_not_read",
                "a report whose findings are only in an attachment; it is not read",
                "",
                one,
                "DiagnosticReport.presentedForm",
            )
    return index if len(kept) == len(index.resources) else Index(kept)


def _dangling(context: Context) -> None:
    for kind, names in _REFERENCES.items():
        for one in context.index.of_kind(kind):
            for name in names:
                for reference in dangling(context.index, one, records(one.body.get(name))):
                    context.notes.say(
                        "dangling_reference", f"{reference!r} is not in the bundle", "", one, f"{kind}.{name}"
                    )


def _clinical(
    context: Context, person: Resource | None, condition: str | None
) -> tuple[dict[str, Any], Resource | None, bool]:
    """Read every input; return what is no offer, the diagnosed condition, and whether this is cancer."""
    raw: dict[str, Any] = {}
    wanted = _condition(context, condition)
    tumours = read_conditions(context)
    code, diagnosed, cancer = read_diagnosis(context, tumours, wanted)
    if code:
        raw["histology"] = code
    offer_metastases(context, tumours)
    read_biomarkers(context)
    read_labs(context)
    read_patient(context, person)
    read_own(context)
    given = read_medications(context)
    read_lines(context, given)
    raw.update(read_findings(context, read_receptors(context)))
    prior = read_prior_therapies(context, given)
    if prior or "own:prior_therapies" in context.observed:  # our own writer says so where the list is empty
        raw["prior_therapies"] = prior
    return raw, diagnosed, cancer


def _condition(context: Context, condition: str | None) -> Resource | None:
    entries = context.gathered.parameters.get("condition", [])
    value = value_of(entries[0])[1] if entries else None
    written = condition or text(record(value).get("reference")) or text(value)
    if not written:
        return None
    found = context.index.find({"reference": written})
    if found is None or found.kind != "Condition":
        context.notes.say("condition_not_found", "the condition that is asked for is not in the bundle", "histology")
        return None
    return found


def _choose(context: Context, raw: dict[str, Any], stated: int | None, of_request: bool) -> str:
    """Choose one value of every offered field; return where the number of lines came from."""
    stated_by_episodes(context)
    for name in sorted(context.offers):
        window = LAB_WINDOW_DAYS if name in _WITHIN_WINDOW else None
        chosen = choose(name, context.offers[name], context.day, context.notes, window)
        if chosen is not None:
            _put(raw, name, chosen.value)
    source = "explicit" if raw.get("prior_lines") is not None else "unknown"
    if stated is not None:
        if source == "explicit" and raw["prior_lines"] != stated:
            message = f"{stated} lines are asked about, the bundle states {raw['prior_lines']}; {stated} counts"
            context.notes.say("prior_lines_disagree", message, "prior_lines")
        raw["prior_lines"], source = stated, "request"
        context.notes.took("prior_lines", stated, None, "request" if of_request else "Parameters.parameter(priorLines)")
    if raw.get("prior_systemic_therapy") is False and (raw.get("prior_lines") or raw.get("prior_therapies")):
        del raw["prior_systemic_therapy"]
        context.notes.say(
            "conflicting_values",
            "no systemic therapy before, yet lines or drugs are recorded",
            "prior_systemic_therapy",
        )
    return source


def _put(raw: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    for parent in parents:
        raw = raw.setdefault(parent, {})
    raw[last] = value


def _identify(gathered: Gathered, person: Resource | None, raw: dict[str, Any]) -> None:
    """Take the logical ids, never a medical record number."""
    if gathered.identifier and len(gathered.identifier) <= 200:
        raw["case_id"] = gathered.identifier
    own = (
        [one for one in records(person.body.get("identifier")) if text(one.get("system")) == OWN_PATIENT]
        if person
        else []
    )
    identity = text(own[0].get("value") if own else person.body.get("id")) if person is not None else ""
    if identity and len(identity) <= 200:
        raw["patient_id"] = identity


def _cases(context: Context, raw: dict[str, Any], therapies: tuple[TherapyAsked, ...]) -> tuple[Case, ...]:
    """Return one case per therapy; () with every reason among the findings when there is an error."""
    notes = context.notes
    wrong = any(one.severity == "error" for one in notes.findings)
    if "histology" not in raw and not any(
        one.field == "histology" for one in notes.findings if one.severity == "error"
    ):
        notes.say("no_histology", "no histology or mapped diagnosis", "histology")
        wrong = True
    try:
        if wrong:
            read_case({**_PLACEHOLDER, **raw})
            return ()
        return tuple(read_case({**raw, "therapy": one.regimen}) for one in therapies)
    except InvalidCase as refused:
        notes.findings.extend(_of_problem(notes, problem) for problem in refused.problems)
        return ()


def _of_problem(notes: Notes, problem: CaseRefusal) -> Finding:
    code = "out_of_range" if problem.code == "out_of_range" else "invalid_case"
    place = problem.field or ""
    source = next((one for one in notes.taken if one.field == place), None)
    return Finding(code, problem.message, place, *((source.reference, source.path) if source else ("", "")))
