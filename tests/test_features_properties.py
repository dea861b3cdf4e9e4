"""What must hold of the whole feature table, whatever the case: order, passengers, synonyms (issue 3, done when 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.table import MISSING_SUFFIX
from tests.feature_rows import BARE, Raw, altered, bare_with, changed, families, places_of, rows_of, same, table_of
from tests.strategies import raw_cases


@families
@given(raw=raw_cases(), shuffled=st.randoms(use_true_random=False))
def test_order_never_matters(family: str, raw: Raw, shuffled: Any) -> None:
    def turn(entries: list[Any]) -> list[Any]:
        return shuffled.sample(entries, len(entries))

    other = dict(raw)
    for name in ("alterations", "prior_therapies"):
        if raw.get(name):
            other[name] = turn(raw[name])
    other["prior_therapies"] = raw.get("prior_therapies") and [
        {**prior, "agents": turn(prior["agents"])} for prior in other["prior_therapies"]
    ]
    if raw["therapy"].get("agents"):
        other["therapy"] = {"agents": turn(raw["therapy"]["agents"])}
    assert same(family, raw, other)


@families
@given(raw=raw_cases())
def test_a_finding_told_twice_counts_once_for_drivers(family: str, raw: Raw) -> None:
    once = {**raw, "alterations": raw.get("alterations") or []}
    twice = {**once, "alterations": once["alterations"] * 2}
    assert changed(family, once, twice) <= MOVED_BY_A_PASSENGER


# passengers

MOVED_BY_A_PASSENGER = {
    "passengers_log1p",
    "tmb_log2_mut_per_mb",
    "tmb_log2_above_10_mut_per_mb",
    "tmb_log2_mut_per_mb_targeted",
    "tmb_sd_from_histology_median",
}
"""The count of passengers, and TMB where it is counted from the findings."""
PASSENGER = {"gene": "TTN", "kind": "mutation", "protein_change": "p.A100V"}


@families
@given(raw=raw_cases())
def test_a_passenger_never_changes_a_driver_column(family: str, raw: Raw) -> None:
    tissue = {**raw, "specimen": {"source": "tissue"}, "alterations": raw.get("alterations") or []}
    more = {**tissue, "alterations": [*tissue["alterations"], PASSENGER]}
    assert "passengers_log1p" in changed(family, tissue, more) <= MOVED_BY_A_PASSENGER


@families
@given(raw=raw_cases())
def test_in_blood_a_passenger_only_shows_that_there_is_tumour_dna(family: str, raw: Raw) -> None:
    in_blood = {**raw, "specimen": {"source": "blood"}, "alterations": raw.get("alterations") or []}
    more = {**in_blood, "alterations": [*in_blood["alterations"], PASSENGER]}
    rows = rows_of(family, in_blood, more)
    known = {
        place
        for name, place in places_of(family).items()
        if name not in MOVED_BY_A_PASSENGER and not name.endswith(MISSING_SUFFIX)
    }
    for place in known:
        before, after = rows[:, place]
        assert before == after or np.isnan(before), table_of(family).columns[place].name
        assert not (np.isnan(before) and after == 1), "a passenger makes nothing present"


def _before(*agents: str) -> Raw:
    return bare_with(prior_therapies=[{"agents": list(agents), "line": 1}])


SYNONYMS: dict[str, tuple[Raw, Raw]] = {
    "histology name": (bare_with(histology="Lung Adenocarcinoma"), bare_with(histology="LUAD")),
    "histology in small letters": (bare_with(histology="luad"), bare_with(histology="LUAD")),
    "histology at diagnosis": (
        bare_with(histology="SCLC", histology_at_diagnosis="Lung Adenocarcinoma"),
        bare_with(histology="Small Cell Lung Cancer", histology_at_diagnosis="LUAD"),
    ),
    "brand": (bare_with(therapy={"agents": ["Tagrisso"]}), BARE),
    "two brands in any order": (
        bare_with(therapy={"agents": ["Mekinist", "Tafinlar"]}),
        bare_with(therapy={"agents": ["dabrafenib", "trametinib"]}),
    ),
    "code name of a drug": (
        bare_with(therapy={"agents": ["MPDL3280A"]}),
        bare_with(therapy={"agents": ["atezolizumab"]}),
    ),
    "brand given before": (_before("Opdivo", "Yervoy"), _before("ipilimumab", "nivolumab")),
    "gene alias": (altered("HER2", "amplification"), altered("ERBB2", "amplification")),
    "older gene name": (
        altered("MLL2", protein_change="p.Q100*"),
        altered("KMT2D", protein_change="Q100*"),
    ),
    "gene in small letters": (altered("braf", protein_change="V600E"), altered("BRAF", protein_change="p.V600E")),
    "three letters": (
        altered("BRAF", protein_change="p.Val600Glu"),
        altered("BRAF", protein_change="V600E"),
    ),
    "predicted, in brackets": (
        altered("EGFR", protein_change="p.(Leu858Arg)"),
        altered("EGFR", protein_change="L858R"),
    ),
    "deletion by name": (
        altered("EGFR", protein_change="p.Glu746_Ala750del"),
        altered("EGFR", protein_change="E746_A750del"),
    ),
    "stop as X": (altered("STK11", protein_change="p.Q37X"), altered("STK11", protein_change="p.Gln37Ter")),
    "frameshift with its length": (
        altered("PBRM1", protein_change="p.I279Yfs*4"),
        altered("PBRM1", protein_change="I279fs"),
    ),
    "fusion partners in any order": (
        altered("EML4", "fusion", partner="ALK"),
        altered("ALK", "fusion", partner="EML4"),
    ),
    "fusion written whole": (
        altered("ALK", "fusion", partner="ALK-EML4"),
        altered("ALK", "fusion", partner="EML4::ALK"),
    ),
    "panel alias": (
        bare_with(assay={"panel": "TruSight Oncology 500"}, alterations=[], tmb={"mut_per_mb": 7}),
        bare_with(assay={"panel": "TSO500"}, alterations=[], tmb={"mut_per_mb": 7}),
    ),
    "genes tested by alias": (
        bare_with(assay={"genes_tested": ["HER2", "EGFR"]}, alterations=[]),
        bare_with(assay={"genes_tested": ["EGFR", "ERBB2"]}, alterations=[]),
    ),
}


@families
@pytest.mark.parametrize("name", SYNONYMS)
def test_a_synonym_gives_the_same_row(family: str, name: str) -> None:
    assert same(family, *SYNONYMS[name])
