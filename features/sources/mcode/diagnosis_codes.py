"""Diagnosis codes: what SNOMED CT, ICD-10, ICD-O-3 and OncoTree codes say of site, histology and metastasis.

``tables/diagnoses.csv`` holds single codes (ICD-10 by prefix); morphologies come from the ICD-O-3 column of the
histology vocabulary. Codes only, with our own meaning: no text of a code system is carried.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from features import histology
from features.errors import UnknownHistology
from features.vocabulary import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.sources.mcode.systems import Coding, Concept

Kind = Literal["primary", "secondary", "morphology", "site", "subtype", "alone"]

_MORPHOLOGY = re.compile(r"\d{4}/\d")
_ICD = re.compile(r"[A-Z]\d[0-9A-Z]{0,5}")
_TAG = re.compile(r"\s*\((?:disorder|morphologic abnormality|finding|body structure)\)$", re.IGNORECASE)
_MALIGNANT_OF = re.compile(r"(?:primary )?malignant (?:neoplasm|tumou?r) of (?:the )?(.+)", re.IGNORECASE)
_CARCINOMA_OF = re.compile(r"(.*carcinoma) of (?:the )?(.+)", re.IGNORECASE)
_MALIGNANT = re.compile(
    r"malignan|cancer|carcinom|karzinom|sarcom|sarkom|melanom|lymphom|leuk(?:a?e|ä)mi|b(?:ö|oe)sartig|krebs|myelom",
    re.IGNORECASE,
)
_NOT_NOW = re.compile(
    r"history|screening|suspect|suspicion|no evidence|rule out|ruled out|benign|in situ|risk|fear|carrier|verdacht"
    r"|ausschluss|zustand nach|vorsorge|susceptib",
    re.IGNORECASE,
)
INVASIVE, METASTATIC = "3", "6"
"""Behaviour digits of ICD-O-3 that are read: primary malignant, and malignant at a metastatic site."""


@dataclass(frozen=True, slots=True)
class Says:
    """What one code says.

    Attributes
    ----------
    kind
        ``primary`` (a malignant disease), ``secondary`` (a metastasis), ``morphology``, ``site`` (a body structure).
    root
        OncoTree code that the tumour lies under, or "".
    histology
        OncoTree code when nothing finer is known, or "".
    morphology
        ICD-O-3 code, or "".
    metastasis
        ``brain``, ``liver``, ``bone``, ``other`` or "": where, if it is a metastasis.
    """

    kind: Kind
    root: str = ""
    histology: str = ""
    morphology: str = ""
    metastasis: str = ""


@lru_cache(maxsize=1)
def _rows() -> Mapping[tuple[str, str, str], Says]:
    text = files("features.sources.mcode.tables").joinpath("diagnoses.csv").read_text(encoding="utf-8")
    found: dict[tuple[str, str, str], Says] = {}
    for row in csv.DictReader(text.splitlines()):
        morphology = row["root"] if row["kind"] == "morphology" else ""
        root = "" if morphology else row["root"]
        place = row["root"] if row["kind"] == "subtype" else ""
        found[row["system"], row["code"], place] = Says(
            row["kind"],  # type: ignore[arg-type]
            root,
            row["histology"],
            morphology,
            row["metastasis"],
        )
    for listed in table("histologies"):
        for code in listed["snomed"].split("|"):
            if code:
                found.setdefault(("sct", code, ""), Says("primary", listed["code"], listed["code"]))
    return found


def tidy_icd(code: str) -> str:
    """Return an ICD code without dot, suffix letters of ICD-10-GM and case, "" when it is none.

    Examples
    --------
    >>> tidy_icd("C34.90"), tidy_icd("c34.9 G"), tidy_icd("8140/3")
    ('C3490', 'C349', '')
    """
    bare = code.upper().replace(".", "").split()
    head = bare[0].rstrip("+*!-") if bare else ""
    return head if _ICD.fullmatch(head) else ""


def of_icd(code: str) -> Says | None:
    """Return what an ICD-10 code or an ICD-O-3 topography says, by its longest listed prefix."""
    bare = tidy_icd(code)
    rows = _rows()
    return next((rows[key] for end in range(len(bare), 2, -1) if (key := ("icd10", bare[:end], "")) in rows), None)


@lru_cache(maxsize=4096)
def of_coding(coding: Coding) -> tuple[Says, ...]:
    """Return what a coding says; () when it says nothing of cancer, or is not known here.

    A code ``C34.9 8140/3`` of ICD-O-3 is topography and morphology together.
    """
    if coding.system == "icdo3":
        parts = coding.code.split()
        return tuple(found for part in parts if (found := _of_icdo3(part)) is not None)
    if coding.system == "icd10":
        found = of_icd(coding.code)
        return () if found is None else (found,)
    if coding.system == "oncotree":
        return _of_oncotree(coding.code)
    row = _rows().get((coding.system, coding.code, ""))
    return () if row is None else (row,)


def _of_icdo3(part: str) -> Says | None:
    if _MORPHOLOGY.fullmatch(part):
        behaviour = part[-1]
        return Says("morphology", morphology=f"{part[:5]}{INVASIVE}") if behaviour in {INVASIVE, METASTATIC} else None
    place = of_icd(part)
    return None if place is None else Says("site", place.root, place.histology)


def _of_oncotree(code: str) -> tuple[Says, ...]:
    known = code if code in histology.codes() else ""
    return (Says("primary", known, known),) if known else ()


def malformed(coding: Coding) -> bool:
    """Return whether an ICD-O-3 code is neither a morphology nor a topography (``80463/3``).

    Examples
    --------
    >>> from features.sources.mcode.systems import Coding
    >>> malformed(Coding("icdo3", "80463/3")), malformed(Coding("icdo3", "C34.9 8140/3"))
    (True, False)
    """
    if coding.system != "icdo3":
        return False
    return not all(_MORPHOLOGY.fullmatch(part) or tidy_icd(part) for part in coding.code.split() or [""])


def of_words(concept: Concept) -> str:
    """Return the OncoTree code that the written words of a concept stand for, "" when they stand for none."""
    return next((found for words in concept.words if (found := of_name(words))), "")


@lru_cache(maxsize=4096)
def of_name(words: str) -> str:
    """Return the OncoTree code of a name as the vocabulary resolves it, "" when it does not.

    Examples
    --------
    >>> of_name("Non-small cell lung cancer (disorder)"), of_name("Essential hypertension")
    ('NSCLC', '')
    """
    bare = _TAG.sub("", words).strip()
    head = bare.split(",")[0].strip()
    forms = [bare, head]
    if hit := _MALIGNANT_OF.fullmatch(head):
        forms.append(f"{hit[1]} cancer")
    if hit := _CARCINOMA_OF.fullmatch(head):
        forms.extend((f"{hit[2]} {hit[1]}", f"{hit[1].replace('carcinoma', hit[2] + ' cancer')}"))
    return next((found for form in forms if (found := _resolved(form))), "")


def _resolved(name: str) -> str:
    try:
        return histology.resolve(name)
    except UnknownHistology:
        return ""


def sounds_malignant(concept: Concept) -> bool:
    """Return whether words name a cancer, though not which: such a Condition is not passed over in silence.

    Examples
    --------
    >>> from features.sources.mcode.systems import Concept
    >>> sounds_malignant(Concept((), "Karzinom der Lunge")), sounds_malignant(Concept((), "Family history of cancer"))
    (True, False)
    """
    return any(_MALIGNANT.search(words) and not _NOT_NOW.search(words) for words in concept.words)


@lru_cache(maxsize=1)
def _by_morphology() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in table("histologies"):
        for code in row["icdo3_morphology"].split("|"):
            if code and row["arms_only"] != "yes":
                found.setdefault(code, []).append(row["code"])
    return {code: tuple(sorted(rows)) for code, rows in found.items()}


@lru_cache(maxsize=4096)
def with_morphology(morphology: str) -> tuple[str, ...]:
    """Return the OncoTree codes that have an ICD-O-3 morphology, sorted.

    Examples
    --------
    >>> with_morphology("8046/3")
    ('NSCLC', 'NSCLCPD')
    """
    return _by_morphology().get(morphology, ())


def subtype(morphology: str, root: str) -> str:
    """Return the OncoTree code of a morphology below a site where it is listed as a subtype, "" elsewhere."""
    rows = _rows()
    lineage = histology.lineage(root) if root else ()
    hit = next((rows[key] for place in lineage if (key := ("icdo3", morphology, place)) in rows), None)
    if hit is None and not root:
        hit = rows.get(("icdo3", morphology, ""))
    return hit.histology if hit else ""
