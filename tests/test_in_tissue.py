"""Within a tissue: products of a marker and a tissue, learned from training cases; unknown stays unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from features.case import read_case
from features.from_cases import batch_of
from features.in_tissue import (
    LEAST_CASES,
    AlterationsInTissueBuilder,
    BurdenInTissueBuilder,
    MismatchRepairInTissueBuilder,
)
from features.mismatch_repair import MismatchRepairBuilder
from features.table import FeatureTable
from models.selected_prior import WITHIN

PD1 = {"therapy": {"agents": ["pembrolizumab"]}}


def cases(code: str, n: int, **more: Any) -> list[dict[str, Any]]:
    return [{"histology": code, **PD1, **more} for _ in range(n)]


def batch(raws: list[dict[str, Any]]) -> Any:
    return batch_of([read_case(raw) for raw in raws])


def stk11(present: bool) -> dict[str, Any]:
    found = {"gene": "STK11", "kind": "mutation", "protein_change": "Q37*"}
    tested = {"genes_tested": ["STK11", "KRAS", "TP53"]}
    return {"assay": tested, "alterations": [found] if present else []}


def test_a_marker_has_a_column_in_a_tissue_with_enough_cases_on_either_side() -> None:
    both = [{"mmr": {"ihc": status}} for status in ("deficient", "proficient")]
    enough = [raw for one in both for raw in cases("COAD", LEAST_CASES, **one)]
    one_too_few = cases("UCEC", LEAST_CASES - 1, **both[0]) + cases("UCEC", LEAST_CASES, **both[1])
    all_deficient = cases("STAD", 3 * LEAST_CASES, **both[0])
    fitted = MismatchRepairInTissueBuilder().fit(batch(enough + one_too_few + all_deficient))
    assert fitted.levels == (("mmr_deficient", "BOWEL"),)


def test_what_no_other_tissue_has_is_the_same_everywhere_and_gets_no_column() -> None:
    only_here = [raw for known in (True, False) for raw in cases("LUAD", LEAST_CASES, **stk11(known))]
    elsewhere = cases("COAD", LEAST_CASES, **stk11(False))
    assert not AlterationsInTissueBuilder().fit(batch(only_here + elsewhere)).levels
    with_one = cases("COAD", 1, **stk11(True))
    fitted = AlterationsInTissueBuilder().fit(batch(only_here + elsewhere + with_one))
    assert fitted.levels == (("stk11_loss", "LUNG"),)


def test_values_are_the_markers_own_in_the_tissue_and_none_in_another() -> None:
    builder = AlterationsInTissueBuilder((("kras_with_stk11", "LUNG"), ("stk11_loss", "LUNG")))
    kras = {"gene": "KRAS", "kind": "mutation", "protein_change": "G12C"}
    with_kras = stk11(True) | {"alterations": [*stk11(True)["alterations"], kras]}
    raws = [*cases("LUAD", 1, **with_kras), *cases("LUSC", 1, **stk11(True)), *cases("COAD", 1, **with_kras)]
    assert builder.build(batch(raws)).tolist() == [[1, 1], [0, 1], [0, 0]]


def test_an_unknown_marker_is_unknown_in_every_tissue() -> None:
    builder = MismatchRepairInTissueBuilder((("mmr_deficient", "BOWEL"), ("mmr_deficient", "UTERUS")))
    assert np.isnan(builder.build(batch(cases("COAD", 1) + cases("LUAD", 1)))).all()


@pytest.mark.parametrize(("burden", "expected"), [(9.9, [0, 0]), (10, [1, 0]), (20, [1, 1]), (400, [1, 1])])
def test_burden_steps_up_from_the_cut_points_on(burden: float, expected: list[float]) -> None:
    found = BurdenInTissueBuilder().build(batch(cases("LUAD", 1, tmb={"mut_per_mb": burden})))
    assert found[0].tolist() == expected


def test_the_slope_of_burden_is_nought_at_the_histologys_median_and_in_other_tissues() -> None:
    builder = BurdenInTissueBuilder((("tmb_log2_from_median", "LUNG"),))
    raws = [raw for code in ("LUAD", "COAD") for tmb in (3, 12) for raw in cases(code, 1, tmb={"mut_per_mb": tmb})]
    low, high, *others = builder.build(batch(raws))[:, -1]
    assert low < high
    assert others == [0, 0]
    assert high - low == pytest.approx(np.log2(13 / 4))


def test_large_batches_are_read_as_small_ones() -> None:
    raws = [raw for known in (True, False) for raw in cases("LUAD", 100, **stk11(known))]
    builder = AlterationsInTissueBuilder((("stk11_loss", "LUNG"),))
    whole, small = batch(raws), batch(raws[:3])
    assert builder.build(whole)[:3].tobytes() == builder.build(small).tobytes()


def test_a_table_counts_it_under_the_markers_own_feature_and_says_so() -> None:
    raws = [
        raw
        for code in ("COAD", "UCEC")
        for status in ("deficient", "proficient")
        for raw in cases(code, LEAST_CASES, mmr={"ihc": status})
    ]
    whole = batch(raws)
    table = FeatureTable.for_family("checkpoint").fit(whole)
    mine = next(feature for feature in table.features if feature.name == "mmr_deficient")
    names = [table.columns[place].name for place in mine.columns]
    within = [f"mmr_deficient{WITHIN}{tissue}" for tissue in ("BOWEL", "UTERUS")]
    assert names == ["mmr_deficient", *within, "mmr_deficient__missing"]
    shown, plain = table.show(whole, 0)["mmr_deficient"], MismatchRepairBuilder().show(whole, 0)[0]
    assert shown.text == plain.text
    assert shown.sources == (*plain.sources, "counted apart in BOWEL")


def test_a_targeted_table_reads_none_of_it() -> None:
    raws = [{"histology": "LUAD", "therapy": {"agents": ["osimertinib"]}, **stk11(known)} for known in (True, False)]
    table = FeatureTable.for_family("targeted").fit(batch(raws * 2 * LEAST_CASES))
    assert not [column.name for column in table.columns if WITHIN in column.name]
