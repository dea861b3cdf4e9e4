"""A worker whose server was killed ends by itself, as after SIGTERM.

A server that ends in order stops its workers. One that is killed (SIGKILL, out of memory) cannot, and its workers would
go on to answer at the old address, with the old keys and settings, while a newly started service finds the port taken.
Every worker therefore looks whether its parent is still the server that started it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

log = logging.getLogger("oncorespond.serving")

SERVER = "ORP_SERVER_PID"
"""Set by the process that starts the workers, for them: its process id."""

LOOK_EVERY_S = 1.0
"""Seconds between two looks: one system call."""

DRAINED_S = 75.0
"""Seconds in which requests may drain; then the worker ends as it is. No supervisor is left that would do it."""


def note_server(environment: MutableMapping[str, str] = os.environ) -> None:
    """Say that this process is the one that starts the workers.

    Examples
    --------
    >>> told = {}
    >>> note_server(told)
    >>> told == {"ORP_SERVER_PID": str(os.getpid())}
    True
    """
    environment[SERVER] = str(os.getpid())


def end_with_server(
    environment: MutableMapping[str, str] = os.environ,
    end: Callable[[], None] | None = None,
    every_s: float = LOOK_EVERY_S,
) -> threading.Thread | None:
    """Follow the server from a thread, and end this worker when the server is gone.

    Parameters
    ----------
    environment
        Names the server; where it does not, or names this very process, nobody is followed.
    end
        Called once; by default SIGTERM to this process, which drains, and SIGKILL when that lasts too long.
    every_s
        Seconds between two looks.

    Returns
    -------
    Thread or None
        None when there is no server to follow: an application inside another program.
    """
    named = environment.get(SERVER, "")
    if not named.isdecimal() or int(named) == os.getpid():
        return None
    thread = threading.Thread(
        target=_follow, args=(int(named), end or _drain, every_s), name="server-follower", daemon=True
    )
    thread.start()
    return thread


def _follow(server: int, end: Callable[[], None], every_s: float) -> None:
    while os.getppid() == server:  # a process whose parent dies is given another one at once
        time.sleep(every_s)
    log.error("server_gone")
    end()


def _drain() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(DRAINED_S)  # a daemon thread: it does not keep a drained worker from ending
    log.error("not_drained")
    os.kill(os.getpid(), signal.SIGKILL)
