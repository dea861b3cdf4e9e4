"""``oncorespond ui`` and ``serve``: the right store, a port that is free, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from experiments.tracking_pages import NoTrackedRuns, serve_tracking_pages, tracked_store
from features.free_port import PortRefused, check_port
from tests.ports import HOST, free_port


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the working directory, with no store named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def _made(store: Path, runs: int = 1) -> None:
    store.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(store)) as made:
        made.execute("CREATE TABLE IF NOT EXISTS runs (run_uuid TEXT)")
        made.executemany("INSERT INTO runs VALUES (?)", [(str(k),) for k in range(runs)])
        made.commit()


def test_the_runs_of_the_demo_are_shown_where_there_are_no_others(nowhere: Path) -> None:
    _made(nowhere / ".demo" / "mlflow.db")
    assert tracked_store(or_demo=True).endswith(".demo/mlflow.db")
    _made(nowhere / "runs" / "mlflow.db", runs=0)
    assert tracked_store(or_demo=True).endswith(".demo/mlflow.db"), "a store without a run is none"
    _made(nowhere / "runs" / "mlflow.db")
    assert tracked_store(or_demo=True).endswith("runs/mlflow.db")


def test_no_page_without_runs_is_opened(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoTrackedRuns, match=r"nothing was tracked in runs/mlflow\.db.*oncorespond train"):
        serve_tracking_pages(5001, or_demo=True, say=print)
    _made(nowhere / ".demo" / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere/mlflow.db")
    with pytest.raises(NoTrackedRuns, match=r"elsewhere/mlflow\.db"):
        tracked_store(or_demo=True)


def test_a_port_that_is_taken_is_said_in_words(nowhere: Path) -> None:
    _made(nowhere / "runs" / "mlflow.db")
    port = free_port()
    with socket.create_server((HOST, port)):
        with pytest.raises(PortRefused, match=f"another program listens on port {port}.*--port"):
            check_port(port)
        with pytest.raises(PortRefused):
            serve_tracking_pages(port, or_demo=False, say=print)
    check_port(port)


@pytest.mark.parametrize("port", [-1, 0, 65536, 70000])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(PortRefused, match="1 to 65535"):
        check_port(port)


PARENT = """
import sys
from experiments.tracking_pages import _until_told
child = "import subprocess, sys, time; " \\
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)']).pid, flush=True); time.sleep(120)"
sys.exit(_until_told([sys.executable, "-c", child]))
"""


def test_the_processes_of_a_server_end_with_the_command() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        grandchild = int(command.stdout.readline())
        os.kill(grandchild, 0)
        command.send_signal(signal.SIGTERM)
        assert command.wait(120) == 0
    assert _gone(grandchild), "a process that the server had started is still there"


def _gone(process: int, within_s: float = 60.0) -> bool:
    """Return whether a process has ended; where nobody asks for its status it stays listed as Z, and that counts."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
