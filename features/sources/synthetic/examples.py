"""Two invented cases for README, demo and API documentation."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from features.errors import seen_text

if TYPE_CHECKING:
    from features.sources.synthetic.draft import Family

_CHECKPOINT: dict[str, Any] = {
    "case_id": "example-checkpoint",
    "histology": "LUAD",
    "stage": "IV",
    "specimen": {"source": "tissue", "days_before_index": 30, "tumor_purity": 0.4},
    "assay": {"panel": "MSK-IMPACT468"},
    "alterations": [
        {"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12C", "vaf": 0.31},
        {"gene": "STK11", "kind": "mutation", "protein_change": "p.Q37*", "vaf": 0.35},
        {"gene": "TP53", "kind": "mutation", "protein_change": "p.R273H", "vaf": 0.28},
        {"gene": "FAT1", "kind": "mutation", "protein_change": "p.R1627Q", "vaf": 0.12},
    ],
    "tmb": {"mut_per_mb": 12.3},
    "mmr": {"ihc": "proficient", "msi_ngs_score": 0.4},
    "prior_systemic_therapy": True,
    "prior_lines": 1,
    "prior_therapies": [
        {
            "agents": ["carboplatin", "pemetrexed"],
            "line": 1,
            "setting": "metastatic",
            "best_response": "PD",
            "started_days_before_index": 160,
            "ended_days_before_index": 40,
        }
    ],
    "patient": {
        "age_years": 63,
        "sex": "female",
        "ecog": 1,
        "albumin_g_per_dl": 3.9,
        "nlr": 4.2,
        "hemoglobin_g_per_dl": 12.1,
        "platelets_per_nl": 240,
        "ldh_ratio_to_upper_limit": 0.9,
        "pdl1_tps_percent": 50,
        "brain_metastases": False,
        "liver_metastases": False,
        "smoking": "former",
    },
    "therapy": {"agents": ["pembrolizumab"]},
}

_TARGETED: dict[str, Any] = {
    "case_id": "example-targeted",
    "histology": "COAD",
    "stage": "IV",
    "specimen": {"source": "tissue", "days_before_index": 45, "tumor_purity": 0.5},
    "assay": {"panel": "FoundationOne CDx"},
    "alterations": [
        {"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E", "vaf": 0.27},
        {"gene": "RNF43", "kind": "mutation", "protein_change": "p.G659Vfs*41", "vaf": 0.33},
        {"gene": "TP53", "kind": "mutation", "protein_change": "p.R175H", "vaf": 0.41},
        {"gene": "PTPRT", "kind": "mutation", "protein_change": "p.A1022E", "vaf": 0.08},
    ],
    "tmb": {"mut_per_mb": 5.0},
    "mmr": {"ihc": "proficient", "msi_pcr": "MSS"},
    "prior_systemic_therapy": True,
    "prior_lines": 1,
    "prior_therapies": [
        {
            "agents": ["bevacizumab", "fluorouracil", "oxaliplatin"],
            "line": 1,
            "setting": "metastatic",
            "best_response": "SD",
            "started_days_before_index": 230,
            "ended_days_before_index": 28,
        }
    ],
    "patient": {
        "age_years": 58,
        "sex": "male",
        "ecog": 1,
        "albumin_g_per_dl": 3.8,
        "nlr": 3.6,
        "ldh_ratio_to_upper_limit": 1.1,
        "metastatic_sites": 2,
        "brain_metastases": False,
        "liver_metastases": True,
    },
    "therapy": {"agents": ["encorafenib", "cetuximab"]},
}


def example_case(family: Family) -> dict[str, Any]:
    """Return an invented case of a family as JSON-ready values: a new copy each time.

    ``checkpoint``: lung adenocarcinoma, KRAS and STK11, TMB 12.3, PD-L1 50%, pembrolizumab in second line.
    ``targeted``: colon cancer with BRAF V600E, encorafenib and cetuximab in second line.

    Raises
    ------
    LookupError
        For another family.

    Examples
    --------
    >>> example_case("targeted")["therapy"]["agents"]
    ['encorafenib', 'cetuximab']
    """
    cases = {"checkpoint": _CHECKPOINT, "targeted": _TARGETED}
    if family not in cases:
        raise LookupError(f"there is no example case of {seen_text(family)}; there are {', '.join(cases)}")
    return deepcopy(cases[family])
