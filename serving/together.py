"""Requests that come at the same time are scored as one batch.

Sixteen cases scored together cost a quarter of sixteen cases scored one by one (most of a single case is Python around
short arrays), and threads that would fight for the interpreter wait instead. Nobody waits for company: whoever finds
nobody scoring scores at once; who comes meanwhile is scored in the next round. The numbers of a case do not depend on
its neighbours (tests hold batch and single to 1e-12).
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from features.case import Case
    from models.response import Answers

MOST_CASES = 64
"""Cases after which a round is full: about 15 ms, so that nobody waits long for the round before."""


class _Waiting:
    """One caller's cases, and what became of them."""

    __slots__ = ("answers", "cases", "done", "fault", "first", "woken")

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = cases
        self.woken = threading.Event()
        self.done = False
        self.answers: Answers | None = None
        self.first = 0
        self.fault: BaseException | None = None

    def result(self) -> tuple[Answers, int]:
        if self.fault is not None:
            raise self.fault
        if self.answers is None:  # never: who is done has one or the other
            raise RuntimeError("a round ended without an answer")
        return self.answers, self.first


class ScoredTogether:
    """Scores the cases of concurrent callers in rounds.

    Parameters
    ----------
    score
        Scores cases as one batch. When a round of several callers fails, each is scored alone, so that the fault of
        one reaches nobody else.
    """

    def __init__(self, score: Callable[[Sequence[Case]], Answers]) -> None:
        self._score = score
        self._guard = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._busy = False

    def __call__(self, cases: Sequence[Case]) -> tuple[Answers, int]:
        """Return the scored batch that holds these cases, and the row of the first of them.

        Raises
        ------
        Exception
            Whatever ``score`` raises for these cases alone.
        """
        mine = _Waiting(cases)
        with self._guard:
            self._waiting.append(mine)
            leads, self._busy = not self._busy, True
        if not leads:
            mine.woken.wait()
        if not mine.done:  # first here, or next in line
            self._round()
        return mine.result()

    def _round(self) -> None:
        """Score everybody who waits, the caller first; then wake them, and whoever leads the next round."""
        present: list[_Waiting] = []
        try:
            with self._guard:
                count = 0
                while self._waiting and (not present or count + len(self._waiting[0].cases) <= MOST_CASES):
                    present.append(self._waiting.popleft())
                    count += len(present[-1].cases)
            self._scored(present)
        finally:
            with self._guard:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            for one in present:
                one.done = True
                one.woken.set()
            if following is not None:
                following.woken.set()

    def _scored(self, present: Sequence[_Waiting]) -> None:
        try:
            answers = self._score([case for one in present for case in one.cases])
        except BaseException as fault:
            for one in present:
                if len(present) > 1:
                    self._scored([one])
                else:
                    one.fault = fault
            return
        first = 0
        for one in present:
            one.answers, one.first = answers, first
            first += len(one.cases)
