"""An hour of load: memory stays flat, every answer is 200 and in the log; tokens that count once, under load.

Memory is that of the server and its worker together. The first sixth is warm-up: pools of threads and connections, the
allocator's arenas, and what is remembered of findings, up to its bound (``features/remembered.py``). No request repeats
a variant that is still remembered, so that what is remembered fills, and whatever grows with new patients shows.
``ORP_SOAK_SECONDS`` is the length (3,600). An hour writes some 3 GB of log.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from serving.audit.used_tokens import UsedTokens
from tests.audit_log import entry, open_log
from tests.audit_verdict import verdict_of
from tests.conftest import ROOT, SOAK
from tests.service_load import settings_in
from tests.service_process import Served, serving
from tests.service_throughput import bodies

SECONDS = float(os.environ.get("ORP_SOAK_SECONDS", "3600"))
SAMPLES = 120
WARM = 1 / 6
"""Share of the time that is warm-up: ten minutes of an hour."""

FLAT = 1.05
"""Largest over smallest memory, once warm."""

CONNECTIONS = 6
DIFFERENT_CASES = 20_000
NEW_VARIANTS = 8
"""Of each case: 160,000 in all, more than are remembered (16,384), so that each is new whenever it comes."""

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"

TOKENS = 200 if SOAK else 20


def _resident(served: Served) -> float:
    """Return the memory of the service, MB: server and worker."""
    return float(sum(one.memory_info().rss for one in served.tree())) / 2**20


def _never_seen(folder: Path) -> Path:
    """Write invented cases with variants that nobody has seen, as JSON lines."""
    chance, path = random.Random(5), folder / "bodies.jsonl"  # noqa: S311
    drawn = [json.loads(line) for line in bodies(folder, 1000).read_text().splitlines()]
    names = sorted({one["gene"] for case in drawn for one in case.get("alterations") or []})
    with path.open("w") as lines:
        for place in range(DIFFERENT_CASES):
            case = drawn[place % len(drawn)]
            new = [_variant(chance, names) for _ in range(NEW_VARIANTS)]
            lines.write(json.dumps({**case, "alterations": [*(case.get("alterations") or []), *new]}) + "\n")
    return path


def _variant(chance: random.Random, names: list[str]) -> dict[str, str]:
    before, after = chance.sample(AMINO_ACIDS, 2)
    change = f"p.{before}{chance.randrange(2, 3000)}{after}"
    return {"gene": chance.choice(names), "kind": "mutation", "protein_change": change}


def _load(served: Served, requests: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.http_load", str(served.port), "/predict", str(requests)]
    return subprocess.Popen(
        [*command, "--seconds", str(SECONDS), "--connections", str(CONNECTIONS)],
        cwd=ROOT,
        env={**os.environ, "LOAD_TOKEN": served.token},
        stdout=subprocess.PIPE,
    )


def _sampled(served: Served, load: subprocess.Popen[bytes]) -> list[float]:
    found: list[float] = []
    while load.poll() is None:
        time.sleep(SECONDS / SAMPLES)
        found.append(_resident(served))
        print(f"{len(found) * SECONDS / SAMPLES / 60:.1f} min {found[-1]:.1f} MB", flush=True)
    return found


@pytest.mark.soak
def test_memory_is_flat_under_load(served_models: Path, tmp_path: Path) -> None:
    requests = _never_seen(tmp_path)
    with serving(tmp_path, served_models, "--workers", "1", **settings_in(tmp_path)) as served:
        load = _load(served, requests)
        resident = _sampled(served, load)
        told = json.loads(load.communicate(timeout=60)[0])
    warm = resident[int(len(resident) * WARM) :]
    print(told)
    print(f"warm: {min(warm):.1f} to {max(warm):.1f} MB, {max(warm) / min(warm):.4f}")
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
    used, ended = UsedTokens(auditor.database), threading.Event()
    came_in: list[int] = []

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
