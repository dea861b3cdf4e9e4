"""The real service under load: what it acknowledged, and whether its log has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from serving.audit.reading import in_order
from serving.openapi import EXAMPLE_CASE
from tests.audit_log import open_log
from tests.audit_verdict import verdict_of
from tests.conftest import ROOT
from tests.service_process import Served

CONNECTIONS = 8

READ_S = 0.2
"""Seconds in which the load reads the answers that had left a killed service."""


def settings_in(folder: Path, url: str | None = None) -> dict[str, str]:
    """Return the variables of a service whose keys and log lie in a folder."""
    return {
        "ORP_KEYS": str(folder / "keys"),
        "ORP_DATABASE_URL": url or f"sqlite:///{folder / 'audit.db'}",
        "ORP_AUDIT_HEADS": str(folder / "audit.heads.jsonl"),
        "ORP_RATE_PER_SECOND": "100000",
    }


def loading(served: Served, folder: Path, ids: Path) -> subprocess.Popen[bytes]:
    """Start a load that writes the id of every answer, and goes on through lost connections until it is ended."""
    bodies = folder / "bodies.jsonl"
    bodies.write_text(json.dumps(EXAMPLE_CASE) + "\n")
    command = [sys.executable, "-m", "tests.http_load", str(served.port), "/predict", str(bodies), "--ids"]
    environment = {**os.environ, "LOAD_TOKEN": served.token}
    with ids.open("ab") as out:
        return subprocess.Popen(
            [*command, "--connections", str(CONNECTIONS)], cwd=ROOT, env=environment, stdout=out, stderr=out
        )


def ended(load: subprocess.Popen[bytes]) -> None:
    """End a load when it has read what was sent to it."""
    time.sleep(READ_S)
    load.kill()
    load.wait(timeout=30)


def acknowledged(ids: Path) -> list[str]:
    """Return the ids of the answers that reached the load."""
    return ids.read_text().split("\n")[:-1] if ids.exists() else []


def wait_for_more(ids: Path, than: int, seconds: float = 60.0) -> None:
    """Wait until more answers than so many have come."""
    until = time.monotonic() + seconds
    while len(acknowledged(ids)) <= than:
        assert time.monotonic() < until, "nothing is acknowledged"
        time.sleep(0.02)


def check_log(folder: Path, url: str | None, ids: Path) -> None:
    """Every acknowledged answer is in the log, once; chain, signatures and head file hold."""
    seen = acknowledged(ids)
    auditor = open_log(folder, url)
    verdict = verdict_of(auditor, heads=folder / "audit.heads.jsonl")
    logged = [row["record_id"] for block in in_order(auditor.database) for row in block]
    auditor.close()
    assert verdict.good, [problem.text for problem in verdict.problems][:10]
    assert sorted(set(seen) - set(logged)) == [], "acknowledged, and not in the log"
    assert len(set(logged)) == len(logged)
    assert len(set(seen)) == len(seen)
    print(f"\n{len(seen)} acknowledged, {len(logged)} in the log")
