"""Mismatch repair: every conflict of the golden table, and what is shown of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.case import read_case
from features.from_cases import batch_of
from features.mismatch_repair import MismatchRepairBuilder
from tests.cases import golden

BUILDER = MismatchRepairBuilder()
ROWS = golden("mismatch_repair")


def _batch(*tests: dict[str, Any]) -> Any:
    return batch_of([read_case({"histology": "COAD", "therapy": {"class": "pd1_pdl1"}, "mmr": mmr}) for mmr in tests])


def _said(built: Any) -> str:
    status = "unknown" if np.isnan(built[0]) else "deficient" if built[0] else "proficient"
    return f"{status} {built[1]:.0f}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case"])
def test_golden_status_and_conflict(row: dict[str, str]) -> None:
    assert _said(BUILDER.build(_batch(json.loads(row["input"])))[0]) == row["expected"]


def test_all_golden_rows_together_are_the_same() -> None:
    built = BUILDER.build(_batch(*(json.loads(row["input"]) for row in ROWS)))
    assert [_said(row) for row in built] == [row["expected"] for row in ROWS]


def test_a_conflict_is_shown_and_warned_about() -> None:
    batch = _batch({"ihc": "deficient", "msi_pcr": "MSS"})
    status, conflict = BUILDER.show(batch, 0)
    assert status.value is None
    assert status.unknown
    assert conflict.value is True
    assert "IHC deficient, PCR MSS" in conflict.text
    assert BUILDER.warnings(batch, 0) == ("mmr_conflict: IHC deficient, PCR MSS; the status is unknown",)


@pytest.mark.parametrize(
    ("mmr", "confidence"),
    [
        ({"msi_pcr": "MSI-H"}, "moderate confidence"),
        ({"reported": "MSI-H"}, "low confidence"),
        ({"ihc": "deficient", "msi_pcr": "MSI-H", "msi_ngs": "MSS"}, "low confidence"),
        ({"ihc": "equivocal"}, "undecided"),
    ],
)
def test_doubt_is_shown(mmr: dict[str, Any], confidence: str) -> None:
    assert confidence in BUILDER.show(_batch(mmr), 0)[0].unknown[0]


def test_what_two_methods_agree_on_is_said_without_a_doubt() -> None:
    shown = BUILDER.show(_batch({"ihc": "deficient", "msi_pcr": "MSI-H"}), 0)[0]
    assert (shown.text, shown.unknown) == ("MMR deficient (IHC deficient, PCR MSI-H)", ())


@given(st.sampled_from(["equivocal", None]), st.sampled_from(["indeterminate", None]), st.floats(3, 9.9))
def test_undecided_is_never_proficient(ihc: str | None, pcr: str | None, score: float) -> None:
    built = BUILDER.build(_batch({"ihc": ihc, "msi_pcr": pcr, "msi_ngs_score": score}))
    assert np.isnan(built[0, 0])
