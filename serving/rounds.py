"""Requests that come at the same time are answered in one round: read, scored, put into words and recorded together.

Of a single answer most is Python around short arrays, and what passes from thread to thread; a round pays for both
once, and for one commit. One thread makes the rounds, one after the other. Nobody waits for company that may come: a
round begins when the event loop has nothing more to read at once, and takes whoever is there. Each request succeeds or
fails on its own, and its numbers do not depend on its neighbours (tests hold them to 1e-12).

Requests that first look into the log (an Idempotency-Key), several therapies and large bodies go another way, in a
thread of their own (:mod:`serving.api`); the two ways give the same answer (tests/test_rounds.py).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from serving.asked import IDEMPOTENCY_KEY, asked_of
from serving.asking import Asking, answer_together, read_case_of, tried, wait_durable
from serving.audit.group_commit import MOST_WAITED_S, too_slow
from serving.deadline import check_deadline, time_left_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from serving.asking import Read
    from serving.audit.auditor import Auditor
    from serving.state import ServiceState

log = logging.getLogger("oncorespond.serving")

MOST_REQUESTS = 64
"""Requests after which a round is full: some 50 ms, so that nobody waits long for the round before."""

LOOKS = 3
"""Turns of the event loop in which nobody else came, after which a round begins: a request that has arrived is read
within two. A turn takes some 20 microseconds."""

SEVERAL = b'"therapies"'
"""What a body with several therapies holds."""

ESCAPED = b"\\u00"
"""What a body holds where it may write that key in other letters; JSON lets every letter be a number."""

MOST_BYTES = 64 * 1024
"""Of a body that is read in a round; a larger one would hold the others up."""


class Rounds:
    """Answers requests in rounds; what it returns is durable, and may be sent.

    Parameters
    ----------
    state
        What the routes stand on. The thread starts with the first request and ends with ``state.close()``.
    """

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._guard = threading.Lock()
        self._waiting: list[Asking] = []
        self._looked_at = False
        self._rounds: SimpleQueue[list[Asking] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @staticmethod
    def takes(request: Request, body: bytes) -> bool:
        """Return whether a request is answered in a round; see the head of this file."""
        several = SEVERAL in body or ESCAPED in body
        return len(body) <= MOST_BYTES and IDEMPOTENCY_KEY not in request.headers and not several

    async def answered(self, request: Request, body: bytes, read: Read) -> bytes:
        """Return the answer of one request as JSON, when it is in the log.

        Parameters
        ----------
        read
            Reads the case from the body.

        Raises
        ------
        Refusal
            Whatever ``read``, the predictor or the log say against it; DeadlineExceeded when its time is over.
        """
        loop = asyncio.get_running_loop()
        one = Asking(body, read, asked_of(request, body), loop, loop.create_future())
        check_deadline()
        with self._guard:
            self._waiting.append(one)
            self._look_soon()
        try:
            async with asyncio.timeout(min(MOST_WAITED_S, time_left_s())):
                content = await asyncio.shield(one.answer)
        except TimeoutError:
            content = await self._late(one)
        except asyncio.CancelledError:  # the server gives the request up; nobody would hear of a fault any more
            one.given_up = True
            one.answer.cancel()
            raise
        if one.entry is not None:
            self._state.metrics.count_answers([one.entry.answer])
        return content

    async def _late(self, one: Asking) -> bytes:
        """Give a request up, unless its records are being written: what is recorded as answered is answered."""
        with self._guard:
            one.given_up = one.unit is None or one.unit.done.cancel()
        if one.given_up:
            one.answer.cancel()
            check_deadline()
            raise too_slow()
        try:
            async with asyncio.timeout(MOST_WAITED_S):
                return await one.answer
        except TimeoutError:
            raise too_slow() from None

    def close(self) -> None:
        """End the thread when it has made the round that it is at."""
        with self._guard:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._rounds.put(None)
            thread.join(timeout=MOST_WAITED_S)

    def _look_soon(self) -> None:
        """Have the event loop look who waits, unless it does or a round is being made."""
        while self._waiting and not self._looked_at:
            try:
                self._waiting[0].loop.call_soon_threadsafe(self._look, 0, LOOKS)
                self._looked_at = True
            except RuntimeError:  # its event loop has ended, and nobody waits
                self._waiting.pop(0)

    def _look(self, seen: int, looks: int) -> None:
        """Begin a round with all who wait when nobody else comes any more."""
        with self._guard:
            count = len(self._waiting)
            if count < MOST_REQUESTS and (looks or count > seen):
                looks = LOOKS if count > seen else looks
                self._waiting[0].loop.call_soon(self._look, count, looks - 1)
                return
            if self._thread is None:
                self._start()
            present, self._waiting = self._waiting[:MOST_REQUESTS], self._waiting[MOST_REQUESTS:]
        self._rounds.put(present)

    def _start(self) -> None:
        """Start the thread; where the system gives none, the next request tries again."""
        thread = threading.Thread(target=self._run, name="rounds", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._looked_at = False
            raise
        self._thread = thread
        self._state.closing.append(self.close)

    def _run(self) -> None:
        while (present := self._rounds.get()) is not None:
            try:
                self._round(present)
            except BaseException as fault:  # the thread must live, and its callers must be told; a library's panic too
                log.error("round_fault %s", type(fault).__name__)
                told = fault if isinstance(fault, Exception) else RuntimeError(type(fault).__name__)
                for one in present:
                    one.fault = one.fault or told
            for one in present:
                with suppress(RuntimeError):  # its event loop has ended, and nobody waits
                    one.loop.call_soon_threadsafe(one.settle)
            with self._guard:
                self._looked_at = False
                self._look_soon()

    def _round(self, present: Sequence[Asking]) -> None:
        predictor, auditor = self._state.ready_predictor(), self._state.ready_auditor()
        read = [one for one in present if not one.given_up and tried(one, lambda one: read_case_of(one, predictor))]
        answer_together([one for one in read if not one.given_up], predictor)
        self._record([one for one in read if one.entry is not None], auditor)

    def _record(self, answered: Sequence[Asking], auditor: Auditor) -> None:
        sealed = [one for one in answered if not one.given_up and tried(one, lambda one: self._seal(one, auditor))]
        auditor.hand_over([one.unit for one in sealed if one.unit is not None])
        durable = partial(wait_durable, until=time.monotonic() + MOST_WAITED_S)
        for one in sealed:
            if one.unit is not None and one.entry is not None and tried(one, durable):
                auditor.tell_followers([one.entry])

    def _seal(self, one: Asking, auditor: Auditor) -> None:
        unit = auditor.unit_of([one.entry] if one.entry else [])
        with self._guard:
            one.unit = None if one.given_up else unit
