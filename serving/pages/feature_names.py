"""Names of features and groups as labels: ``tmb_mut_per_mb`` is "TMB mut per Mb"."""

from __future__ import annotations

from functools import lru_cache

from features import genes

WORDS = {
    "bmi": "BMI",
    "dna": "DNA",
    "fgfr": "FGFR",
    "hrr": "HRR",
    "jak": "JAK",
    "log1p": "(log1p)",
    "mdm": "MDM",
    "met": "MET",
    "pi3k": "PI3K",
    "ras": "RAS",
    "rtk": "RTK",
    "wnt": "WNT",
    "cps": "CPS",
    "ctla4": "CTLA-4",
    "dl": "dL",
    "ecog": "ECOG",
    "imdc": "IMDC",
    "ic": "IC",
    "ldh": "LDH",
    "m2": "m\N{SUPERSCRIPT TWO}",
    "mb": "Mb",
    "mmr": "MMR",
    "nlr": "NLR",
    "pdl1": "PD-L1",
    "tc": "TC",
    "tmb": "TMB",
    "tps": "TPS",
}
"""Parts of names that are not written as they stand; gene symbols are known by the vocabulary."""


@lru_cache(maxsize=1024)
def in_words(name: str) -> str:
    """Return the name of a group or a feature as a label.

    Examples
    --------
    >>> in_words("group:tmb"), in_words("pdl1_tps_percent"), in_words("kras_with_stk11")
    ('TMB', 'PD-L1 TPS percent', 'KRAS with STK11')
    """
    return " ".join(_word(part) for part in name.rpartition(":")[2].split("_"))


def _word(part: str) -> str:
    if part in WORDS:
        return WORDS[part]
    return part.upper() if part.isalnum() and genes.row(part.upper()) is not None else part
