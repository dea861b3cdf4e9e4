"""The real service with two workers, killed at random moments under load: what it acknowledged is in the log, once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from serving.audit.reading import in_order
from serving.openapi import EXAMPLE_CASE
from tests.audit_databases import postgres_running
from tests.audit_log import open_log
from tests.audit_verdict import verdict_of
from tests.conftest import ROOT, SOAK
from tests.service_process import Served, asked, serving, started

KILLS = 20 if SOAK else 2
KILLS_POSTGRES = 20 if SOAK else 1
CONNECTIONS = 8


def _loading(served: Served, folder: Path, ids: Path) -> subprocess.Popen[bytes]:
    bodies = folder / "bodies.jsonl"
    bodies.write_text(json.dumps(EXAMPLE_CASE) + "\n")
    command = [sys.executable, "-m", "tests.http_load", str(served.port), "/predict", str(bodies), "--ids"]
    environment = {**os.environ, "LOAD_TOKEN": served.token}
    with ids.open("ab") as out:
        return subprocess.Popen(
            [*command, "--connections", str(CONNECTIONS)], cwd=ROOT, env=environment, stdout=out, stderr=out
        )


def _acknowledged(ids: Path) -> list[str]:
    return ids.read_text().split("\n")[:-1] if ids.exists() else []


def _wait_for_more(ids: Path, than: int, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while len(_acknowledged(ids)) <= than:
        assert time.monotonic() < until, "nothing is acknowledged"
        time.sleep(0.02)


def _ended(load: subprocess.Popen[bytes]) -> None:
    load.kill()
    load.wait(timeout=30)


def _check(folder: Path, url: str | None, ids: Path) -> None:
    acknowledged = _acknowledged(ids)
    auditor = open_log(folder, url)
    verdict = verdict_of(auditor, heads=folder / "audit.heads.jsonl")
    logged = [row["record_id"] for block in in_order(auditor.database) for row in block]
    auditor.close()
    assert verdict.good, [problem.text for problem in verdict.problems][:10]
    assert sorted(set(acknowledged) - set(logged)) == [], "acknowledged, and not in the log"
    assert len(set(logged)) == len(logged)
    assert len(set(acknowledged)) == len(acknowledged)


def _kill_rounds(folder: Path, models: Path, url: str | None, rounds: int) -> None:
    settings = _settings(folder, url)
    chance, ids = random.Random(11), folder / "ids.txt"  # noqa: S311
    before = ""
    for _ in range(rounds):
        served = started(folder, models, "--workers", "2", **settings)
        try:
            if before:
                assert asked(served.address, f"/predictions/{before}", served.token)[0] == 200, "after the restart"
            load, seen = _loading(served, folder, ids), len(_acknowledged(ids))
            try:
                _wait_for_more(ids, seen)
                time.sleep(chance.uniform(0, 2))
            finally:
                served.kill()
                _ended(load)
        finally:
            served.kill()
        before = _acknowledged(ids)[-1]
    _check(folder, url, ids)


def _settings(folder: Path, url: str | None) -> dict[str, str]:
    return {
        "ORP_KEYS": str(folder / "keys"),
        "ORP_DATABASE_URL": url or f"sqlite:///{folder / 'audit.db'}",
        "ORP_AUDIT_HEADS": str(folder / "audit.heads.jsonl"),
        "ORP_RATE_PER_SECOND": "100000",
    }


@pytest.mark.slow
def test_killed_on_sqlite(served_models: Path, tmp_path: Path) -> None:
    _kill_rounds(tmp_path, served_models, None, KILLS)


@pytest.mark.slow
def test_killed_on_postgres(served_models: Path, tmp_path: Path, postgres: str) -> None:
    _kill_rounds(tmp_path, served_models, postgres, KILLS_POSTGRES)


def _kill_postgres(server: Any) -> None:
    """Kill the server and its backends at once; what they held in memory is lost."""
    tree = psutil.Process(server.get_pid())
    for process in (tree, *tree.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs([tree], timeout=30)


@pytest.mark.soak
def test_postgres_killed_under_a_service_that_goes_on(served_models: Path, tmp_path: Path) -> None:
    chance, ids = random.Random(12), tmp_path / "ids.txt"  # noqa: S311
    with postgres_running() as server:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        with serving(tmp_path, served_models, "--workers", "2", **_settings(tmp_path, url)) as served:
            load = _loading(served, tmp_path, ids)
            try:
                for _ in range(KILLS_POSTGRES):
                    _wait_for_more(ids, len(_acknowledged(ids)))
                    time.sleep(chance.uniform(0, 1))
                    _kill_postgres(server)
                    assert asked(served.address, "/predict", served.token, EXAMPLE_CASE)[0] == 503
                    server.ensure_postgres_running()
                    served.wait_ready(60)
                    _wait_for_more(ids, len(_acknowledged(ids)))
            finally:
                _ended(load)
        _check(tmp_path, url, ids)


@pytest.mark.slow
def test_a_stopped_service_answers_what_it_began(served_models: Path, tmp_path: Path) -> None:
    """SIGTERM under load and under one long batch: what was sent is answered, and all answers are in the log."""
    ids = tmp_path / "ids.txt"
    with serving(tmp_path, served_models, "--workers", "1", **_settings(tmp_path, None)) as served:
        load = _loading(served, tmp_path, ids)
        try:
            _wait_for_more(ids, 5)
            answers: list[tuple[int, Any]] = []
            batch = _in_thread(
                lambda: answers.append(
                    asked(served.address, "/predict/batch", served.token, {"cases": [EXAMPLE_CASE] * 1000})
                )
            )
            time.sleep(0.4)
            assert not answers, "the batch is under way"
            assert served.stop() == 0
            batch.join(timeout=60)
        finally:
            _ended(load)
    [(status, body)] = answers
    assert status == 200
    with ids.open("a") as more:
        more.writelines(one["prediction_id"] + "\n" for one in body["answers"])
    _check(tmp_path, None, ids)
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def _in_thread(work: Callable[[], None]) -> Any:
    import threading

    found = threading.Thread(target=work)
    found.start()
    return found
