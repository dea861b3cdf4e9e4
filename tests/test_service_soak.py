"""An hour of load: memory stays flat, every answer is 200 and in the log; tokens that count once, under load.

``ORP_SOAK_SECONDS`` is the length (3,600); below 180 all of it is warming up. An hour writes about 2 GB of log.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from serving.audit.used_tokens import UsedTokens
from tests.audit_log import entry, open_log
from tests.audit_verdict import verdict_of
from tests.conftest import ROOT, SOAK
from tests.service_process import serving
from tests.service_throughput import bodies

SECONDS = float(os.environ.get("ORP_SOAK_SECONDS", "3600"))
SAMPLES = 60
FLAT = 1.05
"""Largest over smallest memory, once warm."""

TOKENS = 200 if SOAK else 20


def _resident(tree: psutil.Process) -> int:
    return sum(one.memory_info().rss for one in (tree, *tree.children(recursive=True)))


@pytest.mark.soak
def test_memory_is_flat_under_load(served_models: Path, tmp_path: Path) -> None:
    settings = {
        "ORP_KEYS": str(tmp_path / "keys"),
        "ORP_DATABASE_URL": f"sqlite:///{tmp_path / 'audit.db'}",
        "ORP_AUDIT_HEADS": str(tmp_path / "audit.heads.jsonl"),
        "ORP_RATE_PER_SECOND": "100000",
    }
    with serving(tmp_path, served_models, "--workers", "1", **settings) as served:
        command = [sys.executable, "-m", "tests.http_load", str(served.port), "/predict", str(bodies(tmp_path, 1000))]
        load = subprocess.Popen(
            [*command, "--seconds", str(SECONDS)],
            cwd=ROOT,
            env={**os.environ, "LOAD_TOKEN": served.token},
            stdout=subprocess.PIPE,
        )
        tree, resident = psutil.Process(served.process.pid), []
        while load.poll() is None:
            time.sleep(SECONDS / SAMPLES)
            resident.append(_resident(tree) / 2**20)
        told = json.loads(load.communicate(timeout=60)[0])
    print("\nMB by sample:", [round(one) for one in resident])
    print(told)
    warm = resident[len(resident) // 4 :]
    assert set(told["statuses"]) == {"200"}
    assert told["lost"] == 0
    assert max(warm) / min(warm) < FLAT, [round(one) for one in resident]
    auditor = open_log(tmp_path)
    verdict = verdict_of(auditor, heads=tmp_path / "audit.heads.jsonl")
    auditor.close()
    assert verdict.good
    assert verdict.records == told["requests"]


def test_tokens_count_once_while_the_log_is_written(tmp_path: Path, address: str) -> None:
    """Several threads with each token, beside others that record: one comes in, and nothing waits for ever."""
    auditor = open_log(tmp_path, address)
    used, came_in, ended = UsedTokens(auditor.database), [], threading.Event()

    def claim() -> None:
        ends = time.time() + 300
        came_in.extend(n for n in range(TOKENS) if used.claim("https://ehr.hospital.example", f"jti-{n}", ends))

    def record() -> None:
        while not ended.is_set():
            auditor.record_prediction(entry())

    claiming = [threading.Thread(target=claim) for _ in range(4)]
    recording = [threading.Thread(target=record) for _ in range(2)]
    for one in (*claiming, *recording):
        one.start()
    for one in claiming:
        one.join(timeout=120)
    ended.set()
    for one in recording:
        one.join(timeout=120)
    assert sorted(came_in) == list(range(TOKENS))
    assert verdict_of(auditor).good
    auditor.close()
