"""Flat tables by column and row by row: the same cases, the same bits, the same refusals."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.case import read_case
from features.errors import InvalidCase
from features.flat_batch import laid_out, read_flat
from features.flat_rows import case_of_row
from features.from_cases import LEVEL_FIELDS, batch_of
from features.sources.synthetic import draw
from tests.conftest import SOAK
from tests.flat_tables import flat_table, of_cohort
from tests.golden_tables import golden
from tests.strategies import raw_cases

EXAMPLES = 300 if SOAK else 40


def assert_same(ours: Any, theirs: Any) -> None:
    """Every array and level of two batches, bit for bit."""
    assert ours.n == theirs.n
    for path, values in theirs.numbers.items():
        assert np.array_equal(ours.numbers[path], values, equal_nan=True), path
    for path, coded in theirs.texts.items():
        assert ours.texts[path].texts() == coded.texts(), path
        assert ours.texts[path].levels == coded.levels, path
    _same_arrays(ours.findings, theirs.findings, ("row", "codes", "vaf", "cancer_cell_fraction", "copies"))
    assert [_level(one) for one in ours.findings.levels] == [_level(one) for one in theirs.findings.levels]
    assert np.array_equal(ours.findings_recorded, theirs.findings_recorded)
    _same_arrays(ours.priors, theirs.priors, ("row", "line", "started_days", "ended_days", "recorded"))
    for name in ("regimen", "setting", "best_response"):
        assert getattr(ours.priors, name).texts() == getattr(theirs.priors, name).texts()


def _same_arrays(ours: Any, theirs: Any, names: tuple[str, ...]) -> None:
    for name in names:
        assert np.array_equal(getattr(ours, name), getattr(theirs, name), equal_nan=True), name


def _level(alteration: Any) -> tuple[Any, ...]:
    return tuple(getattr(alteration, name) for name in LEVEL_FIELDS)


@settings(max_examples=EXAMPLES)
@given(raws=st.lists(raw_cases(), min_size=1, max_size=8))
def test_columns_give_what_cases_give(raws: list[dict[str, Any]]) -> None:
    table = flat_table(raws)
    laid = laid_out(table)
    assert laid.good.all()  # the quick path is taken, not only right
    assert_same(laid.batch, batch_of([read_case(raw) for raw in raws]))


def test_a_synthetic_cohort_is_read_by_column_alone() -> None:
    cohort = draw("checkpoint", 600, 5)
    laid = laid_out(of_cohort(cohort))
    assert laid.good.all()
    assert_same(laid.batch, batch_of(list(cohort)))


BASE: dict[str, Any] = {
    "case_id": "c",
    "histology": "LUAD",
    "therapy": {"agents": ["pembrolizumab"]},
    "alterations": [{"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12C", "vaf": 0.3}],
    "prior_therapies": [{"agents": ["carboplatin"], "line": 1}],
    "prior_lines": 1,
    "patient": {"age_years": 63.0, "ecog": 1},
    "tmb": {"mut_per_mb": 12.0},
}


def _with(path: str, value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(BASE)
    *parents, name = path.split(".")
    place: Any = raw
    for parent in parents:
        place = place[int(parent)] if parent.isdigit() else place.setdefault(parent, {})
    place[int(name) if name.isdigit() else name] = value
    return raw


CHANGES: list[tuple[str, Any]] = [
    ("histology", None),
    ("histology", "Lung Adenocarcinoma"),
    ("histology", "nowhere"),
    ("therapy", {"agents": ["Keytruda"]}),
    ("therapy", {"agents": ["pembrolizumab", "unknownimab"]}),
    ("therapy", {"agents": []}),
    ("therapy", {"agents": ["nivolumab"], "class": "pd1_pdl1"}),
    ("therapy", {"class": "pd1_pdl1"}),
    ("therapy", {"class": "no class"}),
    ("therapy", {"agents": ["ipilimumab", "nivolumab", "nivolumab"]}),
    ("patient.age_years", 630.0),
    ("patient.age_years", float("inf")),
    ("patient.age_years", float("nan")),
    ("patient.ecog", 7),
    ("patient.albumin_g_per_dl", 39.0),
    ("patient.sex", "other"),
    ("patient.race", "x" * 201),
    ("case_id", "x" * 200),
    ("stage", "V"),
    ("prior_lines", 21),
    ("prior_systemic_therapy", False),
    ("prior_systemic_therapy", True),
    ("alterations", []),
    ("alterations", None),
    ("alterations.0.gene", "HER2"),
    ("alterations.0.gene", "NOGENE99X"),
    ("alterations.0.protein_change", "p.???"),
    ("alterations.0.vaf", 31.0),
    ("alterations.0.kind", "fusion"),
    ("alterations.0.exon", 12),
    ("alterations.0.exon", 4_000),
    ("alterations.0.partner", "EML4"),
    ("alterations.0.status", "maybe"),
    ("alterations.0.status", "absent"),
    ("alterations.0.copies", -1.0),
    ("prior_therapies", []),
    ("prior_therapies.0.agents", []),
    ("prior_therapies.0.agents", ["nobody"]),
    ("prior_therapies.0.line", 0),
    ("prior_therapies.0.best_response", "great"),
    ("prior_therapies.0.ended_days_before_index", 10.0),
    ("assay.panel", "MSK-IMPACT468"),
    ("assay.genes_tested", ["EGFR", "HER2"]),
    ("assay.genes_tested", []),
    ("assay.genes_tested", [""]),
    ("assay.genes_tested", ["EGFR", "NOGENE99X"]),
    ("outcome", "CR"),
]


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=[f"{path}={str(value)[:24]}" for path, value in CHANGES])
def test_a_row_is_taken_or_refused_as_the_record_does(path: str, value: Any) -> None:
    other = _with("prior_therapies.0.started_days_before_index", 5.0)
    raws = [BASE, _with(path, value), other]
    table = flat_table(raws)
    found = read_flat(table)
    rows = table.to_pylist()
    expected = {}
    for place, row in enumerate(rows):
        try:
            expected[place] = read_case(case_of_row(row))
        except InvalidCase as refusal:
            codes = [problem.code for problem in refusal.problems]
            assert [problem.code for problem in found.refused[place].problems] == codes
    assert sorted(row for part in found.parts for row in part.rows.tolist()) == sorted(expected)
    for part in found.parts:
        assert_same(part.batch, batch_of([expected[row] for row in part.rows.tolist()]))


ODD: dict[str, pa.Array] = {
    "alterations": pa.array(['[{"gene": "BRAF", "kind": "mutation", "protein_change": "p.V600E"}]', None, "no JSON"]),
    "therapy.agents": pa.array(["dabrafenib+trametinib", "nivolumab", None]),
    "patient.ecog": pa.array([1.0, 2.5, None]),
    "patient.brain_metastases": pa.array([1, None, 0]),
    "patient.age_years": pa.array([True, None, False]),
    "patient.sex": pa.array(["female", None, "male"]).dictionary_encode(),
    "case_id": pa.array([1, 2, None]),
    "tmb.mut_per_mb": pa.array([1, None, 2], pa.int32()),
    "patient": pa.array([{"age_years": 3.0}, None, None]),
    "assay.genes_tested": pa.array(['["EGFR"]', None, "EGFR"]),
    "specimens": pa.array([[{"source": "tissue", "days_before_index": 3.0}], None, []]),
    "histology": pa.array(["LUAD", None, "SKCM"]).dictionary_encode(),
}


@pytest.mark.parametrize("name", ODD)
def test_columns_of_other_types_are_read_as_rows_are(name: str) -> None:
    columns: dict[str, Any] = {
        "histology": pa.array(["LUAD", "SKCM", "MEL"]),
        "therapy.agents": pa.array([["nivolumab"]] * 3),
    }
    table = pa.table({**columns, name: ODD[name]})
    found = read_flat(table)
    taken = {row for part in found.parts for row in part.rows.tolist()}
    for place, row in enumerate(table.to_pylist()):
        try:
            case = read_case(case_of_row(row))
        except (InvalidCase, ValueError):
            assert place in found.refused
            continue
        assert place in taken
        part = next(part for part in found.parts if place in part.rows)
        assert_same(part.batch.only(part.rows.tolist().index(place)), batch_of([case]))
    assert len(taken) + len(found.refused) == 3


def test_codes_and_words_of_a_histology_column_are_read_alike() -> None:
    """OncoTree codes and names, whatever their letters, side by side in one column; what is neither is refused."""
    rows = golden("histologies")
    found = read_flat(
        pa.table({"histology": [row["input"] for row in rows], "therapy.class": ["pd1_pdl1"] * len(rows)})
    )
    read = {
        int(place): text
        for part in found.parts
        for place, text in zip(part.rows, part.batch.texts["histology"].texts(), strict=True)
    }
    refused = {place: row["case"] for place, row in enumerate(rows) if row["expected"].startswith("!")}
    assert {row["case"]: read.get(place) for place, row in enumerate(rows) if place not in refused} == {
        row["case"]: row["expected"] for row in rows if not row["expected"].startswith("!")
    }
    assert read.keys().isdisjoint(refused)
    assert sum(row["input"] == row["expected"] for row in rows) > 1, "codes are among them"
