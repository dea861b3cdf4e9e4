"""What goes wrong in a first own manifest: each slip is told with its way out; the example of the docs builds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from features.commands import load
from features.errors import Refusal
from features.sources.manifest import build
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from features.cohort import Cohort

BLOCK = re.compile(r"^```(csv|yaml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLE = dict(BLOCK.findall((ROOT / "docs" / "cohorts.md").read_text(encoding="utf-8")))


def tried(folder: Path, *changes: tuple[str, str], table: str = EXAMPLE["csv"]) -> Cohort:
    """Build the example of the docs with some words of its mapping replaced."""
    mapping = EXAMPLE["yaml"]
    for old, new in changes:
        assert old in mapping
        mapping = mapping.replace(old, new)
    (folder / "patients.yaml").write_text(mapping, encoding="utf-8")
    (folder / "patients.csv").write_text(table, encoding="utf-8")
    return build(folder / "patients.yaml", folder / "patients.csv")


def rows(count: int, burden: str, response: str = "PD") -> str:
    head = EXAMPLE["csv"].splitlines()[0]
    line = "B{},melanoma,{},MSK-IMPACT468,MSS,60,40,0,nivolumab,{},3"
    return "\n".join([head, *(line.format(k, burden, response if k == 0 else "PD") for k in range(count))]) + "\n"


def test_the_example_of_the_docs_builds(tmp_path: Path) -> None:
    cohort = tried(tmp_path)
    assert cohort.case_ids == ["A1", "A2"]
    patient = cohort.case(0).patient
    assert patient is not None
    assert patient.albumin_g_per_dl == pytest.approx(3.9)
    assert cohort.case(0).therapy.agents == ("pembrolizumab",)
    assert cohort.case(1).histology == "LUSC"
    report = cohort.build or {}
    assert (report["unmapped"], report["unreadable"], report["notes"]) == ([], {}, [])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{best_response: {column: Best response}}", "{best_response: Best response}", "{column: NAME}"),
        ("patient.age_years:", "patient.age:", "patient.age_years"),
        ("prior_lines: Lines before", "prior_lines: Drug", "not a number"),
        ("column: Diagnosis", "column: diagnosis", "Diagnosis"),
        ("unit: g/L", "unit: g/l", "g/L"),
        (EXAMPLE["yaml"], "\n", "docs/cohorts.md"),
        ("ids: {case", "id: {case", "Did you mean 'ids'?"),
    ],
)
def test_a_slip_is_told_with_the_way_out(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(Refusal) as refused:
        tried(tmp_path, (old, new))
    assert told in str(refused.value)


def test_a_date_is_no_number_of_days(tmp_path: Path) -> None:
    table = EXAMPLE["csv"].replace(",63,", ",1960-01-02,").replace(",71,", ",1951-01-02,").replace(",55,", ",2.1.1968,")
    with pytest.raises(Refusal, match=r"'1960-01-02' is not a number; dates are not read: give a column of days"):
        tried(tmp_path, table=table)


def test_a_burden_that_is_a_count_is_doubted_and_kept(tmp_path: Path) -> None:
    cohort = tried(tmp_path, table=rows(25, "310"))
    assert len(cohort) == 25
    (note,) = (cohort.build or {})["notes"]
    assert note.startswith("tmb.mut_per_mb: half of the values are above 30 mut/Mb")
    (tmp_path / "usual").mkdir()
    assert (tried(tmp_path / "usual", table=rows(25, "12")).build or {})["notes"] == []


def test_an_outcome_that_cannot_be_read_is_not_called_blank(tmp_path: Path) -> None:
    report = tried(tmp_path, table=rows(5, "12", "progressed")).build or {}
    assert [entry["reason"] for entry in report["left_out"]] == ["outcome is no response category that can be read"]
    assert report["unreadable"] == {"outcome.best_response": {"progressed": 1}}


def test_a_row_that_stands_twice_is_named(tmp_path: Path) -> None:
    table = EXAMPLE["csv"] + EXAMPLE["csv"].splitlines()[1] + "\n"
    with pytest.raises(Refusal, match="'A1' is given to more than one case"):
        tried(tmp_path, table=table)


def test_a_cohort_that_is_not_there_is_told_beside_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORP_COHORTS", str(tmp_path / "cohorts"))
    tried(tmp_path).save(tmp_path / "cohorts" / "our-patients")
    with pytest.raises(Refusal, match=r"no cohort 'ours'.*Allowed: our-patients"):
        load("ours")
    assert len(load("our-patients")) == 2
