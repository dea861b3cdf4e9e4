"""Results as words of the case: present or absent, lost or retained, deficient or proficient, a number or a text.

Codes first, then words: a value may be a CodeableConcept, a text, a truth value or only an interpretation. Words are
matched whole or by a few unmistakable forms; what is not understood is not used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from features.sources.mcode import codes
from features.sources.mcode.plain import number, text, value_of
from features.sources.mcode.systems import Concept, concept

if TYPE_CHECKING:
    from features.sources.mcode.plain import Json

Presence = Literal["present", "absent", "undecided", ""]

_PRESENT = re.compile(
    r"present|detected|positive|pos|mutated|rearranged|amplified|yes|nachgewiesen|positiv|vorhanden", re.IGNORECASE
)
_ABSENT = re.compile(
    r"absent|not[ -]?(?:detected|present|amplified|rearranged)|negative|neg|none[ -]detected|undetected|wild[ -]?type"
    r"|no|nicht nachgewiesen|negativ",
    re.IGNORECASE,
)
_UNDECIDED = re.compile(r"indeterminate|equivocal|inconclusive|no[ -]call|borderline|uncertain|unklar", re.IGNORECASE)

_LOST = re.compile(
    r"(?:complete )?loss(?: of)?(?: nuclear)?(?: expression| staining)?|lost|absent|negative|not expressed"
    r"|ausfall|verlust|deficient",
    re.IGNORECASE,
)
_RETAINED = re.compile(
    r"no loss(?: of)?(?: nuclear)?(?: expression| staining)?|intact(?: nuclear)?(?: expression| staining)?|retained"
    r"(?: expression)?|preserved|present|positive|normal(?: expression)?|expressed|erhalten|proficient",
    re.IGNORECASE,
)
_DEFICIENT = re.compile(r"d[ -]?mmr|(?:mmr[ -])?deficient|mismatch repair[ -]deficient", re.IGNORECASE)
_PROFICIENT = re.compile(r"p[ -]?mmr|(?:mmr[ -])?proficient|mismatch repair[ -]proficient", re.IGNORECASE)
_MSI_WORDS = (
    ("MSI-H", re.compile(r"msi[ -]?(?:h|high)|high|instability[ -]high|hoch|msi-h .*", re.IGNORECASE)),
    ("MSI-L", re.compile(r"msi[ -]?(?:l|low)|low|instability[ -]low", re.IGNORECASE)),
    ("MSS", re.compile(r"mss|(?:microsatellite[ -])?stable|ms-stable|stabil", re.IGNORECASE)),
    ("indeterminate", _UNDECIDED),
)


def words_of(holder: Json) -> list[str]:
    """Return what is written as a value: the words of a concept, a text, a code without words."""
    kind, value = value_of(holder)
    if kind == "CodeableConcept":
        return list(concept(value).words)
    if kind in {"String", "Code"}:
        return [text(value)] if text(value) else []
    return []


def value_concept(holder: Json) -> Concept:
    """Return the value as a concept; empty for any other kind of value."""
    kind, value = value_of(holder)
    return concept(value) if kind in {"CodeableConcept", "Coding"} else Concept()


def shown(holder: Json) -> str:
    """Return the value as a message shows it."""
    kind, value = value_of(holder)
    if kind == "several":
        return "several values at once"
    found = value_concept(holder)
    return (
        (found.words or (found.shown,))[0] if found.codings or found.text else f"{value!s:.60}" if kind else "no value"
    )


def presence(holder: Json) -> Presence:
    """Return whether what was looked for is there.

    Examples
    --------
    >>> presence({"valueCodeableConcept": {"coding": [{"system": "http://loinc.org", "code": "LA9634-2"}]}})
    'absent'
    >>> presence({"valueString": "Not detected"}), presence({"valueBoolean": True}), presence({})
    ('absent', 'present', '')
    """
    kind, value = value_of(holder)
    if kind == "Boolean":
        return "present" if value is True else "absent" if value is False else ""
    found = value_concept(holder)
    by_code = {said for one in found.codings if (said := _presence_of(one.system, one.code))}
    if by_code:
        return by_code.pop() if len(by_code) == 1 else "undecided"
    return next((said for words in words_of(holder) if (said := _presence_of_words(words))), "")


def _presence_of(system: str, code: str) -> Presence:
    key = (system, code)
    if key in codes.PRESENT:
        return "present"
    if key in codes.ABSENT:
        return "absent"
    return "undecided" if key in codes.UNDECIDED else ""


def _presence_of_words(words: str) -> Presence:
    bare = words.strip().rstrip(".")
    if _ABSENT.fullmatch(bare):
        return "absent"
    if _PRESENT.fullmatch(bare):
        return "present"
    return "undecided" if _UNDECIDED.fullmatch(bare) else ""


def protein_result(holder: Json) -> str:
    """Return lost, retained or equivocal for the staining of one protein, "" when it is not understood.

    Examples
    --------
    >>> protein_result({"valueString": "No loss of nuclear expression"}), protein_result({"valueString": "Lost"})
    ('retained', 'lost')
    """
    for words in words_of(holder):
        bare = words.strip().rstrip(".")
        for result, pattern in (("retained", _RETAINED), ("lost", _LOST), ("equivocal", _UNDECIDED)):
            if pattern.fullmatch(bare):
                return result
    said = presence(holder)
    return {"present": "retained", "absent": "lost", "undecided": "equivocal"}.get(said, "")


def mmr_result(holder: Json) -> str:
    """Return deficient, proficient or equivocal for mismatch repair as a whole, "" when it is not understood."""
    for words in words_of(holder):
        bare = words.strip().rstrip(".")
        for result, pattern in (("deficient", _DEFICIENT), ("proficient", _PROFICIENT), ("equivocal", _UNDECIDED)):
            if pattern.fullmatch(bare):
                return result
    return ""


def msi_result(holder: Json) -> str:
    """Return MSI-H, MSI-L, MSS or indeterminate, "" when it is not understood.

    Examples
    --------
    >>> msi_result({"valueString": "High"}), msi_result({"valueString": "Stable"})
    ('MSI-H', 'MSS')
    """
    by_code = {codes.MSI[code] for code in value_concept(holder).codes("loinc") if code in codes.MSI}
    if by_code:
        return by_code.pop() if len(by_code) == 1 else ""
    for words in words_of(holder):
        for result, pattern in _MSI_WORDS:
            if pattern.fullmatch(words.strip().rstrip(".")):
                return result
    return ""


_GRADE = re.compile(r"(?:ecog(?: ps)?[ :]*)?(?:grade\s*)?([0-5])(?:\s*[-:(].*)?", re.IGNORECASE)


def grade(holder: Json) -> float | None:
    """Return an ECOG grade from an integer, a code or a text; None when it is not understood.

    Examples
    --------
    >>> grade({"valueInteger": 1}), grade({"valueString": "ECOG 2"}), grade({"valueString": "1-2"})
    (1.0, 2.0, None)
    """
    kind, value = value_of(holder)
    if kind in {"Integer", "PositiveInt", "UnsignedInt", "Decimal"}:
        return number(value)
    found = {codes.ECOG[one.code] for one in value_concept(holder).codings if one.code in codes.ECOG}
    if found:
        return float(found.pop()) if len(found) == 1 else None
    coded = {one.code for one in value_concept(holder).codings if one.code in set("012345")}
    if len(coded) == 1:
        return float(coded.pop())
    return next((float(hit[1]) for words in words_of(holder) if (hit := _whole_grade(words))), None)


def _whole_grade(words: str) -> re.Match[str] | None:
    hit = _GRADE.fullmatch(words.strip())
    return None if hit is None or re.search(r"\d\s*[-/]\s*\d", words) else hit
