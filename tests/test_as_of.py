"""A case at an earlier date: what had not happened yet is gone, what has no date is kept and named."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.as_of import NotAnEarlierDate, as_of, case_as_of
from features.case import read_case

BASE = {"histology": "LUAD", "therapy": {"agents": ["osimertinib"]}}
T790M = {"gene": "EGFR", "kind": "mutation", "protein_change": "p.T790M", "vaf": 0.04}
L858R = {"gene": "EGFR", "kind": "mutation", "protein_change": "p.L858R", "vaf": 0.2}


def _case(**fields: Any) -> Any:
    return read_case({**BASE, **fields})


def _codes(result: Any) -> list[str]:
    return [warning.partition(":")[0] for warning in result.warnings]


def test_serial_blood_samples() -> None:
    samples = [
        {"source": "blood", "days_before_index": 200, "alterations": [L858R]},
        {"source": "blood", "days_before_index": 10, "alterations": [L858R, T790M]},
    ]
    result = as_of(_case(specimens=samples), 100)
    assert [specimen.days_before_index for specimen in result.case.specimens] == [100]
    assert [alteration.protein_change for alteration in result.case.specimens[0].alterations] == ["p.L858R"]
    assert _codes(result) == ["taken_later"]
    assert as_of(_case(specimens=samples), 300).case.specimens is None


def test_the_one_specimen_taken_later_takes_its_findings_along() -> None:
    case = _case(
        specimen={"days_before_index": 5},
        assay={"panel": "MSK-IMPACT468"},
        alterations=[T790M],
        tmb={"mut_per_mb": 4},
        mmr={"ihc": "proficient"},
    )
    earlier = case_as_of(case, 30)
    assert (earlier.specimen, earlier.assay, earlier.alterations, earlier.tmb, earlier.mmr) == (None,) * 5
    assert case_as_of(case, 5).specimen.days_before_index == 0


def test_regimens_started_later_running_and_ended() -> None:
    case = _case(
        prior_lines=3,
        prior_therapies=[
            {
                "agents": ["cisplatin"],
                "started_days_before_index": 900,
                "ended_days_before_index": 800,
                "best_response": "PR",
            },
            {
                "agents": ["gefitinib"],
                "started_days_before_index": 700,
                "ended_days_before_index": 100,
                "best_response": "PD",
            },
            {"agents": ["docetaxel"], "started_days_before_index": 90, "ended_days_before_index": 10},
        ],
    )
    result = as_of(case, 300)
    first, running = result.case.prior_therapies
    assert (first.started_days_before_index, first.ended_days_before_index, first.best_response) == (600, 500, "PR")
    assert (running.started_days_before_index, running.ended_days_before_index, running.best_response) == (
        400,
        None,
        None,
    )
    assert result.case.prior_lines is None
    assert _codes(result) == ["still_running", "not_started", "lines_unknown"]


def test_a_number_stays_when_every_regimen_was_there() -> None:
    case = _case(prior_lines=1, prior_therapies=[{"agents": ["cisplatin"], "started_days_before_index": 900}])
    assert case_as_of(case, 100).prior_lines == 1


@pytest.mark.parametrize(
    ("fields", "said", "lines"),
    [
        ({"prior_systemic_therapy": True}, None, None),
        ({"prior_systemic_therapy": False}, False, None),
        ({"prior_lines": 2}, None, None),
        ({"prior_lines": 0}, None, 0),
    ],
)
def test_without_a_list_only_none_can_be_kept(fields: dict[str, Any], said: bool | None, lines: int | None) -> None:
    earlier = case_as_of(_case(**fields), 50)
    assert (earlier.prior_systemic_therapy, earlier.prior_lines) == (said, lines)


def test_a_short_list_of_which_nothing_is_left_is_unknown() -> None:
    listed = [{"agents": ["docetaxel"], "started_days_before_index": 20}]
    assert case_as_of(_case(prior_lines=3, prior_therapies=listed), 50).prior_therapies is None
    assert case_as_of(_case(prior_lines=1, prior_therapies=listed), 50).prior_therapies == ()


def test_what_has_no_date_is_kept_and_named() -> None:
    case = _case(stage="IV", patient={"age_years": 60, "ecog": 1}, alterations=[L858R], tmb={"mut_per_mb": 3})
    result = as_of(case, 365.25)
    assert result.case.patient.age_years == pytest.approx(59)
    assert result.case.alterations == case.alterations
    assert result.warnings[-1] == "undated_kept: stage, tmb, patient have no date and are kept"


@pytest.mark.parametrize("days", [-1, math.nan, math.inf])
def test_only_earlier_dates(days: float) -> None:
    with pytest.raises(NotAnEarlierDate):
        as_of(_case(), days)


DATES = st.lists(st.tuples(st.integers(1, 900), st.integers(0, 900)), max_size=5)


@given(DATES, st.integers(0, 400), st.integers(0, 400))
def test_going_back_twice_is_going_back_once(dates: list[tuple[int, int]], first: int, second: int) -> None:
    listed = [
        {
            "agents": ["docetaxel"],
            "started_days_before_index": max(two),
            "ended_days_before_index": min(two),
            "best_response": "SD",
        }
        for two in dates
    ]
    samples = [{"days_before_index": age, "alterations": [L858R]} for _, age in dates]
    case = _case(prior_therapies=listed, specimens=samples or None)
    twice = case_as_of(case_as_of(case, first), second)
    assert twice == case_as_of(case, first + second)


def test_today_is_the_case_itself() -> None:
    case = _case(prior_lines=2)
    assert case_as_of(case, 0) is case
