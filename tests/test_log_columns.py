"""The pages' columns of the log: true to the records, whichever way they were read; sealed on disk; forgetful."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from serving.audit.auditor import Auditor
from serving.audit.entries import Decision, Outcome, Review
from serving.audit.reading import in_order, opened
from serving.audit.tables import RECORDS
from serving.pages.log_columns import DTYPES, Codes, LogColumns, TooManyCodes
from serving.pages.log_follow import LogReader
from serving.pages.log_query import Asked, FilterRefused
from tests.audit_log import answer, entry, open_log
from tests.demo_site import open_demo_log

COMPARED = [name for name in DTYPES if name not in ("judged", "disagrees", "warnings", "reasons")]
"""Columns whose numbers do not depend on the order in which codes first came."""


@pytest.fixture(scope="module")
def demo(demo_folder: Path) -> Iterator[Auditor]:
    auditor = open_demo_log(demo_folder)
    yield auditor
    auditor.close()


@pytest.fixture(scope="module")
def reader(demo: Auditor, demo_folder: Path) -> LogReader:
    return read_whole(demo, [demo_folder / "served-models"])


@pytest.fixture(scope="module")
def truth(demo: Auditor) -> list[dict[str, Any]]:
    """Every prediction of the log with what was later said of it, read in the plainest way."""
    found: dict[str, dict[str, Any]] = {}
    for block in in_order(demo.database):
        for one in opened(demo.database, block, demo.keys):
            row = dict(one.row)
            if row["kind"] in ("prediction", "shadow"):
                found[row["record_id"]] = {**row, "payload": one.payload, "outcome": None, "decision": "none"}
            elif row["kind"] in ("outcome", "decision", "review"):
                about, name = found[row["about"]], row["kind"]
                about[name] = {"outcome": row["responded"], "decision": row["status"], "review": row["status"]}[name]
    return list(found.values())


def read_whole(auditor: Auditor, folders: list[Path], block: int = 500) -> LogReader:
    made = LogReader(auditor, folders)
    while made._reading.take(block):
        pass
    return made


def same(one: LogReader, other: LogReader) -> None:
    """Both readers know the same, down to the last sum."""
    assert one.columns.covered == other.columns.covered
    for name in COMPARED:
        np.testing.assert_array_equal(one.columns[name], other.columns[name], err_msg=name)
    for name, codes in (("disagrees", "features"), ("judged", "features"), ("warnings", "warnings")):
        for row in range(one.columns.n):
            texts = [set(r.columns.codes[codes].texts_of(int(r.columns[name][row]))) for r in (one, other)]
            assert texts[0] == texts[1], (name, row)
    sums = [dict(zip(r.cube.slice().names, r.cube.slice().sums.tolist(), strict=True)) for r in (one, other)]
    assert sums[0] == sums[1]


def test_columns_that_grew_equal_columns_built_anew(demo: Auditor, demo_folder: Path, reader: LogReader) -> None:
    same(reader, read_whole(demo, [demo_folder / "served-models"], block=37))


def test_the_sums_are_those_of_the_records(reader: LogReader, truth: list[dict[str, Any]]) -> None:
    answered = [one for one in truth if one["kind"] == "prediction" and one["status"] == "predicted"]
    phi = [json.loads(one["contributions"]).get("tmb_mut_per_mb") for one in answered]
    known = np.array([one for one in phi if one is not None])
    found = reader.cube.slice()
    place = found.names.index("tmb_mut_per_mb")
    assert found.count[place] == len(known)
    assert found.mean[place] == pytest.approx(known.mean(), abs=1e-6)
    assert found.mean_absolute[place] == pytest.approx(np.abs(known).mean(), abs=1e-6)
    assert found.standard_error[place] == pytest.approx(known.std(ddof=0) / np.sqrt(len(known) - 1), rel=1e-3)


def has_gene(one: dict[str, Any], gene: str) -> bool:
    return any(found["gene"] == gene for found in one["payload"]["request"].get("alterations") or [])


FILTERS = {
    "since=2026-10&until=2026-11": lambda one: one["time"][:7] == "2026-10",
    "version=checkpoint-response/0": lambda one: (one["family"], one["model_version"]) == ("checkpoint", "0"),
    "therapy_class=pd1_pdl1": lambda one: one["therapy_class"] == "pd1_pdl1",
    "histology=LUNG": lambda one: "LUNG" in one["lineage"].split("/"),
    "alteration=KRAS": lambda one: has_gene(one, "KRAS"),
    "status=abstained": lambda one: one["status"] == "abstained",
    "warning=underpowered": lambda one: "underpowered" in json.loads(one["warnings"]),
    "outcome=response": lambda one: one["outcome"] == 1,
    "outcome=no_response": lambda one: one["outcome"] == 0,
    "outcome=unknown": lambda one: one["outcome"] is None,
    "decision=overridden": lambda one: one["decision"] == "overridden",
    "review=any": lambda one: one.get("review") is not None,
    "low=0.2&high=0.4": lambda one: one["probability"] is not None and 0.2 <= one["probability"] <= 0.4,
    "caller=demo:day-clinic": lambda one: one["caller"] == "demo:day-clinic",
    "histology=SKIN&outcome=known&low=0.5": lambda one: (
        "SKIN" in one["lineage"].split("/") and one["outcome"] is not None and (one["probability"] or 0) >= 0.5
    ),
}


@pytest.mark.parametrize("query", FILTERS)
def test_a_filter_finds_what_the_records_say(query: str, reader: LogReader, truth: list[dict[str, Any]]) -> None:
    asked = Asked.read(dict(pair.split("=") for pair in query.split("&")))
    expected = {one["record_id"] for one in truth if one["kind"] == "prediction" and FILTERS[query](one)}
    found = [row["record_id"] for block in reader.matching(asked) for row in block]
    assert 0 < len(expected) < len(truth)
    assert sorted(found) == sorted(expected)
    assert reader.listing(asked).total == len(expected)


def test_pages_follow_one_another_without_gap_or_repetition(reader: LogReader) -> None:
    for sort in ("time", "probability", "width"):
        asked = Asked.read({"sort": sort, "order": "asc"})
        first, second = reader.listing(asked), reader.listing(Asked.read({"sort": sort, "order": "asc", "page": "2"}))
        rows = [row["record_id"] for row in first.rows + second.rows]
        assert len(set(rows)) == len(rows) == 100
        assert second.first == 51
    values = [row["probability"] for row in first.rows]
    assert len(values) == 50
    probabilities = [row["probability"] for row in reader.listing(Asked.read({"sort": "probability"})).rows]
    assert probabilities == sorted(probabilities, reverse=True)


def test_abstentions_come_last_in_either_order(reader: LogReader) -> None:
    for order in ("asc", "desc"):
        rows = [row for block in reader.matching(Asked.read({"sort": "probability", "order": order})) for row in block]
        known = [row["probability"] is not None for row in rows]
        assert known == sorted(known, reverse=True)


@pytest.mark.parametrize(
    "query",
    [{"colour": "red"}, {"since": "2026-13"}, {"until": "2026-02-30"}, {"low": "2"}, {"sort": "name"}, {"page": "0"},
     {"status": "maybe"}, {"alteration": "x" * 81}, {"low": "0.1; DROP"}],
)  # fmt: skip
def test_what_is_no_filter_is_refused(query: dict[str, str], reader: LogReader) -> None:
    with pytest.raises(FilterRefused):
        reader.listing(Asked.read(query))


def test_an_address_says_its_filter_again(reader: LogReader) -> None:
    asked = Asked.read({"alteration": "BRAF p.V600E", "version": "checkpoint-response/1", "low": "0.25", "page": "3"})
    again = dict(pair.split("=") for pair in asked.address().split("&"))
    from urllib.parse import unquote_plus

    assert Asked.read({name: unquote_plus(value) for name, value in again.items()}) == asked


# what comes later, and what is forgotten


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Auditor]:
    auditor = open_log(tmp_path)
    yield auditor
    auditor.close()


KRAS = {"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12C"}


def recorded(log: Auditor, patient: str, count: int = 3) -> list[str]:
    found = []
    for _ in range(count):
        one = entry(patient_id=patient, case_id=f"case-of-{patient}", alterations=[KRAS])
        log.record_prediction(one)
        found.append(str(one.answer["prediction_id"]))
    return found


def test_what_is_said_later_is_on_the_next_page_asked_for(log: Auditor) -> None:
    reader = LogReader(log)
    (one,) = recorded(log, "p-1", 1)
    assert reader.listing(Asked()).rows[0]["review"] is None
    log.record_event(one, Review(finding="query", reason="implausible_explanation"), "key:a")
    log.record_event(one, Outcome(best_response="PR"), "key:a")
    log.record_event(one, Outcome(best_response="PD"), "key:a")  # a correction: the latest counts
    log.record_event(one, Decision(decision="overridden", reason="comorbidity"), "key:a")
    row = reader.listing(Asked()).rows[0]
    found = (row["review"], row["outcome"], row["decision"], row["override"])
    assert found == ("query", False, "overridden", "comorbidity")


@pytest.mark.parametrize("incremental", [True, False])
def test_an_erased_patient_leaves_no_value_behind(log: Auditor, tmp_path: Path, incremental: bool) -> None:
    theirs, others = recorded(log, "p-gone"), recorded(log, "p-stays")
    for one in (*theirs, *others):
        log.record_event(one, Outcome(best_response="PR"), "key:a")
    reader = LogReader(log, snapshot=tmp_path / "x.sealed")
    if incremental:
        reader.catch_up()
    log.erase("key:a", patient_id="p-gone")
    again = recorded(log, "p-gone", 1)  # a new prediction after the erasure is not erased
    reader.catch_up()
    rows = {row["record_id"]: row for row in reader.listing(Asked()).rows}
    for one in theirs:
        assert rows[one]["erased"]
        assert rows[one]["outcome"] is None
        assert rows[one]["alterations"] == []
    for one in others:
        assert rows[one]["outcome"] is True
        assert rows[one]["alterations"]
    assert not rows[again[0]]["erased"]
    assert reader.listing(Asked.read({"outcome": "response"})).total == len(others)


def test_the_snapshot_is_sealed_and_restores_everything(demo: Auditor, demo_folder: Path, tmp_path: Path) -> None:
    folders = [demo_folder / "served-models"]
    path = tmp_path / "log.sealed"
    first = LogReader(demo, folders, path)
    while first._reading.take(500):
        pass
    first._keep(True)
    content = path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert b"KRAS" not in content
    assert b"pd1_pdl1" not in content
    second = LogReader(demo, folders, path)
    same(first, second)


@pytest.mark.parametrize("damage", ["cut", "changed", "other_log", "no_file"])
def test_a_snapshot_that_is_not_of_this_log_is_not_used(damage: str, log: Auditor, tmp_path: Path) -> None:
    recorded(log, "p-1")
    path = tmp_path / "log.sealed"
    first = LogReader(log, snapshot=path)
    first.catch_up()
    first._keep(True)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-40])
    elif damage == "changed":
        path.write_bytes(content[:-40] + bytes(one ^ 1 for one in content[-40:]))
    elif damage == "no_file":
        path.unlink()
    else:
        (tmp_path / "other").mkdir()
        shutil.copytree(tmp_path / "keys", tmp_path / "other" / "keys")
        other = open_log(tmp_path / "other")
        recorded(other, "p-2")
        assert LogReader(other, snapshot=path).columns.n == 0
        other.close()
        return
    again = LogReader(log, snapshot=path)
    assert again.columns.n == 0
    again.catch_up()
    assert again.columns.n == first.columns.n


def test_rankings_and_feedback_are_no_rows_and_listed_answers_are_apart(log: Auditor) -> None:
    one = entry()
    listed = entry(answer=answer())
    object.__setattr__(listed, "listed_in", "a-ranking")
    for each in (one, listed):
        log.record_prediction(each)
    reader = LogReader(log)
    assert reader.listing(Asked()).total == 1
    assert reader.listing(Asked.read({"kind": "listed"})).total == 1
    assert reader.listing(Asked.read({"kind": "any"})).total == 2


def test_more_codes_than_bits_are_refused_not_mixed_up() -> None:
    codes = Codes()
    codes.flags(f"code_{k}" for k in range(63))
    with pytest.raises(TooManyCodes):
        codes.flags(["one_more"])


def test_columns_grow_past_their_first_room() -> None:
    columns = LogColumns()
    row: dict[str, Any] = dict.fromkeys(DTYPES, 0) | {"groups": [0.0] * 8}
    for start in range(0, 5_000, 500):
        columns.append([{**row, "seq": start + k + 1} for k in range(500)], [[k % 7] * 3 for k in range(500)])
    np.testing.assert_array_equal(columns["seq"], np.arange(1, 5_001))
    assert columns.findings.shape == (2, 15_000)
    assert columns.rows_of([17, 4_999, 6_000]).tolist() == [16, 4_998]


def test_the_log_itself_is_never_written_by_the_pages(demo: Auditor, reader: LogReader) -> None:
    with demo.database.reading() as connection:
        before = connection.execute(sa.select(sa.func.count(), sa.func.max(RECORDS.c.seq))).one()
    reader.listing(Asked.read({"alteration": "KRAS"}))
    reader.choices()
    with demo.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count(), sa.func.max(RECORDS.c.seq))).one() == before
