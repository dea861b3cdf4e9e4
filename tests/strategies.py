"""Hypothesis strategies for valid cases, drawn from the record's own vocabularies and ranges."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

HISTOLOGIES = (
    "LUAD",
    "LUSC",
    "SKCM",
    "MEL",
    "COADREAD",
    "BLCA",
    "CCRCC",
    "HNSC",
    "GIST",
    "CHOL",
    "BRCA",
    "UCEC",
    "SCLC",
    "PAAD",
)
MUTATIONS = (
    ("BRAF", "p.V600E"),
    ("KRAS", "p.G12C"),
    ("EGFR", "p.L858R"),
    ("EGFR", "p.T790M"),
    ("EGFR", "p.E746_A750del"),
    ("STK11", "p.Q37*"),
    ("KEAP1", "p.R320Q"),
    ("TP53", "p.R273H"),
    ("PBRM1", "p.I279fs"),
    ("KIT", "p.W557_K558del"),
    ("PDGFRA", "p.D842V"),
    ("PIK3CA", "p.H1047R"),
    ("TTN", "p.A100V"),
)
AGENTS = (
    ("pembrolizumab",),
    ("nivolumab",),
    ("nivolumab", "ipilimumab"),
    ("atezolizumab",),
    ("vemurafenib",),
    ("dabrafenib", "trametinib"),
    ("encorafenib", "cetuximab"),
    ("gefitinib",),
    ("osimertinib",),
    ("imatinib",),
    ("sotorasib",),
    ("crizotinib",),
)
CLASSES = ("pd1_pdl1", "ctla4", "pd1_pdl1+ctla4", "checkpoint_unspecified")
CHECKPOINT_AGENTS = AGENTS[:4]


def _known(keys: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of the keys may be absent or null, as in life."""
    return st.fixed_dictionaries({}, optional={key: st.none() | value for key, value in keys.items()})


def _number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False).map(lambda x: round(x, 3))


def _mutation() -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(st.sampled_from(MUTATIONS), st.none() | _number(0, 1)).map(
        lambda drawn: {"gene": drawn[0][0], "kind": "mutation", "protein_change": drawn[0][1], "vaf": drawn[1]}
    )


def _other_alteration() -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(
        [
            {"gene": "ALK", "kind": "fusion", "partner": "EML4"},
            {"gene": "ERBB2", "kind": "amplification", "copies": 12.0},
            {"gene": "MET", "kind": "amplification"},
            {"gene": "PTEN", "kind": "deletion"},
            {"gene": "ERBB2", "kind": "expression", "level": "3+"},
        ]
    )


PATIENT = _known(
    {
        "age_years": _number(18, 100),
        "sex": st.sampled_from(["female", "male"]),
        "ecog": st.integers(0, 4),
        "albumin_g_per_dl": _number(1, 6),
        "nlr": _number(0.1, 80),
        "hemoglobin_g_per_dl": _number(5, 18),
        "platelets_per_nl": _number(20, 900),
        "ldh_ratio_to_upper_limit": _number(0.2, 20),
        "pdl1_tps_percent": _number(0, 100),
        "pdl1_cps": _number(0, 100),
        "brain_metastases": st.booleans(),
        "liver_metastases": st.booleans(),
        "smoking": st.sampled_from(["never", "former", "current", "ever"]),
    }
)
MMR = _known(
    {
        "ihc": st.sampled_from(["deficient", "proficient", "equivocal"]),
        "msi_pcr": st.sampled_from(["MSI-H", "MSI-L", "MSS", "indeterminate"]),
        "msi_ngs_score": _number(0, 60),
    }
)
PRIOR = st.fixed_dictionaries(
    {"agents": st.sampled_from([["carboplatin", "pemetrexed"], ["crizotinib"], ["ipilimumab"], ["gefitinib"]])},
    optional={"line": st.integers(1, 6), "best_response": st.sampled_from(["CR", "PR", "SD", "PD"])},
)


def _therapy(agents: tuple[tuple[str, ...], ...], classes: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    regimens = [{"agents": list(regimen)} for regimen in agents]
    return st.sampled_from([*regimens, *({"class": name} for name in classes)])


def raw_cases(
    agents: tuple[tuple[str, ...], ...] = AGENTS, classes: tuple[str, ...] = CLASSES
) -> st.SearchStrategy[dict[str, Any]]:
    """Valid cases as JSON objects: any of the optional fields may be absent or null."""
    required = {"histology": st.sampled_from(HISTOLOGIES), "therapy": _therapy(agents, classes)}
    optional = {
        "stage": st.none() | st.sampled_from(["III", "IV"]),
        "specimen": _known({"source": st.sampled_from(["tissue", "blood"]), "days_before_index": _number(0, 900)}),
        "assay": _known({"panel": st.sampled_from(["MSK-IMPACT468", "MSK-IMPACT341"])}),
        "alterations": st.none() | st.lists(_mutation() | _other_alteration(), max_size=8),
        "tmb": _known({"mut_per_mb": _number(0, 150), "blood_count": _number(0, 100)}),
        "mmr": MMR,
        "prior_lines": st.none() | st.integers(0, 8),
        "prior_therapies": st.none() | st.lists(PRIOR, max_size=4),
        "patient": PATIENT,
    }
    return st.fixed_dictionaries(required, optional=optional)
