"""Whose record it is: one patient, by resource or by the subject of everything else; what is another's is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.sources.mcode.index import Index, tail_of
from features.sources.mcode.plain import record, text

if TYPE_CHECKING:
    from features.sources.mcode.findings import Notes
    from features.sources.mcode.gather import Resource


def patient_of(index: Index, wanted: str | None, notes: Notes) -> tuple[Resource | None, str]:
    """Return the Patient resource (None when only referred to) and the reference; "" when it cannot be told.

    Parameters
    ----------
    wanted
        Reference of the patient that the caller means, where several are there.
    """
    patients = [one for one in index.of_kind("Patient") if one.holder is None]
    if wanted:
        found = index.find({"reference": wanted})
        if found in patients or wanted in _subjects(index):
            return (found, found.reference) if found is not None else (None, wanted)
        notes.say(
            "patient_not_found",
            "the patient that is asked for is not in the bundle",
            "patient_id",
            path="Bundle.entry.resource.ofType(Patient)",
        )
        return None, ""
    if len(patients) == 1:
        return patients[0], patients[0].reference
    subjects = _subjects(index) if not patients else {one.reference for one in patients}
    if len(subjects) > 1:
        notes.say(
            "several_patients",
            f"{len(subjects)} patients; give `patient`",
            "patient_id",
            path="Bundle.entry.resource.ofType(Patient)",
        )
        return None, ""
    return None, next(iter(subjects), "")


def _subjects(index: Index) -> set[str]:
    return {found for one in index.resources if (found := _subject(index, one)) and not found.startswith("Group/")}


def _subject(index: Index, one: Resource) -> str:
    """Return the subject of a resource as a reference, "" when it names none."""
    if one.kind == "Patient":
        return ""
    owner = one.holder or one
    body = owner.body
    reference = record(body.get("subject")) or record(body.get("patient"))
    written = text(reference.get("reference"))
    found = index.find(reference, owner, "Patient")
    if found is not None:
        return found.reference
    return tail_of(written) or written


def of_subject(index: Index, patient: str, notes: Notes) -> Index:
    """Return the resources of one patient; what names no subject is taken as the patient's own."""
    kept = []
    others = 0
    for one in index.resources:
        subject = _subject(index, one)
        if one.kind == "Patient" and one.holder is None:
            (kept.append(one) if one.reference == patient else None)
        elif not subject or not patient or subject == patient:
            kept.append(one)
        else:
            others += 1
            notes.left(one, f"{one.kind}.subject", "of another subject")
    if others:
        notes.say("other_subject", f"{others} resources are of another subject and are not read", "patient_id")
    return Index(kept)
