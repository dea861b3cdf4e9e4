"""Bad input: each kind gets its documented code, field and message (the same table is run over CLI and HTTP)."""

from __future__ import annotations

import json

import pytest

from features.case import read_case, read_case_json
from features.case_refusals import EXAMPLES
from features.errors import InvalidCase
from tests.cases import golden, good_case

ROWS = golden("bad_cases")


def test_the_table_has_at_least_fifty_kinds() -> None:
    assert len({row["case"] for row in ROWS}) == len(ROWS) >= 50


@pytest.mark.parametrize("row", ROWS, ids=[row["case"] for row in ROWS])
def test_bad_input_is_refused_by_its_cause(row: dict[str, str]) -> None:
    with pytest.raises(InvalidCase) as caught:
        read_case(good_case(**json.loads(row["input"])))
    problem = caught.value.problems[0]
    assert (problem.code, problem.field or "") == (row["expected"], row["field"]), str(caught.value)
    assert row["fragment"] in str(caught.value)


@pytest.mark.parametrize("field", EXAMPLES)
def test_what_a_message_proposes_can_be_read(field: str) -> None:
    name, example = field.removesuffix("[]"), json.loads(EXAMPLES[field])
    value = [example] if field.endswith("[]") else example
    inner = {"agents": "therapy", "genes_tested": "assay"}
    if name == "gene":
        value, name = [{"gene": value, "kind": "mutation"}], "alterations"
    read_case(good_case(**({inner[name]: {name: value}} if name in inner else {name: value})))


def test_several_problems_are_sentences_of_their_own() -> None:
    with pytest.raises(InvalidCase) as caught:
        read_case({"histology": "LUAD", "alterations": [{"gene": "KRAS"}]})
    assert ".;" not in str(caught.value)
    assert "; therapy: is required" in str(caught.value)


@pytest.mark.parametrize("row", ROWS, ids=[row["case"] for row in ROWS])
def test_what_reaches_a_log_carries_no_value(row: dict[str, str]) -> None:
    with pytest.raises(InvalidCase) as caught:
        read_case(good_case(**json.loads(row["input"])))
    assert "Allowed" not in caught.value.log_text()
    assert "seen" not in caught.value.log_text()


def test_nan_and_infinities_in_json_are_refused() -> None:
    for number in ("NaN", "Infinity", "-Infinity"):
        text = f'{{"histology": "LUAD", "tmb": {{"mut_per_mb": {number}}}, "therapy": {{"class": "pd1_pdl1"}}}}'
        with pytest.raises(InvalidCase) as caught:
            read_case_json(text)
        assert caught.value.problems[0].code in {"not_finite", "wrong_type", "not_json"}


def test_all_problems_of_a_case_are_told_at_once() -> None:
    with pytest.raises(InvalidCase) as caught:
        read_case(good_case(histology="LAUD", stage="4", prior_lines=-1))
    assert [problem.field for problem in caught.value.problems] == ["histology", "stage", "prior_lines"]
