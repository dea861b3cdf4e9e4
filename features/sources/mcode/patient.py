"""The patient: sex, age, race (for audit only), ECOG, smoking."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from features.sources.mcode import codes
from features.sources.mcode.measured import offer_measured
from features.sources.mcode.observations import absent
from features.sources.mcode.plain import records, text
from features.sources.mcode.results import grade, value_concept, words_of
from features.sources.mcode.systems import concept, extensions
from features.sources.mcode.when import When, read_date

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Resource

_SMOKING_WORDS = (
    (
        "never",
        re.compile(r"never(?: smoke[rd]?)?(?: tobacco)?|non[- ]?smoker|nie(?:raucher)?|nichtraucher", re.IGNORECASE),
    ),
    ("former", re.compile(r"(?:former|ex|quit)(?:[- ]smoker)?|exraucher|ehemalig.*", re.IGNORECASE)),
    ("current", re.compile(r"current(?: (?:every|some) day)?(?: smoker)?|raucher", re.IGNORECASE)),
)


def read_patient(context: Context, patient: Resource | None) -> None:
    """Offer what the Patient resource and the findings about the person say."""
    if patient is not None:
        _demographics(context, patient)
    offer_measured(context, "age", "patient.age_years", "years")
    for one in context.observed.get("ecog", ()):
        found = grade(one.holder)
        if found is not None and found == int(found):
            context.offer_observed("patient.ecog", int(found), one)
        elif not absent(one.holder):
            context.not_used("value_not_understood", "patient.ecog", one, "no whole ECOG grade")
    for one in context.observed.get("karnofsky", ()):
        context.notes.left(one.resource, one.path, "Karnofsky is not turned into ECOG", one.code.shown)
    for one in context.observed.get("smoking", ()):
        said = {codes.SMOKING[c.code] for c in value_concept(one.holder).codings if c.code in codes.SMOKING}
        said = said or {
            name for words in words_of(one.holder) for name, form in _SMOKING_WORDS if form.fullmatch(words)
        }
        if len(said) == 1:
            context.offer_observed("patient.smoking", said.pop(), one)
        else:
            context.notes.left(one.resource, f"{one.path}.value", "smoking status not understood", one.code.shown)


def _demographics(context: Context, patient: Resource) -> None:
    sex = text(patient.body.get("gender"))
    if sex in {"female", "male"}:
        context.offer("patient.sex", sex, patient, "Patient.gender", None)
    elif sex:
        context.notes.left(patient, "Patient.gender", f"sex {sex[:20]} is not one the model knows")
    _age(context, patient)
    for extension in extensions(patient.body, "us-core-race"):
        said = {text(part.get("url")): part for part in records(extension.get("extension"))}
        words = text(said.get("text", {}).get("valueString")) or " ".join(
            concept(part.get("valueCoding")).words[0]
            for part in records(extension.get("extension"))
            if text(part.get("url")) == "ombCategory" and concept(part.get("valueCoding")).words
        )
        if words and len(words) <= 200:
            context.offer("patient.race", words, patient, "Patient.extension(us-core-race)", None)
    if _died(context, patient):
        context.notes.say("deceased", "the patient is recorded as deceased", "patient", patient, "Patient.deceased")


def _died(context: Context, patient: Resource) -> bool:
    died = read_date(patient.body.get("deceasedDateTime"))
    return patient.body.get("deceasedBoolean") is True or (died is not None and not context.day.is_after(died))


def _age(context: Context, patient: Resource) -> None:
    born = read_date(patient.body.get("birthDate"))
    if born is None or context.day.day is None or context.observed.get("age"):
        return
    if born.precision != "day":
        context.notes.say(
            "partial_date", f"only the {born.precision} of birth is known; its middle is taken", "patient.age_years",
            patient, "Patient.birthDate",
        )  # fmt: skip
    years = age_in_years(born, context.day.day)
    if years is not None:
        context.offer(
            "patient.age_years", float(years), patient, "Patient.birthDate", None, "whole years at the index date"
        )


def age_in_years(born: When, day: int) -> int | None:
    """Return completed years from a birth date to an ordinal day, None before birth.

    Examples
    --------
    >>> age_in_years(When(date(1962, 12, 31).toordinal()), date(2022, 2, 15).toordinal())
    59
    """
    if born.day > day:
        return None
    birth, now = date.fromordinal(born.day), date.fromordinal(day)
    return now.year - birth.year - ((now.month, now.day) < (birth.month, birth.day))
