"""The real service with two workers: newly promoted models take over under load, and no request is dropped."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from models.artifact import save_artifact
from models.pointer import promote
from serving.audit.reading import in_order
from serving.openapi import EXAMPLE_CASE
from tests.audit_log import open_log
from tests.audit_verdict import verdict_of
from tests.conftest import SOAK
from tests.served import fit_small
from tests.service_process import Served, asked, serving

NAME = "checkpoint-response"
WORKERS = 2
SWAPS = 20 if SOAK else 1
CLIENTS = 4
SWAPPED_WITHIN_S = 180.0


class Clients:
    """Several who ask without a pause; every request is kept, whatever became of it."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._ended = threading.Event()
        self.answers: list[tuple[int, Any]] = []
        self.faults: list[str] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for one in self._threads:
            one.start()

    def _ask(self) -> None:
        while not self._ended.is_set():
            try:
                self.answers.append(asked(self._served.address, "/predict", self._served.token, EXAMPLE_CASE))
            except (OSError, ValueError) as fault:
                self.faults.append(repr(fault))

    def end(self) -> None:
        self._ended.set()
        for one in self._threads:
            one.join(timeout=60)


def _told(log: Path) -> list[dict[str, Any]]:
    """Return what the workers said of swaps."""
    lines = [line for line in log.read_text().splitlines() if '"model_swapped"' in line]
    return [json.loads(line) for line in lines]


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + SWAPPED_WITHIN_S
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.slow
def test_two_workers_swap_under_load_and_drop_no_request(served_models: Path, tmp_path: Path) -> None:
    models = Path(shutil.copytree(served_models, tmp_path / "served-models"))
    save_artifact(fit_small("checkpoint", cases=300, seed=8), tmp_path / "second")
    first = json.loads((models / f"{NAME}.json").read_text())["digest"]
    artefacts = [tmp_path / "second", models / f"{NAME}-1"]
    digests = [first]
    with serving(tmp_path, models, "--workers", str(WORKERS), ORP_RATE_PER_SECOND="100000") as served:
        clients = Clients(served)
        try:
            _until(lambda: len(clients.answers) > 3 * CLIENTS)
            for swap in range(SWAPS):
                digests.append(promote(artefacts[swap % 2], models, NAME, str(swap + 2)).digest)
                _until(lambda swap=swap: len(_told(tmp_path / "log.txt")) == WORKERS * (swap + 1))  # type: ignore[misc]
                seen = len(clients.answers)
                _until(lambda seen=seen: len(clients.answers) > seen + 3 * CLIENTS)  # type: ignore[misc]
        finally:
            clients.end()
        assert len(served.workers()) == WORKERS
    assert clients.faults == []
    assert {status for status, _ in clients.answers} == {200}
    assert {answer["model"]["digest"] for _, answer in clients.answers} == set(digests)
    assert len(set(digests)) == 2
    told = [(one["before"], one["digest"]) for one in _told(tmp_path / "log.txt")]
    assert sorted(told) == sorted(WORKERS * list(pairwise(digests)))
    _check_log(tmp_path, clients.answers)


def _check_log(folder: Path, answers: list[tuple[int, Any]]) -> None:
    """Every answer is in the log with the model that gave it, and the chain holds."""
    auditor = open_log(folder, f"sqlite:///{folder / 'audit' / 'audit.db'}")
    rows = [row for block in in_order(auditor.database) for row in block]
    assert verdict_of(auditor).good
    auditor.close()
    logged = {row["record_id"]: row["model_digest"] for row in rows}
    assert logged == {answer["prediction_id"]: answer["model"]["digest"] for _, answer in answers}
