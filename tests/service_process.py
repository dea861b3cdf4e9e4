"""The service as people start it, in a process group of its own: started, asked, stopped or killed."""

from __future__ import annotations

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

COMMAND = [str(Path(sys.executable).parent / "oncorespond")]

WORKER = "_bentoml_impl.worker.service"
"""Among the words that a worker was started with."""

STARTED_WITHIN_S = 240.0
"""Seconds; two workers on two busy cores."""


def environment_of(models: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORP_")}
    return {**kept, "ORP_MODELS": str(models), **more}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Served:
    """One running service."""

    port: int
    token: str
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            return asked(self.address, "/readyz")[0] == 200
        return False

    def wait_ready(self, seconds: float = STARTED_WITHIN_S) -> None:
        until = time.monotonic() + seconds
        while not self.ready():
            assert self.process.poll() is None, (self.folder / "log.txt").read_text()[-3000:]
            assert time.monotonic() < until, (self.folder / "log.txt").read_text()[-3000:]
            time.sleep(0.2)

    def tree(self) -> list[psutil.Process]:
        """Return the server and its workers, which lead sessions of their own: no signal to a group finds them."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer."""
        return [one for one in self.tree()[1:] if WORKER in one.cmdline()]

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
        return self.process.wait(timeout=90)


def started(folder: Path, models: Path, *words: str, **more: str) -> Served:
    """Start the service with a token of this one run; return when it is ready."""
    port, out = free_port(), folder / "out.txt"
    with out.open("w") as told, (folder / "log.txt").open("a") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--dev", "--synthetic", "--port", str(port), *words],
            cwd=folder,
            env=environment_of(models, **more),
            stdout=told,
            stderr=log,
            start_new_session=True,
        )
    served = Served(port, "", process, folder)
    try:
        served.wait_ready()
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
