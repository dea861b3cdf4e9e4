"""The demo's log: synthetic, back-dated and yet a true chain, with all that the pages show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.audit.auditor import Auditor
from serving.audit.reading import in_order
from serving.audit.replay import Artefacts
from serving.demo_log import fill
from serving.pages.integrity_checks import replay_sample, self_tests, verification
from serving.pages.log_follow import LogReader
from serving.pages.log_query import Asked
from serving.pages.sign_rules import Signed, SignRules
from serving.predictor import Predictor
from tests.demo_site import CASES, NOW, open_demo_log


@pytest.fixture(scope="module")
def log(demo_folder: Path) -> Iterator[Auditor]:
    auditor = open_demo_log(demo_folder)
    yield auditor
    auditor.close()


@pytest.fixture(scope="module")
def rows(log: Auditor) -> list[dict[str, Any]]:
    return [dict(row) for block in in_order(log.database) for row in block]


@pytest.fixture(scope="module")
def reader(log: Auditor, demo_folder: Path) -> LogReader:
    made = LogReader(log, [demo_folder / "served-models"])
    while made.catch_up(10**6):
        pass
    return made


def test_it_verifies_and_its_answers_repeat(log: Auditor, reader: LogReader, demo_folder: Path) -> None:
    verdict = verification(log)
    assert verdict.good, verdict.problems
    replays = replay_sample(reader, Artefacts([demo_folder / "served-models"]))
    assert len(replays) == 30
    assert {one.result for one in replays} == {"equal"}
    assert {one.seq for one in replays} == {one.seq for one in replay_sample(reader, reader.artefacts)}


def test_it_is_synthetic_through_and_through(rows: list[dict[str, Any]]) -> None:
    answers = [row for row in rows if row["kind"] in ("prediction", "shadow")]
    assert all("synthetic_model" in json.loads(row["warnings"]) for row in answers)
    assert all(row["caller"].startswith("demo:") for row in rows)


def test_times_ascend_to_the_present_over_months(rows: list[dict[str, Any]]) -> None:
    times = [row["time"] for row in rows]
    assert times == sorted(times)
    assert times[-1] <= NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert len({time[:7] for time in times}) >= 9


def test_it_has_all_that_the_pages_show(rows: list[dict[str, Any]], reader: LogReader) -> None:
    kinds = Counter(row["kind"] for row in rows)
    assert kinds["prediction"] == sum(CASES.values())
    assert min(kinds[name] for name in ("shadow", "outcome", "decision", "review")) >= 5
    versions = {(row["model_name"], row["model_version"]) for row in rows if row["kind"] == "prediction"}
    assert len(versions) == 3
    last_month = {"since": "2026-10", "until": "2026-11", "disagrees": "tmb_mut_per_mb"}
    assert reader.listing(Asked.read(last_month)).total > 0


def test_a_log_that_has_records_is_left_as_it_is(demo_folder: Path, rows: list[dict[str, Any]]) -> None:
    assert fill(demo_folder / "served-models", demo_folder / "audit", NOW, CASES) == len(rows)


def test_self_tests_pass_and_say_when_an_artefact_is_away(demo_folder: Path, tmp_path: Path) -> None:
    models = list(Predictor.from_folder(demo_folder / "served-models", synthetic=True).by_family.values())
    found = self_tests(models, [demo_folder / "served-models"])
    assert [one["said"] for one in found] == ["passed", "passed"]
    assert max(one["largest"] for one in found) <= 1e-9
    assert "not in the folder" in self_tests(models, [tmp_path])[0]["said"]


RULES = SignRules((Signed("a", "tmb", 1, 2.0, 1.0), Signed("b", "nlr", -1, 1.0, 0.5)))


@pytest.mark.parametrize("value", [-1.0, 0.5, 3.0, 9.0])
@pytest.mark.parametrize("phi", [-0.8, -0.1, 0.1, 0.8])
def test_a_sign_disagrees_exactly_when_its_mirror_agrees(value: float, phi: float) -> None:
    one = RULES.judge({"a": value, "b": value}, {"tmb": phi, "nlr": phi})
    mirrored = RULES.judge({"a": value, "b": value}, {"tmb": -phi, "nlr": -phi})
    assert one[0] == mirrored[0] == ["tmb", "nlr"]
    assert set(one[1]) | set(mirrored[1]) == {"tmb", "nlr"}
    assert not set(one[1]) & set(mirrored[1])


@pytest.mark.parametrize(
    ("value", "phi", "judged", "against"),
    [(2.05, -0.5, [], []), (None, -0.5, [], []), (4.0, -0.09, ["tmb"], []), (4.0, -0.1, ["tmb"], ["tmb"])],
)
def test_what_cannot_be_judged_is_not(value: float | None, phi: float, judged: list[str], against: list[str]) -> None:
    assert RULES.judge({"a": value}, {"tmb": phi}) == (judged, against)
