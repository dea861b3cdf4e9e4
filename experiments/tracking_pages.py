"""``oncorespond ui``: MLflow's own pages over the tracked runs, on this machine, gone when the command is."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import Refusal
from features.free_port import check_port

if TYPE_CHECKING:
    from collections.abc import Callable

DEMO_STORE = Path(".demo") / "mlflow.db"
"""Where ``oncorespond demo`` tracks its runs."""

SQLITE = "sqlite:///"

PATIENCE_S = 10.0
"""How long MLflow's processes may take to end before they are killed."""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Eight processes of 250 MB that run jobs on traces of language models: there are none here.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore",  # of MLflow's own libraries, once per process
}


class NoTrackedRuns(Refusal):
    """No store of runs is where it was looked for; looking makes none."""

    code = "no_tracked_runs"


def serve_tracking_pages(port: int, *, or_demo: bool, say: Callable[[str], Any]) -> int:
    """Serve MLflow's pages until interrupted or told to end.

    Parameters
    ----------
    port
        On 127.0.0.1.
    or_demo
        Where nothing was tracked here, show the runs of the demo.
    say
        Prints one line.

    Returns
    -------
    int
        MLflow's exit status; 0 where it was told to end.

    Raises
    ------
    NoTrackedRuns
        There is no store, and a page without a run would only puzzle.
    PortRefused
        Nothing can listen on the port.
    """
    store = tracked_store(or_demo=or_demo)
    check_port(port)
    # MLflow's pages open on traces of language models unless they are asked for training runs.
    say(f"Runs and models of {_shown(store)}: http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning")
    say("Ctrl-C stops.")
    words = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store, "--host", "127.0.0.1"]
    return _until_told([*words, "--port", str(port), "--workers", "1"])


def tracked_store(*, or_demo: bool) -> str:
    """Return the store to show: the site's own, or the demo's where there is no other and it is asked for."""
    from training.tracking import STORE_VARIABLE, store_uri

    own = store_uri()
    if not own.startswith(SQLITE) or _holds_runs(Path(own.removeprefix(SQLITE))):
        return own
    if or_demo and not os.environ.get(STORE_VARIABLE) and _holds_runs(DEMO_STORE):
        return f"{SQLITE}{DEMO_STORE.absolute()}"
    raise NoTrackedRuns(
        f"nothing was tracked in {_shown(own)}",
        way_out="Run `oncorespond train EXPERIMENT`, name another store with MLFLOW_TRACKING_URI, or go where the runs"
        " are; those of `make demo`: `oncorespond ui --or-demo`.",
    )


def _holds_runs(place: Path) -> bool:
    """Tell whether a SQLite file is a store with a run in it; a command that only looked for a run leaves it empty."""
    if not place.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{place.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            return opened.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return False


def _shown(store: str) -> str:
    """Return a store for people: a file by its short name, anything else without a password."""
    if store.startswith(SQLITE):
        return os.path.relpath(store.removeprefix(SQLITE))
    return store.rpartition("@")[2]


def _until_told(words: list[str]) -> int:
    """Run a server with its children in a group of their own, and end them all when this process is to end."""
    server = subprocess.Popen(words, env={**os.environ, **QUIET}, start_new_session=True)  # noqa: S603  # no shell

    def end(*_: object) -> None:
        _signal_group(server, signal.SIGTERM)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = server.wait()
    finally:
        _end_group(server)
        for number, handler in before.items():
            signal.signal(number, handler)
    return max(0, status)


def _end_group(server: subprocess.Popen[bytes]) -> None:
    _signal_group(server, signal.SIGTERM)
    try:
        server.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        _signal_group(server, signal.SIGKILL)


def _signal_group(server: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # all of them have ended
        os.killpg(server.pid, number)
