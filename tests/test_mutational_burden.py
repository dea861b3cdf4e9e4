"""TMB: the golden table, the two other scales, caps, and the place within a histology."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import histology
from features.case import read_case
from features.from_cases import batch_of
from features.mutational_burden import MutationalBurdenBuilder, reference_of
from features.panel_scale import on_common_scale
from features.vocabulary import table
from tests.cases import golden

BUILDER = MutationalBurdenBuilder()
PLACE = {column.name: place for place, column in enumerate(BUILDER.columns())}


def _batch(*raws: dict[str, Any], code: str = "LUAD") -> Any:
    return batch_of([read_case({"histology": code, "therapy": {"class": "pd1_pdl1"}, **raw}) for raw in raws])


@pytest.mark.parametrize("row", golden("tmb"), ids=lambda row: row["case"])
def test_golden_tmb(row: dict[str, str]) -> None:
    found = on_common_scale(_batch(json.loads(row["input"]))).mut_per_mb[0]
    if row["expected"] == "unknown":
        assert np.isnan(found)
    else:
        assert found == pytest.approx(float(row["expected"]), abs=1e-6)


def test_blood_and_exome_counts_stay_on_their_own_scale() -> None:
    built = BUILDER.build(_batch({"tmb": {"blood_count": 15, "exome_nonsynonymous_count": 255}}))[0]
    assert built[PLACE["tmb_log2_blood_count"]] == 4
    assert built[PLACE["tmb_log2_exome_count"]] == 8
    assert np.isnan(built[:3]).all()


def test_the_hinge_stands_at_ten_and_the_cap_at_fifty() -> None:
    built = BUILDER.build(_batch(*({"tmb": {"mut_per_mb": x}} for x in (9, 10, 20, 50, 500))))
    hinge = built[:, PLACE["tmb_log2_above_10_mut_per_mb"]]
    assert hinge[:2].tolist() == [0, 0]
    assert hinge[2] > 0
    assert built[3].tobytes() == built[4].tobytes()
    assert "counted as 50, the cap" in BUILDER.show(_batch({"tmb": {"mut_per_mb": 500}}), 0)[0].text


@given(st.floats(0, 50), st.floats(0, 50))
def test_more_tmb_never_lowers_a_column(one: float, other: float) -> None:
    built = BUILDER.build(_batch({"tmb": {"mut_per_mb": min(one, other)}}, {"tmb": {"mut_per_mb": max(one, other)}}))
    assert (built[0, :3] <= built[1, :3]).all()


def test_the_median_of_a_histology_is_at_half() -> None:
    shown = BUILDER.show(_batch({"tmb": {"mut_per_mb": 6.9}}), 0)[1]
    assert (shown.value, shown.text) == (50, "TMB at the 50th percentile within NSCLC")


def test_the_reference_falls_back_along_the_lineage_to_all_cancers() -> None:
    assert [reference_of(code).code for code in ("LUAD", "ESCC", "CHOL", "THYM")] == [
        "NSCLC",
        "STOMACH",
        "HEPATOBILIARY",
        "PAN_CANCER",
    ]


def test_the_reference_table_is_sound() -> None:
    rows = table("tmb_reference")
    codes = [row["code"] for row in rows]
    assert codes == sorted(set(codes))
    assert set(codes) - {"PAN_CANCER"} <= set(histology.codes())
    for row in rows:
        low, median, high = (float(row[f"{q}_mut_per_mb"]) for q in ("p25", "median", "p75"))
        assert 0 <= low <= median <= high
        assert low < high
        assert int(row["n"]) >= 20
        assert row["source"]


def test_counted_tmb_is_marked_and_warned_about() -> None:
    batch = _batch({"assay": {"panel": "IMPACT468"}, "alterations": []})
    shown = BUILDER.show(batch, 0)[0]
    assert shown.text == "TMB 0 mut/Mb (derived)"
    assert "counted from the listed alterations that change a protein" in shown.unknown
    assert [text.split(":")[0] for text in BUILDER.warnings(batch, 0)] == ["tmb_derived"]


def test_blood_mut_per_mb_is_not_used_and_warned_about() -> None:
    batch = _batch({"tmb": {"mut_per_mb": 20}, "specimen": {"source": "blood"}})
    assert [text.split(":")[0] for text in BUILDER.warnings(batch, 0)] == ["tmb_of_blood"]


def test_an_unknown_panel_warns_and_says_so() -> None:
    batch = _batch({"tmb": {"mut_per_mb": 20}, "assay": {"panel": "our own"}})
    assert [text.split(":")[0] for text in BUILDER.warnings(batch, 0)] == ["panel_unknown"]
    assert BUILDER.show(batch, 0)[0].unknown[0].startswith("no published calibration")


def test_the_counting_error_is_shown() -> None:
    shown = BUILDER.show(_batch({"tmb": {"mut_per_mb": 9.8}, "assay": {"panel": "IMPACT341"}}), 0)[0]
    assert shown.unknown[0].startswith(f"counting error (1 sd) {math.sqrt(10):.2g}")


def test_a_panel_alias_gives_the_same_row() -> None:
    built = BUILDER.build(
        _batch(*({"tmb": {"mut_per_mb": 7}, "assay": {"panel": p}} for p in ("TSO500", "TruSight Oncology 500")))
    )
    assert built[0].tobytes() == built[1].tobytes()
