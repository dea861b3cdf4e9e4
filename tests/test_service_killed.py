"""The real service with two workers, killed at random moments under load: what it acknowledged is in the log, once."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import pytest

from serving.openapi import EXAMPLE_CASE
from tests.audit_databases import postgres_running
from tests.conftest import SOAK
from tests.ports import HOST
from tests.service_load import acknowledged, check_log, ended, loading, settings_in, wait_for_more
from tests.service_process import Served, asked, serving, started

KILLS = 20 if SOAK else 2
KILLS_POSTGRES = 20 if SOAK else 1
ENDED_WITHIN_S = 60.0
"""Seconds for workers whose server was killed: they notice within one, and drain."""


def _kill_rounds(folder: Path, models: Path, url: str | None, rounds: int) -> None:
    settings = settings_in(folder, url)
    chance, ids = random.Random(11), folder / "ids.txt"  # noqa: S311
    before = ""
    for _ in range(rounds):
        served = started(folder, models, "--workers", "2", **settings)
        try:
            if before:
                assert asked(served.address, f"/predictions/{before}", served.token)[0] == 200, "after the restart"
            load, seen = loading(served, folder, ids), len(acknowledged(ids))
            try:
                wait_for_more(ids, seen)
                time.sleep(chance.uniform(0, 2))
                assert len(served.workers()) == 2
            finally:
                served.kill()
                ended(load)
            assert not served.listens(), "a worker was missed"
        finally:
            served.kill()
        before = acknowledged(ids)[-1]
    check_log(folder, url, ids)


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
        with serving(tmp_path, served_models, "--workers", "2", **settings_in(tmp_path, url)) as served:
            load = loading(served, tmp_path, ids)
            try:
                for _ in range(KILLS_POSTGRES):
                    wait_for_more(ids, len(acknowledged(ids)))
                    time.sleep(chance.uniform(0, 1))
                    _kill_postgres(server)
                    assert asked(served.address, "/predict", served.token, EXAMPLE_CASE)[0] == 503
                    server.ensure_postgres_running()
                    served.wait_ready(60)
                    wait_for_more(ids, len(acknowledged(ids)))
            finally:
                ended(load)
        check_log(tmp_path, url, ids)


@pytest.mark.slow
def test_workers_whose_server_is_killed_drain_and_end(served_models: Path, tmp_path: Path) -> None:
    """Only the parent is killed, under load: the workers end by themselves, and what they acknowledged is logged."""
    ids = tmp_path / "ids.txt"
    served = started(tmp_path, served_models, "--workers", "2", **settings_in(tmp_path))
    workers = served.workers()
    try:
        load = loading(served, tmp_path, ids)
        try:
            wait_for_more(ids, 20)
            assert len(workers) == 2
            served.process.kill()
            served.process.wait(timeout=30)
            _, alive = psutil.wait_procs(workers, timeout=ENDED_WITHIN_S)
        finally:
            ended(load)
        assert alive == [], "they serve without a server"
        assert not served.listens()
    finally:
        for one in workers:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        served.kill()
    check_log(tmp_path, None, ids)
    log = (tmp_path / "log.txt").read_text()
    assert log.count('"server_gone"') == 2
    assert "Traceback" not in log


@pytest.mark.slow
def test_a_stopped_service_answers_what_it_began(served_models: Path, tmp_path: Path) -> None:
    """SIGTERM under load and under one long batch: what was sent is answered, and all answers are in the log."""
    ids = tmp_path / "ids.txt"
    with serving(tmp_path, served_models, "--workers", "1", **settings_in(tmp_path)) as served:
        load = loading(served, tmp_path, ids)
        try:
            wait_for_more(ids, 5)
            batch = _begun(served, "/predict/batch", {"cases": [EXAMPLE_CASE] * 1000})
            answers: list[tuple[int, Any]] = []
            reading = _in_thread(lambda: answers.append(_answer(batch)))
            assert served.stop() == 0
            reading.join(timeout=60)
        finally:
            ended(load)
    [(status, body)] = answers
    assert status == 200
    with ids.open("a") as more:
        more.writelines(one["prediction_id"] + "\n" for one in body["answers"])
    check_log(tmp_path, None, ids)
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def _begun(served: Served, path: str, body: Any) -> HTTPConnection:
    """Send a request once the service has begun with it: it asks for the body when it wants to read it (RFC 9110)."""
    sent = json.dumps(body).encode()
    connection = HTTPConnection(HOST, served.port, timeout=120)
    connection.putrequest("POST", path)
    for name, value in {
        "authorization": f"Bearer {served.token}",
        "content-type": "application/json",
        "content-length": str(len(sent)),
        "expect": "100-continue",
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.sock.recv(4096).startswith(b"HTTP/1.1 100 ")
    connection.send(sent)
    return connection


def _answer(connection: HTTPConnection) -> tuple[int, Any]:
    with closing(connection):
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def _in_thread(work: Callable[[], None]) -> Any:
    import threading

    found = threading.Thread(target=work)
    found.start()
    return found
