"""One case, many doors: HTTP, batch, terminal and bulk give the same numbers, and they add up."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from typer.testing import CliRunner

from features.case import read_case
from oncorespond import app
from serving.metrics import ServiceMetrics
from serving.predictor import Predictor
from tests.conftest import SOAK
from tests.served_app import SIGNED_IN, guarded_app
from tests.strategies import CHECKPOINT_AGENTS, CLASSES, raw_cases

CASES_OF_AN_EXAMPLE = 25
EXAMPLES = 40 if SOAK else 4
"""1,000 cases in `make soak`, a tenth in CI."""

checkpoint_cases = st.lists(
    raw_cases(CHECKPOINT_AGENTS, CLASSES), min_size=CASES_OF_AN_EXAMPLE, max_size=CASES_OF_AN_EXAMPLE
)
any_cases = st.lists(raw_cases(), min_size=CASES_OF_AN_EXAMPLE, max_size=CASES_OF_AN_EXAMPLE)


@pytest.fixture(scope="module")
def predictor(served_models: Path) -> Predictor:
    return Predictor.from_folder(served_models, synthetic=True)


def _numbers(answer: dict[str, Any]) -> tuple[Any, ...]:
    interval = answer["interval"] or {"low": None, "high": None}
    return (answer["status"], answer["probability"], answer["log_odds"], interval["low"], interval["high"])


def _same(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    def close(one: Any, other: Any) -> bool:
        if isinstance(one, float) and isinstance(other, float):
            return abs(one - other) <= 1e-12
        return bool(one == other)

    return all(map(close, ours, theirs))


@settings(max_examples=EXAMPLES)
@given(raws=any_cases)
def test_base_and_contributions_are_the_log_odds(predictor: Predictor, raws: list[dict[str, Any]]) -> None:
    for answer in predictor.answers([read_case(raw) for raw in raws]):
        if answer["status"] == "abstained":
            assert answer["probability"] is None
            assert answer["reasons"]
            continue
        summed = answer["base_log_odds"] + math.fsum(one["log_odds"] for one in answer["contributions"])
        assert abs(summed - answer["log_odds"]) <= 1e-9
        assert abs(answer["probability"] - 1 / (1 + math.exp(-answer["log_odds"]))) <= 1e-12
        assert answer["interval"]["low"] <= answer["probability"] <= answer["interval"]["high"]


@pytest.fixture(scope="module")
def client(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    return TestClient(guarded_app(predictor, ServiceMetrics(), tmp_path_factory.mktemp("door")), headers=SIGNED_IN)


@settings(max_examples=EXAMPLES)
@given(raws=any_cases)
def test_http_batch_and_one_by_one_agree(predictor: Predictor, client: TestClient, raws: list[dict[str, Any]]) -> None:
    together = predictor.answers([read_case(raw) for raw in raws])
    batch = client.post("/predict/batch", json={"cases": raws}).json()["answers"]
    alone = [client.post("/predict", json=raw).json() for raw in raws]
    for ours, from_batch, from_one in zip(together, batch, alone, strict=True):
        assert _same(_numbers(ours), _numbers(from_batch))
        assert _same(_numbers(ours), _numbers(from_one))


@settings(max_examples=max(EXAMPLES // 4, 2))
@given(raws=checkpoint_cases)
def test_the_command_line_agrees(
    predictor: Predictor, served_models: Path, tmp_path_factory: pytest.TempPathFactory, raws: list[dict[str, Any]]
) -> None:
    here = tmp_path_factory.mktemp("score")
    lines = "\n".join(json.dumps({**raw, "case_id": f"c-{place}"}) for place, raw in enumerate(raws))
    (here / "cases.jsonl").write_text(lines, encoding="utf-8")
    model = str(served_models / "checkpoint-response-1")
    words = ["score", str(here / "cases.jsonl"), "--model", model, "--out", str(here / "scored.parquet"), "--json"]
    run = _invoke(words)
    assert run["cases"] == len(raws)
    scored = pq.read_table(here / "scored.parquet").to_pylist()
    answers = predictor.answers([read_case(raw) for raw in raws])
    assert [row["case_id"] for row in scored] == [f"c-{place}" for place in range(len(raws))]
    for row, answer in zip(scored, answers, strict=True):
        theirs = (row["status"], row["probability"], row["log_odds"], row["interval_low"], row["interval_high"])
        assert _same(_numbers(answer), theirs)
        phi = {name: value for name, value in row.items() if name.startswith("phi:")}
        for one in answer["contributions"]:
            assert abs(phi[f"phi:{one['feature']}"] - one["log_odds"]) <= 1e-12


def test_predict_on_the_terminal_agrees_and_is_the_same_twice(
    predictor: Predictor, served_models: Path, tmp_path: Path
) -> None:
    from serving.openapi import EXAMPLE_CASE

    path = tmp_path / "case.json"
    path.write_text(json.dumps(EXAMPLE_CASE), encoding="utf-8")
    words = ["predict", str(path), "--model", str(served_models / "checkpoint-response-1"), "--json"]
    first, second = _invoke(words), _invoke(words)
    assert first == second
    assert _same(_numbers(first), _numbers(predictor.answers([read_case(EXAMPLE_CASE)])[0]))


def _invoke(words: list[str]) -> dict[str, Any]:
    """Run a command as the shell would, and read the JSON it prints."""
    import sys
    from unittest.mock import patch

    with patch.object(sys, "argv", ["oncorespond", *words]):
        run = CliRunner().invoke(app, words, catch_exceptions=False)
    assert run.exit_code == 0, run.output
    found: dict[str, Any] = json.loads(run.stdout)
    return found
