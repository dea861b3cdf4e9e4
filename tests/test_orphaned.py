"""A worker follows the process that started it, and no other."""

from __future__ import annotations

import os
import threading

from serving.orphaned import SERVER, end_with_server, note_server

NOBODY = str(2**31 - 1)
"""No process id: above Linux's largest (PID_MAX_LIMIT, 2**22). A number near our own may be our own."""


def test_a_worker_without_its_server_is_ended() -> None:
    ended = threading.Event()
    thread = end_with_server({SERVER: NOBODY}, ended.set, every_s=0.01)
    assert thread is not None
    assert ended.wait(10)


def test_while_the_server_lives_nothing_is_ended() -> None:
    ended = threading.Event()
    thread = end_with_server({SERVER: str(os.getppid())}, ended.set, every_s=0.05)
    assert thread is not None
    assert not ended.wait(0.2)
    assert thread.is_alive()


def test_who_is_no_worker_follows_nobody() -> None:
    own: dict[str, str] = {}
    note_server(own)
    assert end_with_server(own) is None, "the server itself"
    assert end_with_server({}) is None, "an application inside another program"
