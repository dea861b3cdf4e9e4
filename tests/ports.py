"""Ports and servers for the tests: none that a connection, or another worker of the test run, takes meanwhile."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from typing import Any

HOST = "127.0.0.1"

FIRST, OF_A_WORKER = 20_000, 1_000
"""Below what systems give to outgoing connections (Linux: from 32768; macOS: from 49152), a share for each worker of
pytest-xdist. A port that the system picked (port 0) is anybody's again until the server listens, seconds later."""

STARTED_WITHIN_S = 60.0


def _own_share() -> Iterator[int]:
    worker = int("".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", ""))) or 0) % 10
    share = range(FIRST + OF_A_WORKER * worker, FIRST + OF_A_WORKER * (worker + 1))
    begin = os.getpid() % OF_A_WORKER  # two test runs on one machine begin at different places
    return islice(cycle(share), begin, None)


_ports = _own_share()


def free_port() -> int:
    """Return a port that nobody listens on, another one with each call: for a server of a process of its own."""
    for port in islice(_ports, OF_A_WORKER):
        with socket.socket() as tried, suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((HOST, port))
            return port
    raise AssertionError(f"somebody listens on all ports from {FIRST}")


def listener() -> socket.socket:
    """Return a socket that listens already, so that nobody can take its port: for a server of this process."""
    return socket.create_server((HOST, 0))


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


@contextmanager
def running(app: Any, listening: socket.socket) -> Iterator[None]:
    """Serve an application of this process while a test asks it."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    until = time.monotonic() + STARTED_WITHIN_S
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < until, "the server did not start in time"
        time.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()
