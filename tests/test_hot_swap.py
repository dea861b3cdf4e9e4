"""A newly promoted model takes over without a dropped request; one that is not what it should be changes nothing."""

from __future__ import annotations

import io
import json
import logging
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.artifact import load_artifact, save_artifact
from models.pointer import CHALLENGERS, promote, read_pointer
from serving.audit.auditor import Auditor
from serving.audit.reading import Filter, in_order, listed
from serving.audit.replay import Artefacts, replay_all
from serving.hot_swap import FollowedModels
from serving.logs import JsonFormatter
from serving.metrics import ServiceMetrics
from serving.openapi import EXAMPLE_CASE
from serving.shadow import Shadow
from tests.audit_log import entry, open_log
from tests.audit_verdict import verdict_of
from tests.served import fit_small
from tests.served_app import SIGNED_IN, guarded_app

NAME = "checkpoint-response"


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model of the checkpoint family, as an artefact that was not promoted yet."""
    folder = tmp_path_factory.mktemp("second") / "artifact"
    save_artifact(fit_small("checkpoint", cases=300, seed=8), folder)
    return folder


@pytest.fixture
def models(served_models: Path, tmp_path: Path) -> Path:
    """A copy of the promoted folder, for tests that promote."""
    return Path(shutil.copytree(served_models, tmp_path / "served-models"))


@pytest.fixture
def followed(models: Path) -> Iterator[FollowedModels]:
    found = FollowedModels(models, synthetic=True)
    yield found
    found.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Auditor]:
    found = open_log(tmp_path)
    yield found
    found.close()


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """What the service writes to its log."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter())
    logging.getLogger("oncorespond").addHandler(handler)
    yield lines
    logging.getLogger("oncorespond").removeHandler(handler)


def _break(models: Path, version: str) -> None:
    """Promote the model that is served as another version, and change a byte of what it predicts."""
    folder = models / read_pointer(models, NAME).folder
    promote(folder, models, NAME, version)
    tree = next((models / f"{NAME}-{version}" / "boosted").glob("*.txt"))
    tree.write_bytes(tree.read_bytes().replace(b"leaf_value=", b"leaf_value=9", 1))


def _until(true: Any, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_under_load_a_new_model_takes_over_and_no_request_is_dropped(
    followed: FollowedModels, models: Path, second: Path, log: Auditor, tmp_path: Path, told: io.StringIO
) -> None:
    metrics = ServiceMetrics()
    app = guarded_app(followed, metrics, tmp_path, log)
    before = read_pointer(models, NAME).digest
    followed.follow(metrics, every_s=0.1)
    ended, answers = threading.Event(), []

    def load() -> None:
        client = TestClient(app, headers=SIGNED_IN)
        while not ended.is_set():
            answers.append(client.post("/predict", json=EXAMPLE_CASE))

    clients = [threading.Thread(target=load) for _ in range(3)]
    for one in clients:
        one.start()
    try:
        _until(lambda: len(answers) >= 6)
        after = promote(second, models, NAME, "2").digest
        _until(lambda: any(one.json()["model"]["digest"] == after for one in answers[-3:]))
        _until(lambda: len(answers) >= 20)
    finally:
        ended.set()
        for one in clients:
            one.join()
    assert {one.status_code for one in answers} == {200}
    assert {one.json()["model"]["digest"] for one in answers} == {before, after}
    assert {row["model_digest"] for row in listed(log.database, Filter(newest=1000))} == {before, after}
    swapped = [json.loads(line) for line in told.getvalue().splitlines() if "model_swapped" in line]
    assert [(one["before"], one["digest"]) for one in swapped] == [(before, after)]
    assert 'oncorespond_model_swaps_total{outcome="taken"} 1.0' in metrics.text()
    assert {one.result for one in replay_all(log.database, log.keys, Artefacts([models]))} == {"equal"}


def test_a_model_that_does_not_load_changes_nothing_and_is_told_of(
    followed: FollowedModels, models: Path, second: Path, log: Auditor, tmp_path: Path, told: io.StringIO
) -> None:
    metrics = ServiceMetrics()
    client = TestClient(guarded_app(followed, metrics, tmp_path, log), headers=SIGNED_IN)
    followed._metrics = metrics
    before = followed.predictor
    _break(models, "bad")
    followed.look()
    assert followed.predictor is before
    assert client.post("/predict", json=EXAMPLE_CASE).json()["model"]["version"] == "1"
    assert client.get("/readyz").json() == {"status": "ready", "not_taken": followed.remark}
    assert followed.remark
    assert followed.remark.startswith("artifact_")
    assert "oncorespond_model_refused 1.0" in metrics.text()
    refused = [json.loads(line) for line in told.getvalue().splitlines() if "model_refused" in line]
    assert len(refused) == 1
    assert before.by_family["checkpoint"].identity.digest in refused[0]["digest"]
    followed.look()
    assert told.getvalue().count("model_refused") == 1, "it is not tried again every other second"
    promote(second, models, NAME, "2")
    followed.look()
    assert client.post("/predict", json=EXAMPLE_CASE).json()["model"]["version"] == "2"
    assert client.get("/readyz").json() == {"status": "ready"}
    assert "oncorespond_model_refused 0.0" in metrics.text()


def test_what_did_not_change_is_not_loaded_again(followed: FollowedModels, models: Path, second: Path) -> None:
    before = followed.predictor
    followed.look()
    assert followed.predictor is before
    promote(second, models, NAME, "2")
    followed.look()
    assert followed.predictor.by_family["targeted"] is before.by_family["targeted"]
    assert followed.predictor.by_family["checkpoint"] is not before.by_family["checkpoint"]


def test_a_withdrawn_family_is_no_longer_served_and_the_last_one_stays(followed: FollowedModels, models: Path) -> None:
    (models / "targeted-response.json").unlink()
    followed.look()
    assert set(followed.predictor.by_family) == {"checkpoint"}
    (models / f"{NAME}.json").unlink()
    followed.look()
    assert set(followed.predictor.by_family) == {"checkpoint"}, "an empty folder is an accident"
    assert followed.remark == "no_served_models"


def _shadow_of(log: Auditor) -> dict[str, str]:
    rows = [row for block in in_order(log.database) for row in block]
    return {row["about"]: row["model_version"] for row in rows if row["kind"] == "shadow"}


def test_a_challenger_answers_beside_and_is_never_sent(
    models: Path, second: Path, log: Auditor, tmp_path: Path
) -> None:
    promote(second, models / CHALLENGERS, NAME, "2", alias="challenger")
    followed, metrics = FollowedModels(models, synthetic=True), ServiceMetrics()
    shadow = Shadow(log, lambda: followed.challengers, metrics).start()
    log.followers.append(shadow.offer)
    client = TestClient(guarded_app(followed, metrics, tmp_path, log), headers=SIGNED_IN)
    sent = [client.post("/predict", json=EXAMPLE_CASE).json()]
    sent += client.post("/predict/batch", json={"cases": [EXAMPLE_CASE] * 25}).json()["answers"]
    targeted = {**EXAMPLE_CASE, "therapy": {"agents": ["osimertinib"]}}
    client.post("/predict", json=targeted)
    shadow.close(30)
    assert {one["model"]["version"] for one in sent} == {"1"}
    assert _shadow_of(log) == {one["prediction_id"]: "2" for one in sent}, "its own family, each once"
    assert f'oncorespond_shadow_answers_total{{model="{NAME}"}} 26.0' in metrics.text()
    own = load_artifact(second, version="2")
    numbers = [one.result for one in replay_all(log.database, log.keys, Artefacts([models]))]
    assert own.identity.digest != followed.predictor.by_family["checkpoint"].identity.digest
    assert numbers == ["equal"] * (26 + 26 + 1), "challengers are found again"
    assert verdict_of(log).good


def test_a_full_queue_drops_and_counts_and_nobody_waits(models: Path, second: Path, log: Auditor) -> None:
    promote(second, models / CHALLENGERS, NAME, "2", alias="challenger")
    followed, metrics = FollowedModels(models, synthetic=True), ServiceMetrics()
    shadow = Shadow(log, lambda: followed.challengers, metrics, most_waiting=3)  # its thread is not started
    began = time.monotonic()
    shadow.offer([entry() for _ in range(10)])
    assert time.monotonic() - began < 30
    assert 'oncorespond_shadow_dropped_total{cause="queue_full"} 7.0' in metrics.text()
    shadow.close(0.1)
    assert 'oncorespond_shadow_dropped_total{cause="stopping"} 3.0' in metrics.text()


def test_a_challenger_that_fails_costs_no_answer(
    models: Path, second: Path, log: Auditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(second, models / CHALLENGERS, NAME, "2", alias="challenger")
    followed, metrics = FollowedModels(models, synthetic=True), ServiceMetrics()

    def failing(*_: Any) -> Any:
        raise ValueError("a bug")

    monkeypatch.setattr("serving.shadow.answer_of", failing)
    shadow = Shadow(log, lambda: followed.challengers, metrics).start()
    log.followers.append(shadow.offer)
    client = TestClient(guarded_app(followed, metrics, tmp_path, log), headers=SIGNED_IN)
    assert client.post("/predict", json=EXAMPLE_CASE).status_code == 200
    shadow.close(30)
    assert 'oncorespond_shadow_dropped_total{cause="failed"} 1.0' in metrics.text()
    assert _shadow_of(log) == {}
