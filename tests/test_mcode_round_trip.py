"""A case written as an mCODE bundle by our own writer and read back is the same case."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.case import Case, read_case
from features.sources.mcode import read_bundle, write_bundle, write_parameters
from features.sources.mcode.writer import INDEX_DATE
from tests.strategies import raw_cases

if TYPE_CHECKING:
    from collections.abc import Mapping

FULL_CASE: dict[str, Any] = {
    "case_id": "c-1",
    "patient_id": "p-1",
    "histology": "LUAD",
    "histology_at_diagnosis": "LUSC",
    "stage": "IV",
    "specimen": {"source": "tissue", "days_before_index": 30.0, "tumor_purity": 0.4},
    "assay": {"panel": "MSK-IMPACT468", "genes_tested": ["BRAF", "EGFR", "KRAS"]},
    "alterations": [
        {"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E", "cdna_change": "c.1799T>A", "vaf": 0.32},
        {"gene": "ALK", "kind": "fusion", "partner": "EML4"},
        {"gene": "ERBB2", "kind": "amplification", "copies": 12.0},
        {"gene": "ERBB2", "kind": "expression", "level": "3+"},
        {"gene": "KRAS", "kind": "mutation", "status": "absent"},
    ],
    "tmb": {"mut_per_mb": 12.3, "exome_nonsynonymous_count": 210.0, "blood_count": 17.0},
    "mmr": {
        "ihc": "deficient",
        "ihc_proteins": {"MLH1": "lost", "MSH2": "retained", "MSH6": "retained", "PMS2": "lost"},
        "msi_pcr": "MSI-H",
        "msi_ngs": "MSS",
        "msi_ngs_score": 18.2,
        "reported": "MSI-L",
    },
    "prior_systemic_therapy": True,
    "prior_lines": 1,
    "prior_therapies": [
        {
            "agents": ["carboplatin", "pemetrexed"],
            "line": 1,
            "setting": "metastatic",
            "best_response": "PD",
            "started_days_before_index": 150.0,
            "ended_days_before_index": 40.0,
        }
    ],
    "patient": {
        "age_years": 63.0,
        "sex": "female",
        "race": "not said",
        "ecog": 1,
        "albumin_g_per_dl": 3.9,
        "nlr": 4.2,
        "hemoglobin_g_per_dl": 12.1,
        "platelets_per_nl": 240.0,
        "ldh_ratio_to_upper_limit": 0.9,
        "bmi_kg_per_m2": 24.1,
        "pdl1_tps_percent": 50.0,
        "pdl1_cps": 60.0,
        "pdl1_ic_percent": 5.0,
        "pdl1_tc_ic": "TC3/IC3",
        "brain_metastases": False,
        "liver_metastases": True,
        "bone_metastases": True,
        "metastatic_sites": 2,
        "imdc_risk": "intermediate",
        "smoking": "ever",
    },
    "therapy": {"agents": ["pembrolizumab"]},
}
"""Every field of the record once."""

DAYS = st.integers(1, 2000).map(float)
FRACTION = st.floats(0, 1, allow_nan=False).map(lambda x: round(x, 4))
ALTERATIONS = st.sampled_from(
    [
        {"gene": "EGFR", "kind": "mutation", "protein_change": "exon 19 deletion"},
        {"gene": "MET", "kind": "mutation", "exon": 14, "variant_classification": "splice_site"},
        {"gene": "NRAS", "kind": "mutation", "cdna_change": "c.182A>G", "variant_classification": "Missense_Mutation"},
        {"gene": "BAP1", "kind": "mutation", "protein_change": "NP_004647.1:p.(Gln590Ter)", "origin": "somatic"},
        {"gene": "BRCA2", "kind": "mutation", "protein_change": "p.S1982fs", "origin": "germline", "vaf": 0.5},
        {"gene": "KRAS", "kind": "mutation", "status": "absent"},
        {"gene": "EGFR", "kind": "mutation", "status": "not_detected", "protein_change": "p.T790M"},
        {"gene": "ALK", "kind": "fusion", "partner": "EML4"},
        {"gene": "ROS1", "kind": "fusion"},
        {"gene": "RET", "kind": "fusion", "status": "absent"},
        {"gene": "MET", "kind": "amplification", "copies": 12.0},
        {"gene": "CDKN2A", "kind": "deletion"},
        {"gene": "ERBB2", "kind": "expression", "level": "2+"},
        {"gene": "ESR1", "kind": "expression", "status": "absent"},
        {"gene": "TP53", "kind": "mutation", "protein_change": "p.R273H", "vaf": 0.31, "cancer_cell_fraction": 0.8},
        {"gene": "TTN", "kind": "mutation"},
    ]
)
FINDINGS: dict[str, st.SearchStrategy[Any]] = {
    "assay": st.fixed_dictionaries(
        {},
        optional={
            "panel": st.sampled_from(["MSK-IMPACT468", "a panel of our own"]),
            "genes_tested": st.lists(st.sampled_from(["EGFR", "KRAS", "BRAF", "RET", "C9orf72"]), unique=True),
        },
    ),
    "alterations": st.lists(ALTERATIONS, max_size=4),
}
SPECIMEN: dict[str, st.SearchStrategy[Any]] = {
    "source": st.sampled_from(["tissue", "blood"]),
    "days_before_index": DAYS,
    "tumor_purity": FRACTION,
}
DRUGS: tuple[dict[str, Any], ...] = (
    {"agents": ["carboplatin", "pemetrexed"]},
    {"agents": ["osimertinib"]},
    {"class": "pd1_pdl1"},
    {"agents": ["folfox"]},
)


@st.composite
def priors(draw: st.DrawFn) -> dict[str, Any]:
    """One regimen before the index date."""
    rest = st.fixed_dictionaries(
        {},
        optional={
            "line": st.integers(1, 6),
            "setting": st.sampled_from(["metastatic", "adjuvant", "neoadjuvant", "locally_advanced"]),
            "best_response": st.sampled_from(["CR", "PR", "SD", "PD", "NE"]),
            "started_days_before_index": st.integers(500, 900).map(float),
            "ended_days_before_index": st.integers(0, 400).map(float),
        },
    )
    return {**draw(rest), **draw(st.sampled_from(DRUGS))}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Valid cases with every part that a bundle can carry."""
    raw: dict[str, Any] = dict(draw(raw_cases()))
    for name in ("specimen", "assay", "alterations", "specimens", "prior_therapies", "prior_systemic_therapy"):
        raw.pop(name, None)
    if draw(st.booleans()):
        one = st.fixed_dictionaries({}, optional={**SPECIMEN, **FINDINGS})
        raw["specimens"] = draw(st.lists(one, min_size=1, max_size=3))
    else:
        raw |= draw(
            st.fixed_dictionaries({}, optional={"specimen": st.fixed_dictionaries({}, optional=SPECIMEN), **FINDINGS})
        )
    raw |= draw(st.fixed_dictionaries({}, optional={"prior_therapies": st.lists(priors(), max_size=4)}))
    raw |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "case_id": st.sampled_from(["c-1", "case 7/b"]),
                "patient_id": st.sampled_from(["p-1", "Patient nr. 9"]),
                "stage": st.sampled_from(["I", "II", "III", "IV"]),
                "histology_at_diagnosis": st.just("LUAD"),
            },
        )
    )
    return read_case(raw)


def canonical(case: Case) -> str:
    """The case as text in which neither the order of lists nor empty parts matter."""
    raw = case.model_dump(mode="json", by_alias=True, exclude_none=True)
    several = raw.pop("specimens", None)
    if several is not None:
        kept = [one for one in map(_pruned, several) if one]
        if len(kept) == 1 or not kept:
            one = kept[0] if kept else {}
            raw |= {name: one.pop(name) for name in ("assay", "alterations") if name in one}
            raw["specimen"] = one
        else:
            raw["specimens"] = kept
    return json.dumps(_sorted(_pruned(raw)), sort_keys=True)


def _pruned(value: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: _pruned(item) if isinstance(item, dict) else item for name, item in value.items()}
    return {name: item for name, item in found.items() if item != {}}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(item) for name, item in value.items() if item != {"status": "present"}}
    if isinstance(value, list):
        once = {json.dumps(_sorted(item), sort_keys=True) for item in value}
        return sorted(once)
    return value


def comes_back(case: Case) -> None:
    """Read what is written of a case and compare."""
    read = read_bundle(write_bundle(case), therapy=case.therapy, index_date=INDEX_DATE)
    assert not read.errors, read.errors
    assert read.case is not None
    assert canonical(read.case) == canonical(case)


@settings(max_examples=120)
@given(cases())
def test_a_written_case_is_read_back_the_same(case: Case) -> None:
    """No field is lost or changed."""
    comes_back(case)


@pytest.mark.soak
@settings(max_examples=5_000)
@given(cases())
def test_a_written_case_is_read_back_the_same_soak(case: Case) -> None:
    """The same, 5,000 times."""
    comes_back(case)


def test_the_full_case_comes_back() -> None:
    """Every field of the documented example."""
    comes_back(read_case(FULL_CASE))


@given(cases())
@settings(max_examples=30)
def test_parameters_hold_the_whole_question(case: Case) -> None:
    """Bundle, therapy and index date in one resource, as the operation takes it."""
    read = read_bundle(write_parameters(case))
    assert read.index_date == INDEX_DATE
    assert read.case is not None
    assert canonical(read.case) == canonical(case)
