"""Prior lines: the golden histories, and what must hold for every history."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import line_sequence
from features.agents import agents
from features.case import read_case
from features.from_cases import batch_of
from features.line_derivation import SOURCES
from features.prior_history import history_of
from features.prior_lines import COLUMNS, PriorLinesBuilder

GOLDEN = Path(__file__).parent / "golden" / "prior_lines.csv"
with GOLDEN.open(encoding="utf-8", newline="") as file:
    HISTORIES = list(csv.DictReader(file))

BUILDER = PriorLinesBuilder()
NAMES = [column.name for column in COLUMNS]
DRUGS = ("cisplatin", "pemetrexed", "docetaxel", "nivolumab", "ipilimumab", "gefitinib", "crizotinib", "leucovorin")


def _batch(*raws: dict[str, Any]) -> Any:
    return batch_of([read_case({"histology": "LUAD", "therapy": {"agents": ["pembrolizumab"]}, **raw}) for raw in raws])


def _row(raw: dict[str, Any]) -> dict[str, float]:
    return dict(zip(NAMES, BUILDER.build(_batch(raw))[0].tolist(), strict=True))


def test_there_are_thirty_histories_or_more() -> None:
    assert len(HISTORIES) >= 30
    assert len({history["case"] for history in HISTORIES}) == len(HISTORIES)
    assert all(history["source"] for history in HISTORIES)


@pytest.mark.parametrize("history", HISTORIES, ids=[history["case"] for history in HISTORIES])
def test_golden_history(history: dict[str, str]) -> None:
    raw, expected = json.loads(history["input"]), json.loads(history["expected"])
    batch = _batch(raw)
    warnings = [warning.partition(":")[0] for warning in BUILDER.warnings(batch, 0)]
    if "warnings" in expected:
        assert warnings == expected.pop("warnings")
    if "lines_source" in expected:
        assert SOURCES[int(history_of(batch).lines.source[0])] == expected.pop("lines_source")
    row = _row(raw)
    assert {name: None if np.isnan(row[name]) else row[name] for name in expected} == expected


def _regimens() -> st.SearchStrategy[dict[str, Any]]:
    days = st.none() | st.integers(0, 800)
    dates = st.tuples(days, days).map(lambda two: sorted(two, reverse=True) if None not in two else two)
    return st.builds(
        lambda agents, line, setting, response, date: {
            "agents": agents,
            "line": line,
            "setting": setting,
            "best_response": response,
            "started_days_before_index": date[0],
            "ended_days_before_index": date[1],
        },
        st.lists(st.sampled_from(DRUGS), min_size=1, max_size=2, unique=True),
        st.none() | st.integers(1, 4),
        st.sampled_from([None, None, "metastatic", "adjuvant", "locally_advanced"]),
        st.sampled_from([None, "CR", "PR", "SD", "PD", "NE"]),
        dates,
    )


LISTS = st.lists(_regimens(), max_size=6)
DATED = st.lists(
    st.tuples(
        st.lists(st.sampled_from(DRUGS[:-1]), min_size=1, max_size=2, unique=True),
        st.integers(1, 700),
        st.none() | st.integers(0, 200),
        st.sampled_from([None, "PD", "SD"]),
    ),
    max_size=8,
)


def _dated(drawn: list[tuple[list[str], int, int | None, str | None]]) -> dict[str, Any]:
    return {
        "prior_therapies": [
            {
                "agents": agents,
                "started_days_before_index": start,
                "ended_days_before_index": None if lasted is None else max(0, start - lasted),
                "best_response": response,
            }
            for agents, start, lasted, response in drawn
        ]
    }


@given(LISTS, st.randoms(use_true_random=False))
def test_the_order_of_the_list_never_matters(listed: list[dict[str, Any]], random: Any) -> None:
    shuffled = [{**one, "agents": one["agents"][::-1]} for one in listed]
    random.shuffle(shuffled)
    rows = [BUILDER.build(_batch({"prior_therapies": order})).tobytes() for order in (listed, shuffled)]
    assert rows[0] == rows[1]


@settings(max_examples=40)
@given(st.lists(DATED, min_size=1, max_size=6))
def test_one_history_and_many_are_walked_to_the_same_number(histories: list[Any]) -> None:
    raws = [_dated(history) for history in histories]
    alone = np.concatenate([history_of(_batch(raw)).lines.number for raw in raws])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_sequence, "FEW_REGIMENS", -1)
        together = history_of(_batch(*raws)).lines.number
    assert alone.tobytes() == together.tobytes()


@given(LISTS)
def test_a_list_not_given_is_never_the_empty_list(listed: list[dict[str, Any]]) -> None:
    unknown = BUILDER.build(_batch({}))[0]
    known = BUILDER.build(_batch({"prior_therapies": listed}))[0]
    assert np.isnan(unknown).all()
    assert not np.isnan(known[0])


@given(DATED)
def test_lines_are_no_more_than_regimens_and_at_least_one(drawn: Any) -> None:
    number = history_of(_batch(_dated(drawn))).lines.number[0]
    assert min(1, len(drawn)) <= number <= len(drawn)


@given(DATED, st.integers(1, 300))
def test_moving_all_dates_changes_no_count(drawn: Any, days: int) -> None:
    moved = [(agents, start + days, lasted, response) for agents, start, lasted, response in drawn]
    assert _row(_dated(drawn))["prior_lines"] == _row(_dated(moved))["prior_lines"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Opdivo", "nivolumab"), ("MPDL3280A", "atezolizumab"), ("CPT-11", "irinotecan"), ("T-DM1", "Kadcyla")],
)
def test_a_synonym_gives_the_same_row(one: str, other: str) -> None:
    rows = [_row({"prior_therapies": [{"agents": [name], "best_response": "PD"}]}) for name in (one, other)]
    np.testing.assert_equal(rows[0], rows[1])


def test_many_distinct_drugs_are_still_told_apart() -> None:
    names = [name for name, one in agents().items() if one.systemic and not one.consists_of][:150]
    raws = [_dated([([first], 700, 100, None), ([second], 400, 100, None)]) for first, second in pairwise(names)]
    assert (history_of(_batch(*raws)).lines.number == 2).all()


def test_what_is_shown_says_where_it_comes_from() -> None:
    batch = _batch(_dated([(["cisplatin"], 500, 100, "PD"), (["docetaxel"], 300, 100, "SD")]))
    shown = {item.feature: item for item in BUILDER.show(batch, 0)}
    assert (
        shown["prior_lines"].text
        == "a history of 2 prior lines of systemic therapy in the metastatic setting (derived)"
    )
    assert shown["prior_lines"].sources
    assert shown["prior_platinum"].sources == (
        "cisplatin is chemotherapy (therapies.csv)",
        "docetaxel is chemotherapy (therapies.csv)",
    )
    assert shown["last_response"].value == "SD"
    assert all(item.unknown for item in BUILDER.show(_batch({}), 0))


def test_showing_a_case_of_a_batch_reads_that_case() -> None:
    raws = [{"prior_lines": 2}, _dated([(["gefitinib"], 300, 50, "PR")]), {}]
    batch = _batch(*raws)
    for place, raw in enumerate(raws):
        assert BUILDER.show(batch, place) == BUILDER.show(_batch(raw), 0)
        assert BUILDER.warnings(batch, place) == BUILDER.warnings(_batch(raw), 0)
