"""Code systems by every spelling seen in official and test data, and CodeableConcepts read into (system, code) pairs.

A code is matched by its system and itself, never by profile or slice. OIDs are those registered with HL7
(https://www.hl7.org/oid/, terminology.hl7.org NamingSystems).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from features.sources.mcode.plain import records, text

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = "urn:oncorespond:case-field"
"""Our own code system: the code is the path of a field of the case, for what has no public code."""
OWN_CLASS = "urn:oncorespond:therapy-class"
OWN_PATIENT = "urn:oncorespond:patient"
"""System of the identifier under which our own writer keeps ``patient_id``."""

_SPELLINGS = {
    "loinc": ("loinc.org", "2.16.840.1.113883.6.1"),
    "sct": ("snomed.info/sct", "2.16.840.1.113883.6.96"),
    "ucum": ("unitsofmeasure.org", "2.16.840.1.113883.6.8"),
    "rxnorm": ("www.nlm.nih.gov/research/umls/rxnorm", "2.16.840.1.113883.6.88"),
    "atc": (
        "www.whocc.no/atc",
        "fhir.de/codesystem/bfarm/atc",
        "fhir.de/codesystem/dimdi/atc",
        "2.16.840.1.113883.6.73",
    ),
    "hgnc": (
        "www.genenames.org",
        "www.genenames.org/geneid",
        "genenames.org/geneid",
        "genenames.org",
        "2.16.840.1.113883.6.281",
    ),
    "entrez": ("www.ncbi.nlm.nih.gov/gene",),
    "hgvs": ("varnomen.hgvs.org", "2.16.840.1.113883.6.282"),
    "clinvar": ("www.ncbi.nlm.nih.gov/clinvar",),
    "refseq": ("www.ncbi.nlm.nih.gov/refseq", "www.ncbi.nlm.nih.gov/nuccore"),
    "so": ("www.sequenceontology.org", "sequenceontology.org"),
    "ncit": (
        "ncicb.nci.nih.gov/xml/owl/evs/thesaurus.owl",
        "ncithesaurus-stage.nci.nih.gov",
        "2.16.840.1.113883.3.26.1.1",
    ),
    "icdo3": (
        "terminology.hl7.org/codesystem/icd-o-3",
        "hl7.org/fhir/sid/icd-o-3",
        "2.16.840.1.113883.6.43.1",
        "www.who.int/classifications/icd-o-3",
        "terminology.hl7.org/codesystem/icd-o-3-morphology",
        "terminology.hl7.org/codesystem/icd-o-3-topography",
        "2.16.840.1.113883.6.43",
    ),
    "icd10": (
        "hl7.org/fhir/sid/icd-10-cm",
        "hl7.org/fhir/sid/icd-10",
        "hl7.org/fhir/sid/icd-10-de",
        "fhir.de/codesystem/bfarm/icd-10-gm",
        "fhir.de/codesystem/dimdi/icd-10-gm",
        "hl7.org/fhir/sid/icd-10-us",
        "2.16.840.1.113883.6.90",
        "2.16.840.1.113883.6.3",
        "2.16.840.1.113883.6.3.2",
        "1.2.276.0.76.5.311",
    ),
    "icd9": ("hl7.org/fhir/sid/icd-9-cm", "2.16.840.1.113883.6.103"),
    "oncotree": ("oncotree.mskcc.org", "oncotree.mskcc.org/oncotree", "oncotree.info"),
    "ajcc": ("cancerstaging.org",),
    "tbd": (
        "hl7.org/fhir/uv/genomics-reporting/codesystem/tbd-codes-cs",
        "hl7.org/fhir/uv/genomics-reporting/codesystem/tbdcodes",
        "hl7.org/fhir/us/mcode/codesystem/loinc-requested-cs",
        "terminology.hl7.org/codesystem/umls-tbd",
    ),
    "v2-0487": ("terminology.hl7.org/codesystem/v2-0487", "2.16.840.1.113883.18.311"),
    "v2-0074": ("terminology.hl7.org/codesystem/v2-0074",),
    "v3-race": ("2.16.840.1.113883.6.238",),
    "own": (OWN,),
    "own-class": (OWN_CLASS,),
}
_ALIAS = {spelling: alias for alias, spellings in _SPELLINGS.items() for spelling in spellings}

URL = {
    "loinc": "http://loinc.org",
    "sct": "http://snomed.info/sct",
    "ucum": "http://unitsofmeasure.org",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "hgnc": "http://www.genenames.org",
    "hgvs": "http://varnomen.hgvs.org",
    "so": "http://www.sequenceontology.org",
    "ncit": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "icdo3": "http://terminology.hl7.org/CodeSystem/icd-o-3",
    "icd10": "http://hl7.org/fhir/sid/icd-10-cm",
    "oncotree": "http://oncotree.mskcc.org",
    "ajcc": "http://cancerstaging.org",
    "v2-0487": "http://terminology.hl7.org/CodeSystem/v2-0487",
    "tbd": "http://hl7.org/fhir/uv/genomics-reporting/CodeSystem/tbd-codes-cs",
    "own": OWN,
    "own-class": OWN_CLASS,
}
"""The official URL of the systems that we write or name in requests."""


class Coding(NamedTuple):
    """A coding: our alias of the system ("" when it is none that we know), code and display as written."""

    system: str
    code: str
    display: str = ""

    @property
    def shown(self) -> str:
        """Return ``loinc|69548-6``."""
        return f"{self.system or '?'}|{self.code}"


class Concept(NamedTuple):
    """A CodeableConcept: its codings, and the text beside them."""

    codings: tuple[Coding, ...] = ()
    text: str = ""

    def codes(self, system: str) -> list[str]:
        """Return the codes of one system."""
        return [one.code for one in self.codings if one.system == system and one.code]

    @property
    def words(self) -> tuple[str, ...]:
        """Return what is written for people: the text, then the displays, then codes that are no codes."""
        displays = [one.display for one in self.codings if one.display]
        return tuple(dict.fromkeys([*([self.text] if self.text else []), *displays]))

    @property
    def shown(self) -> str:
        """Return the first code, for a list of what was not understood."""
        return self.codings[0].shown if self.codings else ""


@lru_cache(maxsize=4096)
def alias(system: str) -> str:
    """Return our short name of a code system, "" for one that is not known here.

    Examples
    --------
    >>> alias("http://www.genenames.org/geneId"), alias("urn:oid:2.16.840.1.113883.6.96"), alias("http://else.where")
    ('hgnc', 'sct', '')
    """
    bare = re.sub(r"^(?:https?://|urn:oid:)", "", system.strip().split("|")[0], flags=re.IGNORECASE).rstrip("/#")
    bare = re.sub(r"^snomed\.info/sct/.*$", "snomed.info/sct", bare, flags=re.IGNORECASE)
    return _ALIAS.get(bare.casefold(), "")


@lru_cache(maxsize=32_768)
def _coding(system: object, code: object, display: object) -> Coding:
    return Coding(alias(text(system)), text(code), text(display))


def coding(body: dict[str, Any]) -> Coding:
    """Read one Coding object."""
    try:
        return _coding(body.get("system"), body.get("code"), body.get("display"))
    except TypeError:  # a list or an object where a text belongs
        return Coding(alias(text(body.get("system"))), text(body.get("code")), text(body.get("display")))


@lru_cache(maxsize=32_768)
def _concept_of(one: Coding) -> Concept:
    return Concept((one,)) if one.code or one.display else Concept()


def concept(value: object) -> Concept:
    """Read a CodeableConcept; a lone Coding or a text is read as one too.

    Examples
    --------
    >>> concept({"coding": [{"system": "http://loinc.org", "code": "94076-7"}]}).codes("loinc")
    ['94076-7']
    >>> concept("Tumor Mutational Burden").words
    ('Tumor Mutational Burden',)
    """
    if not isinstance(value, dict):
        return Concept((), text(value))
    listed, words = value.get("coding"), value.get("text")
    if isinstance(listed, list) and len(listed) == 1 and words is None and isinstance(listed[0], dict):
        return _concept_of(coding(listed[0]))
    if listed is not None or words is not None:
        found = [coding(one) for one in records(listed)]
        return Concept(tuple([one for one in found if one.code or one.display]), text(words))
    return Concept((coding(value),)) if text(value.get("code")) else Concept()


def extensions(body: dict[str, Any], *names: str) -> Iterator[dict[str, Any]]:
    """Yield the extensions of an element whose URL ends with one of the names, without regard to case."""
    wanted = {name.casefold() for name in names}
    for one in records(body.get("extension")):
        url = text(one.get("url")).rstrip("/").casefold()
        if url.rsplit("/", 1)[-1].rsplit(":", 1)[-1] in wanted:
            yield one


def readable(body: dict[str, Any]) -> bool:
    """Return whether a resource may be processed: one with a modifier extension may not (FHIR R4, 2.4.0.2.1)."""
    return not records(body.get("modifierExtension"))
