"""Unknown is never equal to negative, anywhere in the feature table, and is said to be unknown (issue 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from features.alteration_columns import GENES, PATHWAYS
from features.case import read_case
from features.from_cases import batch_of
from features.table import MISSING_SUFFIX
from tests.feature_rows import BARE, Raw, altered, bare_with, families, places_of, rows_of, same, table_of, value_of
from tests.strategies import raw_cases

UNKNOWN_AND_NEGATIVE: dict[str, tuple[str, Raw]] = {
    "no line": ("prior_lines", {"prior_lines": 0}),
    "no systemic therapy": ("prior_systemic_therapy", {"prior_systemic_therapy": False}),
    "an empty list of therapies": ("prior_systemic_therapy", {"prior_therapies": []}),
    "no checkpoint inhibitor before": ("prior_checkpoint", {"prior_therapies": []}),
    "no drug of the class before": ("same_class_before", {"prior_therapies": []}),
    "proficient by IHC": ("mmr_deficient", {"mmr": {"ihc": "proficient"}}),
    "stable by PCR": ("mmr_deficient", {"mmr": {"msi_pcr": "MSS"}}),
    "no mutations": ("tmb_log2_mut_per_mb", {"tmb": {"mut_per_mb": 0}}),
    "bTMB of nought": ("tmb_log2_blood_count", {"tmb": {"blood_count": 0}}),
    "PD-L1 negative": ("pdl1_tps_percent", {"patient": {"pdl1_tps_percent": 0}}),
    "PD-L1 class 0": ("pdl1_tc_ic_class", {"patient": {"pdl1_tc_ic": "TC0/IC0"}}),
    "ECOG 0": ("ecog", {"patient": {"ecog": 0}}),
    "no liver metastases": ("liver_metastases", {"patient": {"liver_metastases": False}}),
    "no brain metastases": ("brain_metastases", {"patient": {"brain_metastases": False}}),
    "never smoked": ("ever_smoker", {"patient": {"smoking": "never"}}),
    "no passenger": ("passengers_log1p", {"alterations": []}),
}


@families
@pytest.mark.parametrize("name", UNKNOWN_AND_NEGATIVE)
def test_unknown_is_never_negative(family: str, name: str) -> None:
    column, fields = UNKNOWN_AND_NEGATIVE[name]
    if column not in places_of(family):
        return  # the other family's column
    assert np.isnan(value_of(family, BARE, column))
    assert value_of(family, {**BARE, **fields}, column) == 0
    assert not same(family, BARE, {**BARE, **fields})


@families
@pytest.mark.parametrize("status", GENES + PATHWAYS, ids=lambda status: status.name)
def test_a_gene_tested_without_a_finding_is_not_an_untested_one(family: str, status: Any) -> None:
    if family not in status.families:
        return
    tested = bare_with(assay={"genes_tested": list(status.genes)}, alterations=[])
    untested = bare_with(assay={"genes_tested": ["TTN"]}, alterations=[])
    assert value_of(family, tested, status.name) == 0
    assert np.isnan(value_of(family, untested, status.name))
    assert np.isnan(value_of(family, bare_with(assay={"genes_tested": list(status.genes)}), status.name))


@families
def test_a_reported_negative_is_not_silence(family: str) -> None:
    negative = altered("KRAS", status="absent")
    assert value_of(family, negative, "kras_mutation") == 0
    assert np.isnan(value_of(family, bare_with(alterations=[]), "kras_mutation"))


def test_a_target_tested_negative_is_wild_type_and_one_not_tested_is_not() -> None:
    states = ("target_matched", "target_wild_type", "target_untested")

    def seen(raw: Raw) -> list[float]:
        return [value_of("targeted", raw, state) for state in states]

    assert seen(altered("EGFR", protein_change="L858R")) == [1, 0, 0]
    assert seen(bare_with(assay={"genes_tested": ["EGFR"]}, alterations=[])) == [0, 1, 0]
    assert seen(bare_with(alterations=[])) == seen(BARE) == [0, 0, 1]


@families
@given(raw=raw_cases())
def test_what_is_unknown_is_marked_and_what_is_known_is_not(family: str, raw: Raw) -> None:
    row, table = rows_of(family, raw)[0], table_of(family)
    for column in table.value_columns:
        value = row[places_of(family)[column.name]]
        if column.missing == "indicator":
            assert row[places_of(family)[column.feature + MISSING_SUFFIX]] == np.isnan(value), column.name
        else:
            assert np.isfinite(value), column.name


@families
@given(raw=raw_cases())
def test_words_agree_with_the_columns(family: str, raw: Raw) -> None:
    """What the row does not know is said to be unknown, with the reason; a text never speaks of a flag or a grade."""
    table, batch = table_of(family), batch_of([read_case(raw)])
    row, shown = table.matrix(batch)[0], table.show(batch, 0)
    for feature in table.features:
        item = shown[feature.name]
        missing = places_of(family).get(feature.name + MISSING_SUFFIX)
        if missing is not None and row[missing] == 1:
            assert item.value is None, item
            assert item.unknown, item
        assert item.text == item.text.strip() != ""
        assert not {"flag", "grade", "unknown", "None", "nan"} & set(item.text.split()), item.text
        assert len(item.text) < 100
