"""Codes: which LOINC, SNOMED CT, NCIt and SO codes mean what. The specification is ``docs/fhir-mapping.md``.

Only codes and our own words. LOINC answer codes are those of the lists that the tests name (LL3994-2 for MSI, and so
on); this material refers to LOINC (https://loinc.org), copyright Regenstrief Institute, Inc.
"""

from __future__ import annotations

import re
from functools import lru_cache

TOPICS: dict[str, tuple[str, ...]] = {
    "variant": ("69548-6",),
    "regions_studied": ("53041-0",),
    "tmb": ("94076-7",),
    "msi": ("81695-9", "43368-0"),
    "msi_by_stain": ("62862-8",),
    "mmr.MLH1": ("81691-8",),
    "mmr.MSH2": ("81692-6",),
    "mmr.MSH6": ("81693-4",),
    "mmr.PMS2": ("81694-2",),
    "pdl1_tps": ("83053-9",),
    "pdl1_presence": ("83052-1", "83054-7", "83055-4", "83056-2", "83057-0"),
    "pdl1_report": ("85147-7", "85148-5", "85149-3"),
    "her2_ihc": ("85319-2", "48676-1", "72383-3"),
    "her2_fish": ("85318-4", "31150-6"),
    "er": ("85337-4", "16112-5", "40556-3"),
    "pr": ("85339-0", "16113-3", "40557-1"),
    "alk_fish": ("78205-2",),
    "ecog": ("89247-1",),
    "karnofsky": ("89243-0",),
    "albumin": ("1751-7", "61151-7", "61152-5", "2862-1", "54347-0", "62234-0"),
    "hemoglobin": ("718-7", "20509-6", "30313-1", "30350-3", "30351-1", "30352-9", "55782-7", "59260-0"),
    "platelets": ("777-3", "26515-7", "778-1", "49497-1"),
    "neutrophils": ("751-8", "26499-4", "753-4"),
    "lymphocytes": ("731-0", "26474-7", "732-8"),
    "neutrophils_percent": ("770-8", "26511-6", "23761-0"),
    "lymphocytes_percent": ("736-9", "26478-8", "737-7"),
    "ldh": ("2532-0", "14804-9", "14805-6"),
    "bmi": ("39156-5",),
    "age": ("30525-0",),
    "smoking": ("72166-2",),
    "stage": ("21908-9", "21902-2", "21914-7"),
    "disease_status": ("97509-4",),
    "histology": ("31206-6", "59847-4"),
}
"""What an Observation is about, by its LOINC codes."""

_OTHER_TOPICS = {
    ("ncit", "C184941"): "pdl1_tps",
    ("ncit", "C176582"): "pdl1_cps",
    ("ncit", "C199175"): "pdl1_ic",
    ("ncit", "C38144"): "karnofsky",
    ("sct", "423740007"): "ecog",
    ("sct", "399390009"): "stage",
    ("sct", "399537006"): "stage",
    ("sct", "399588009"): "stage",
}
_BY_CODE = {("loinc", code): topic for topic, listed in TOPICS.items() for code in listed} | _OTHER_TOPICS

WITH_OWN_COMPONENTS = frozenset({"variant", "regions_studied"})
"""Topics whose components belong to them; elsewhere a component is an observation of its own."""

_WORDS = (
    (r"(?:tissue )?tumou?r mutation(?:al)? (?:burden|load)(?: \(?tmb\)?)?|tmb(?: score)?", "tmb"),
    (r"msi(?:[ -]status)?|microsatellite[ -]instability(?:[ -](?:status|\(msi\)))?", "msi"),
    (r"pd[ -]?l1.*\b(?:tps|tumou?r proportion score)\b.*|tps", "pdl1_tps"),
    (r"pd[ -]?l1.*\b(?:cps|combined positive score)\b.*|cps", "pdl1_cps"),
    (r"ecog(?: performance)?(?: status)?(?: score| grade)?|ecog ps", "ecog"),
)
_TOPIC_OF_WORDS = tuple((re.compile(pattern, re.IGNORECASE), topic) for pattern, topic in _WORDS)

PARTS: dict[str, tuple[str, ...]] = {
    "gene": ("48018-6",),
    "cdna": ("48004-6",),
    "protein": ("48005-3",),
    "genomic": ("81290-9",),
    "variation": ("81252-9",),
    "protein_change_type": ("48006-1",),
    "dna_change_type": ("48019-4",),
    "transcript": ("51958-7",),
    "assembly": ("62374-4",),
    "vaf": ("81258-6",),
    "source_class": ("48002-0",),
    "copies": ("82155-3",),
    "ranges": ("51959-5",),
    "region": ("81293-3", "47999-8"),
}
"""Components of a variant or of a region studied, by their LOINC codes."""

_OTHER_PARTS = {
    ("tbd", "molecular-consequence"): "consequence",
    ("tbd", "feature-consequence"): "consequence",
    ("tbd", "functional-annotation"): "consequence",
    ("tbd", "functional-effect"): "effect",
}
_BY_PART = {("loinc", code): part for part, listed in PARTS.items() for code in listed} | _OTHER_PARTS
CARRIES_NO_INPUT = frozenset({"transcript", "assembly", "effect", "region", "ranges"})

PRESENT = frozenset({("loinc", "LA9633-4"), ("sct", "52101004"), ("sct", "10828004"), ("sct", "260373001"),
                     ("loinc", "LA6576-8"), ("loinc", "LA11882-0")})  # fmt: skip
ABSENT = frozenset({("loinc", "LA9634-2"), ("sct", "2667000"), ("sct", "260385009"), ("sct", "260415000"),
                    ("loinc", "LA6577-6"), ("loinc", "LA11883-8")})  # fmt: skip
UNDECIDED = frozenset({("loinc", "LA11884-6"), ("loinc", "LA18198-4"), ("sct", "82334004"), ("sct", "42425007")})

MSI = {
    "LA14122-8": "MSS",
    "LA26202-4": "MSI-L",
    "LA26203-2": "MSI-H",
    "LA11884-6": "indeterminate",
}
ORIGIN = {"LA6684-0": "somatic", "LA6683-2": "germline"}
SEQUENCING = "LA26398-0"

CONSEQUENCE = {
    "SO:0001583": "missense_variant",
    "SO:0001587": "stop_gained",
    "SO:0001589": "frameshift_variant",
    "SO:0001574": "splice_acceptor_variant",
    "SO:0001575": "splice_donor_variant",
    "SO:0001630": "splice_region_variant",
    "SO:0001819": "synonymous_variant",
    "SO:0001578": "stop_lost",
    "SO:0002012": "start_lost",
    "SO:0001821": "inframe_insertion",
    "SO:0001822": "inframe_deletion",
    "SO:0001818": "protein_altering_variant",
    "SO:0001627": "intron_variant",
    "SO:0001631": "upstream_gene_variant",
    "SO:0001632": "downstream_gene_variant",
    "SO:0001623": "5_prime_utr_variant",
    "SO:0001624": "3_prime_utr_variant",
}
"""Sequence Ontology ids of consequences, as :mod:`features.variant_classification` spells them."""

CHANGE_TYPE = {
    "LA6698-0": "missense",
    "LA6699-8": "nonsense",
    "LA6694-9": "frameshift",
}
"""LOINC answers to the amino-acid change type (48006-1)."""

FUSION = frozenset({"SO:0002062", "SO:0001565", "SO:0001882", "SO:0000806"})
GAIN = frozenset({"SO:0001742", "SO:0001911", "LA14033-7"})
LOSS = frozenset({"SO:0001743", "SO:0001912", "LA14034-5"})
AMPLIFIED = frozenset({"SO:0001880", "SO:0001889"})
RELATIVE_WORDS = {"gain": "gain", "copy number gain": "gain", "copy_number_gain": "gain", "loss": "loss",
                  "copy number loss": "loss", "copy_number_loss": "loss", "deletion": "deleted?"}  # fmt: skip

ECOG = {"LA9622-7": 0, "LA9623-5": 1, "LA9624-3": 2, "LA9625-0": 3, "LA9626-8": 4, "LA9627-6": 5,
        "425389002": 0, "422512005": 1, "422894000": 2, "423053003": 3, "423237006": 4, "423409001": 5}  # fmt: skip

SMOKING = {
    "266919005": "never", "LA18978-9": "never", "221000119102": "never",
    "77176002": "ever",
    "8517006": "former", "LA15920-4": "former",
    "449868002": "current", "428041000124106": "current", "LA18976-3": "current", "LA18977-1": "current",
    "428071000124103": "current", "428061000124105": "current", "LA18981-3": "current", "LA18982-1": "current",
}  # fmt: skip
RESPONSE = {
    "103338009": "CR", "103337004": "PR", "359746009": "SD", "271299001": "PD",
}  # fmt: skip
"""Disease status as a response; ``improved`` (268910001) is none by RECIST and is not taken."""

SETTING = {"363676003": "metastatic", "373846009": "adjuvant", "373847000": "neoadjuvant"}
CURATIVE, SUPPORTIVE = "373808002", "399707004"
LINE_OF_THERAPY = ("ncit", "C133518")
CHEMOTHERAPY_PROCEDURES = frozenset({"367336001", "716872004", "385786002"})

BLOOD_SPECIMEN = frozenset({"BLD", "PLAS", "PLASMA", "PLB", "SER", "WB", "BLDV", "BLDC", "119297000", "119361006",
                            "122555007", "119364003"})  # fmt: skip
TISSUE_SPECIMEN = frozenset({"TISS", "TUMOR", "TISSUE", "BIOP", "BX", "FFPE", "119376003", "258435002", "122548005",
                             "441652008"})  # fmt: skip
STAGE_CODE = re.compile(r"(?:[cpyr]{0,2}\s*)?(?:stage\s*)?(IV|III|II|I|[1-4])\s*[A-D]?\d?", re.IGNORECASE)


@lru_cache(maxsize=4096)
def topic(system: str, code: str) -> str:
    """Return what an Observation with this code is about, "" when it is no input.

    Examples
    --------
    >>> topic("loinc", "94076-7"), topic("own", "patient.pdl1_cps"), topic("sct", "94076-7")
    ('tmb', 'own:patient.pdl1_cps', '')
    """
    return f"own:{code}" if system == "own" and code else _BY_CODE.get((system, code), "")


@lru_cache(maxsize=4096)
def topic_of_words(words: str) -> str:
    """Return what words are about, where they are the whole name of a test."""
    return next((found for pattern, found in _TOPIC_OF_WORDS if pattern.fullmatch(words.strip())), "")


@lru_cache(maxsize=4096)
def part(system: str, code: str) -> str:
    """Return which part of a variant a component with this code is, "" when it is none that is read."""
    return f"own:{code}" if system == "own" and code else _BY_PART.get((system, code), "")
