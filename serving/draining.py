"""Draining: from the moment that a worker is asked to stop, every answer is the last one of its connection.

The server closes the connections that it knows of when it stops; one that is taken in that very moment would be kept,
and a client that asks on it without a pause would keep the worker from ending. Such a client is told to go elsewhere.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

from serving.security.asgi import as_answer_begins, headed

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSE = ((b"connection", b"close"),)
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Draining:
    """Whether this process has been asked to stop."""

    def __init__(self) -> None:
        self._begun = False  # no Event: a second signal within the first would wait for its lock for ever

    @property
    def begun(self) -> bool:
        """Whether it has."""
        return self._begun

    def begin(self) -> None:
        """Say that it has."""
        self._begun = True

    def follow_signals(self) -> None:
        """Hear the signals that the server stops at; what handles them goes on to. In the main thread alone."""
        if threading.current_thread() is not threading.main_thread():
            return
        for one in SIGNALS:
            handler = signal.getsignal(one)
            if callable(handler):
                signal.signal(one, self._heard_before(handler))

    def _heard_before(self, handler: Any) -> Any:
        def heard(number: int, frame: Any) -> None:
            self.begin()
            handler(number, frame)

        return heard


class LastAnswers:
    """ASGI: closes the connection with each answer once draining has begun.

    Parameters
    ----------
    app
        What answers.
    draining
        Of this process.
    """

    def __init__(self, app: ASGIApp, draining: Draining) -> None:
        self._app = app
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; it is looked at when the answer begins, not when the request came."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        def told(start: Message) -> Message:
            return headed(start, CLOSE) if self._draining.begun else start

        await self._app(scope, receive, as_answer_begins(send, told))
