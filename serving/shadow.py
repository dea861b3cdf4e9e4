"""Shadow mode: a challenger answers the same cases off the answer path; its answers are records beside, sent to nobody.

Predictions are offered when they are durable, and never waited for: behind a bounded queue one thread scores them with
the challenger of their family and records the answers as ``shadow``, ``about`` the prediction that was sent. What finds
the queue full is dropped and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING

from features.from_cases import batch_of
from models.answer import answer_of
from serving.audit.entries import PredictionEntry
from serving.audit.recorded import known_features
from serving.identifiers import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from features.case import Case
    from models.response import ResponseModel
    from serving.audit.auditor import Auditor
    from serving.metrics import ServiceMetrics

log = logging.getLogger("oncorespond.serving")

MOST_WAITING = 1_000
"""Cases that wait for their challenger; a case has some kilobytes."""

BLOCK = 20
"""Cases scored and recorded at a time: answers wait behind at most so many for the interpreter's lock."""

LAST_S = 5.0
"""Seconds in which what waits is still answered when the service stops."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A recorded prediction as its challenger needs it."""

    case: Case
    prediction_id: str
    family: str
    caller: str
    place: int
    route: str | None


class Shadow:
    """The queue and the thread of one worker.

    Parameters
    ----------
    auditor
        Takes the challenger's answers.
    challengers
        Called when a case is offered and when it is scored: family to model.
    metrics
        Counts answers and what was dropped.
    most_waiting
        Length of the queue.
    """

    def __init__(
        self,
        auditor: Auditor,
        challengers: Callable[[], Mapping[str, ResponseModel]],
        metrics: ServiceMetrics,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._auditor = auditor
        self._challengers = challengers
        self._metrics = metrics
        self._queue: Queue[Offered] = Queue(most_waiting)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> Shadow:
        """Start the thread."""
        self._thread.start()
        return self

    def offer(self, entries: Sequence[PredictionEntry]) -> None:
        """Take recorded predictions whose family has a challenger; never waits."""
        challengers = self._challengers()
        if not challengers:
            return
        for entry in entries:
            if entry.family in challengers and entry.shadow_of is None:
                self._put(entry)

    def _put(self, entry: PredictionEntry) -> None:
        identity = str(entry.answer["prediction_id"])
        offered = Offered(entry.case, identity, entry.family, entry.caller, entry.place, entry.route)
        try:
            self._queue.put_nowait(offered)
        except Full:
            self._metrics.count_shadow_dropped("queue_full", 1)

    def close(self, last_s: float = LAST_S) -> None:
        """Answer what waits for a few seconds, count the rest as dropped, and end; call it before the log is closed."""
        until = time.monotonic() + last_s
        while not self._queue.empty() and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.02)
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
        self._metrics.count_shadow_dropped("stopping", self._queue.qsize())

    def _run(self) -> None:
        while not self._stop.is_set():
            waiting = self._taken()
            for family in dict.fromkeys(one.family for one in waiting):
                of_family = [one for one in waiting if one.family == family]
                try:
                    self._answer(family, of_family)
                except Exception as fault:  # no answer of the service may hang on a challenger
                    log.error("shadow_fault", extra={"fault": type(fault).__name__, "count": len(of_family)})
                    self._metrics.count_shadow_dropped("failed", len(of_family))

    def _taken(self) -> list[Offered]:
        found: list[Offered] = []
        try:
            found.append(self._queue.get(timeout=0.2))
            while len(found) < BLOCK:
                found.append(self._queue.get_nowait())
        except Empty:
            pass
        return found

    def _answer(self, family: str, offered: Sequence[Offered]) -> None:
        model = self._challengers().get(family)
        if model is None:  # withdrawn meanwhile
            self._metrics.count_shadow_dropped("withdrawn", len(offered))
            return
        began = time.perf_counter()
        answers = model.answers(batch_of([one.case for one in offered]))
        made = [answer_of(answers, row, new_id()) for row in range(len(offered))]
        each_ms = 1000 * (time.perf_counter() - began) / len(offered)
        entries = [
            PredictionEntry(
                one.case,
                answer,
                family,
                one.caller,
                each_ms,
                features=known_features(answers, row),
                place=one.place,
                shadow_of=one.prediction_id,
                route=one.route,
            )
            for row, (one, answer) in enumerate(zip(offered, made, strict=True))
        ]
        self._auditor.record_predictions(entries)
        self._metrics.count_shadow_answers(model.identity.name, len(entries))
