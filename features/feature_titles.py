"""One name for people of each feature and group, for reports, pages and cards alike: ``tmb_mut_per_mb`` is "TMB".

What an answer says of a case is the builders' own text ("TMB 12.3 mut/Mb"); these are the labels of axes, rows and
columns, and they use the same words.
"""

from __future__ import annotations

from functools import lru_cache

from features import genes

TITLES = {
    "age_years": "age",
    "albumin_g_per_dl": "albumin",
    "bmi_kg_per_m2": "BMI",
    "clonal_haematopoiesis_log1p": "clonal haematopoiesis",
    "erbb2_altered": "HER2 alteration",
    "evidence": "published evidence",
    "fgfr_altered": "FGFR alteration",
    "hemoglobin_g_per_dl": "haemoglobin",
    "jak_loss": "JAK1 or JAK2 loss",
    "kinase_fusion_driver": "ALK, ROS1 or RET fusion",
    "kras_with_stk11": "KRAS with STK11",
    "kras_with_tp53": "KRAS with TP53",
    "ldh_ratio_to_upper_limit": "LDH over its upper limit",
    "match_clonality": "clonality of the match",
    "match_evidence_level": "level of the match",
    "mdm_amplification": "MDM2 or MDM4 amplification",
    "met_altered": "MET alteration",
    "metastatic_sites": "organs with metastases",
    "nlr": "neutrophil-to-lymphocyte ratio",
    "passengers_log1p": "passenger mutations",
    "pathway_cell_cycle": "cell-cycle pathway",
    "pathway_chromatin": "chromatin remodelling",
    "pathway_dna_repair": "DNA-repair pathway",
    "pathway_pi3k": "PI3K pathway",
    "pathway_rtk_ras": "RTK-RAS pathway",
    "pathway_wnt": "WNT pathway",
    "pdl1_cps": "PD-L1 CPS",
    "pdl1_ic_percent": "PD-L1 IC",
    "pdl1_tc_ic": "PD-L1 class of SP142",
    "pdl1_tps_percent": "PD-L1 TPS",
    "platelets_per_nl": "platelets",
    "polymerase_exonuclease": "POLE or POLD1 hotspot",
    "prior_ctla4": "prior CTLA-4 inhibitor",
    "prior_lines": "prior lines",
    "resistance_present": "resistance alteration",
    "tmb_blood_count": "blood TMB",
    "tmb_exome_count": "exome TMB",
    "tmb_mut_per_mb": "TMB",
    "tmb_within_histology": "TMB within histology",
    "tp53_altered": "TP53 alteration",
}
"""Names that are not made of their parts; every other name is, part by part."""

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
    "msi": "MSI",
    "ngs": "NGS",
    "nlr": "NLR",
    "pcr": "PCR",
    "ihc": "IHC",
    "pdl1": "PD-L1",
    "tc": "TC",
    "tmb": "TMB",
    "tps": "TPS",
}
"""Parts of names that are not written as they stand; gene symbols are known by the vocabulary."""


@lru_cache(maxsize=1024)
def in_words(name: str) -> str:
    """Return the name of a group or a feature as a label.

    Parameters
    ----------
    name
        As in an answer (``pdl1_tps_percent``), or ``group:tmb``. An unknown name is written part by part.

    Examples
    --------
    >>> in_words("group:tmb"), in_words("pdl1_tps_percent"), in_words("stk11_loss"), in_words("liver_metastases")
    ('TMB', 'PD-L1 TPS', 'STK11 loss', 'liver metastases')
    """
    plain = name.rpartition(":")[2]
    return TITLES.get(plain) or " ".join(_word(part) for part in plain.split("_"))


def _word(part: str) -> str:
    if part in WORDS:
        return WORDS[part]
    return part.upper() if part.isalnum() and genes.row(part.upper()) is not None else part
