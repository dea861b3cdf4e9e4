"""Any past answer computed again from the log alone, with the artefact of its digest."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from features.batch import regimen_key
from features.case import read_case
from features.from_cases import batch_of
from features.regimens import regimen
from features.sources.synthetic import draw
from models.answer import answer_of
from models.pointer import load_promoted
from serving.audit.auditor import Auditor
from serving.audit.entries import Once, PredictionEntry
from serving.audit.reading import in_order, opened
from serving.audit.recorded import Asked, known_features, recorded_answers, recorded_answers_or_errors
from serving.audit.replay import Artefacts, difference, parts, replay_all, replayed
from serving.errors import NotAnObject
from serving.openapi import EXAMPLE_CASE
from serving.predictor import Predictor
from tests.audit_log import open_log
from tests.audit_verdict import verdict_of
from tests.cases import good_case
from tests.conftest import SOAK

CASES = 1_000 if SOAK else 100


@pytest.fixture(scope="module")
def log(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    """A log of answers of both families to synthetic cases."""
    auditor = open_log(tmp_path_factory.mktemp("replay"))
    for family in ("checkpoint", "targeted"):
        model = load_promoted(served_models, f"{family}-response")
        cohort = draw(family, CASES // 2, 11)
        cases = [cohort.case(row) for row in range(CASES // 2)]
        assert regimen(regimen_key(cases[0].therapy.agents, cases[0].therapy.regimen_class)).family == family
        answers = model.answers(batch_of(cases))
        auditor.record_predictions(
            [
                PredictionEntry(case, answer_of(answers, row, f"{family}-{row}"), family, "tests", 1.0, place=row)
                for row, case in enumerate(cases)
            ]
        )
    return auditor


def test_every_logged_prediction_replays_to_the_same_answer(log: Auditor, served_models: Path) -> None:
    results = list(replay_all(log.database, log.keys, Artefacts([served_models])))
    assert len(results) == CASES // 2 * 2
    assert {one.result for one in results} == {"equal"}, [one for one in results if one.result != "equal"][:3]
    assert max(one.largest for one in results) <= 1e-12


def test_a_replay_says_why_it_cannot_be(log: Auditor, served_models: Path, tmp_path: Path) -> None:
    block = next(in_order(log.database))
    logged = opened(log.database, block[:1], log.keys)[0]
    assert replayed(logged, Artefacts([tmp_path])).result == "no_artefact"
    logged.answer["log_odds"] += 1e-9
    logged.answer["status"] = "abstained"
    found = replayed(logged, Artefacts([served_models]))
    assert (found.result, found.differs) == ("different", ("status", "log_odds"))
    assert found.largest == pytest.approx(1e-9, rel=1e-3)


def test_nan_and_absent_parts_differ() -> None:
    assert difference({"a": 1.0}, {"a": float("nan")})[1] == ["a"]
    assert difference({"a": 1.0}, {})[1] == ["a"]
    assert difference({"a": None}, {})[1] == ["a"]


def test_what_is_compared_covers_every_number(log: Auditor) -> None:
    answer = opened(log.database, next(in_order(log.database))[:1], log.keys)[0].answer
    names = parts(answer)
    assert len([name for name in names if name.startswith("contributions.")]) == len(answer["contributions"])
    assert {"probability", "interval.low", "interval.high", "groups.tmb", "reasons"} <= set(names)


def test_a_route_answers_records_and_repeats(served_models: Path, tmp_path: Path) -> None:
    predictor = Predictor.from_folder(served_models, synthetic=True)
    auditor = open_log(tmp_path)
    case = read_case(EXAMPLE_CASE)
    asked = Asked("key:ward-7", time.perf_counter(), Once("k-1", "key:ward-7", "aa" * 32))
    first = recorded_answers(auditor, predictor, [case], asked)
    assert recorded_answers(auditor, predictor, [case], asked) == first
    assert auditor.lookup(first[0]["prediction_id"]).row["latency_ms"] > 0
    other = read_case(good_case(therapy={"agents": ["carboplatin"]}))
    batch = Asked("key:ward-7", time.perf_counter(), Once("k-2", "key:ward-7", "bb" * 32))
    entries = [case, NotAnObject("seen 7"), other, case]
    mixed = recorded_answers_or_errors(auditor, predictor, entries, batch)
    kinds = [one.get("status") or one["error"]["code"] for one in mixed]
    assert kinds == [first[0]["status"], "not_an_object", "no_model_for_therapy", first[0]["status"]]
    assert recorded_answers_or_errors(auditor, predictor, entries, batch) == mixed
    assert verdict_of(auditor).records == 3
    answers = predictor.model_for(case).answers(batch_of([case]))
    features = known_features(answers, 0)
    assert None in features.values()
    assert any(value is not None for value in features.values())
    auditor.close()
