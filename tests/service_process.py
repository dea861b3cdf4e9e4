"""The service as people start it, in a process group of its own: started, asked, stopped or killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.ports import free_port

COMMAND = [str(Path(sys.executable).parent / "oncorespond")]

WORKER = "_bentoml_impl.worker.service"
"""Among the words that a worker was started with."""

STARTED_WITHIN_S = 240.0
"""Seconds; two workers on two busy cores."""

ENDED_WITHIN_S = 120.0
"""Seconds; a worker drains for 75 at most (serving/orphaned.py)."""


def environment_of(models: Path, **more: str) -> dict[str, str]:
    """Return this environment without our variables, BentoML's folder beside the models: a home may not be written."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORP_")}
    return {**kept, "ORP_MODELS": str(models), "BENTOML_HOME": str(models.parent / "bentoml"), **more}


@dataclass
class Served:
    """One running service."""

    port: int
    token: str
    process: subprocess.Popen[bytes]
    folder: Path
    said_before: int = 0
    """Bytes of the log that another run wrote."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return asked(self.address, "/readyz")[0] == 200
        return False

    def wait_ready(self, seconds: float = STARTED_WITHIN_S) -> None:
        until = time.monotonic() + seconds
        while not self.ready():
            assert self.process.poll() is None, (self.folder / "log.txt").read_text()[-3000:]
            assert time.monotonic() < until, (self.folder / "log.txt").read_text()[-3000:]
            time.sleep(0.2)

    def wait_workers(self, count: int, seconds: float = STARTED_WITHIN_S) -> None:
        """Wait until so many workers have started: the service is ready when the first of them is."""
        until, log = time.monotonic() + seconds, self.folder / "log.txt"
        while (found := log.read_bytes()[self.said_before :].count(b'"worker_started"')) != count:
            assert self.process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < until, f"{found} workers have started in place of {count}"
            time.sleep(0.05)

    def tree(self) -> list[psutil.Process]:
        """Return the server and its workers, which lead sessions of their own: no signal to a group finds them."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer."""
        return [one for one in self.tree()[1:] if WORKER in _words_of(one)]

    def kill(self) -> None:
        """End every process of the service at once, as a power cut would."""
        tree = self.tree()
        for one in tree:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.wait(timeout=30)
        assert psutil.wait_procs(tree, timeout=30)[1] == [], "they did not die"

    def listens(self) -> bool:
        """Tell whether anybody takes connections at the service's address."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False

    def stop(self) -> int:
        """Ask the service to end, and wait for it."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=ENDED_WITHIN_S)


def _words_of(process: psutil.Process) -> list[str]:
    """Return what a process was started with; nothing of one that has just ended."""
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def started(folder: Path, models: Path, *words: str, **more: str) -> Served:
    """Start the service with a token of this one run; return when all its workers are ready."""
    port, out = free_port(), folder / "out.txt"
    with out.open("w") as told, (folder / "log.txt").open("a") as log:
        said_before = log.tell()
        process = subprocess.Popen(
            [*COMMAND, "serve", "--dev", "--synthetic", "--port", str(port), *words],
            cwd=folder,
            env=environment_of(models, **more),
            stdout=told,
            stderr=log,
            start_new_session=True,
        )
    served = Served(port, "", process, folder, said_before)
    try:
        served.wait_ready()
        served.wait_workers(int(words[words.index("--workers") + 1]) if "--workers" in words else 1)
        served.token = next(line for line in out.read_text().splitlines() if line.startswith("dev_"))
    except BaseException:
        served.kill()
        raise
    return served


@contextmanager
def serving(folder: Path, models: Path, *words: str, **more: str) -> Iterator[Served]:
    """Serve until the block ends."""
    served = started(folder, models, *words, **more)
    try:
        yield served
        if served.process.poll() is None:
            served.stop()
    finally:
        served.kill()


def asked(address: str, path: str, token: str = "", body: Any = None, **headers: str) -> tuple[int, Any]:
    """Return status and JSON of one request."""
    sent = {"authorization": f"Bearer {token}", "content-type": "application/json", **headers}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data=data, headers=sent if token else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())
