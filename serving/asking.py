"""One request of a round: what it asked, and what became of it; and each step of a round, tried for one alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from serving.audit.group_commit import too_slow
from serving.audit.recorded import entries_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from features.case import Case
    from serving.audit.entries import PredictionEntry
    from serving.audit.group_commit import Unit
    from serving.audit.recorded import Asked
    from serving.predictor import Predictor, Scored

    Read = Callable[[bytes], Case]


@dataclass(eq=False)
class Asking:
    """One request of a round, and what became of it."""

    body: bytes
    read: Read
    asked: Asked
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[bytes]
    case: Case | None = None
    entry: PredictionEntry | None = None
    unit: Unit | None = None
    given_up: bool = False
    fault: BaseException | None = None

    def settle(self) -> None:
        """Tell the request, in its event loop, what became of it."""
        if self.answer.done():
            return
        if self.fault is None and self.entry is not None:
            self.answer.set_result(self.entry.text(self.entry.case.case_id))
        else:
            self.answer.set_exception(self.fault or RuntimeError("a round ended without an answer"))


def tried(one: Asking, work: Callable[[Asking], None]) -> bool:
    """Do something for one request; should it fail, that is the answer of this one alone."""
    try:
        work(one)
    except Exception as fault:
        one.fault = fault
        return False
    return True


def read_case_of(one: Asking, predictor: Predictor) -> None:
    """Read the case of one request, and refuse a therapy that no model judges."""
    one.case = one.read(one.body)
    predictor.model_for(one.case)


def answer_together(asking: Sequence[Asking], predictor: Predictor) -> None:
    """Score the cases of all; should that fail, those of each request alone, so that only one fails."""
    try:
        scored = predictor.scored([one.case for one in asking if one.case is not None])
    except Exception as fault:
        for one in asking:
            if len(asking) > 1:
                answer_together([one], predictor)
            else:
                one.fault = fault
        return
    for one, answer in zip(asking, scored, strict=True):
        tried(one, partial(_worded, answer=answer))


def _worded(one: Asking, answer: Scored) -> None:
    if one.case is not None:
        [one.entry] = entries_of([(0, one.case)], [answer], one.asked)


def wait_durable(one: Asking, until: float) -> None:
    """Wait until the records of one request are durable; CancelledError for one that was given up: it has none.

    Parameters
    ----------
    until
        On the clock of ``time.monotonic``: one end of waiting for all of a round.
    """
    if one.unit is not None:
        try:
            one.unit.done.result(timeout=max(0.0, until - time.monotonic()))
        except TimeoutError:
            raise too_slow() from None
