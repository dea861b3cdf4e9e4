"""The BentoML service: ``bentoml serve serving.service:ResponseService``, and what a Bento carries.

Only this file knows BentoML. The routes are ours (:mod:`serving.api`) and stand before BentoML's, so that every address
has one error shape and none of BentoML's pages; its own client keeps ``/bento/predict``, which is a route of ours, and
``/schema.json``. The door (:mod:`serving.security.middleware`) stands before all of them.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# BentoML's own spans hold addresses with their queries, and cost a twentieth of an answer's CPU: serving/tracing.py
os.environ.setdefault("BENTOML_CONFIG_OPTIONS", 'tracing.excluded_urls=".*"')

import bentoml

from features.errors import Refusal
from serving.adapters import told_clinically
from serving.api import create_app
from serving.deadline import site_deadline_s
from serving.draining import Draining, LastAnswers
from serving.errors import NotReady
from serving.logs import log_as_json
from serving.metrics import ServiceMetrics
from serving.observed import ObservedRequests
from serving.orphaned import end_with_server, note_server
from serving.security.asgi import send_refusal
from serving.security.middleware import SecurityMiddleware
from serving.served_models import models_folder, synthetic_allowed
from serving.state import ServiceState
from serving.tracing import traced
from serving.worker import LOOKED, Worker, acknowledged_by

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from serving.security.gatekeeper import Gatekeeper

log = logging.getLogger("oncorespond.serving")

HOST, PORT = "127.0.0.1", 3000

AFTER_DEADLINE_S = 30.0
"""Seconds after our own deadline at which BentoML gives a request up: never, unless something hangs."""

COLLECTED_AFTER = (50_000, 20, 50)
"""Objects after which the collector looks for cycles. An answer is some 2,000 objects that end without it; to look
after every 700, as Python does by default, takes a fifth of an answer's CPU (measured)."""

_worker: list[Worker] = []
"""The one worker of this process; empty until its models are loaded, its log is open and its door stands."""


def _gatekeeper() -> Gatekeeper:
    if not _worker:
        raise NotReady("the service is starting")
    return _worker[0].gatekeeper


metrics, draining = ServiceMetrics(), Draining()
state = ServiceState(
    predictor=lambda: _worker[0].predictor if _worker else None,
    auditor=lambda: _worker[0].auditor if _worker else None,
    metrics=metrics,
    gatekeeper=_gatekeeper,
    acknowledged_by=acknowledged_by(),
    remark=lambda: _worker[0].models.remark if _worker else None,
)
app = create_app(state)

BENTO_PATHS = ("/schema.json",)
"""What is left to BentoML: its own client asks for it."""


class OwnRoutesFirst:
    """ASGI: the door, then our application; BentoML answers the few paths of its client."""

    def __init__(self, bento: ASGIApp) -> None:
        log_as_json()  # the server makes this before the service
        self.bento = bento
        observed = ObservedRequests(told_clinically(self._guarded, state), metrics)
        self._answers = LastAnswers(traced(observed, state.closing), draining)
        self._door: SecurityMiddleware | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer whoever comes through the door; the server's own start and stop pass by it."""
        await (self.bento if scope["type"] == "lifespan" else self._answers)(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _worker:
            await send_refusal(send, NotReady("the service is starting or stopping"), scope["state"]["request_id"])
            return
        self._door = self._door or SecurityMiddleware(self._route, _gatekeeper())
        await self._door(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.bento if scope["path"] in BENTO_PATHS else app)(scope, receive, send)


def _started() -> Worker:
    """Start the worker, or say in words why not: no patient is concerned yet, and the log has codes alone."""
    try:
        return Worker.start(models_folder(), synthetic_allowed())
    except Refusal as refusal:
        sys.stderr.write(f"refused: {refusal}\n")
        raise


def _look_before_serving() -> None:
    """End ``bentoml serve`` in words when no worker could start, instead of starting one again every few seconds.

    In the process that starts the workers alone; ``oncorespond serve`` has looked already, and says so.
    """
    program, asked = Path(sys.argv[0]), sys.argv[1:2]
    if program.name != "bentoml" and program.parent.name != "bentoml":
        return
    if asked != ["serve"]:
        return
    note_server()
    if os.environ.pop(LOOKED, ""):
        return
    try:
        _started().stop()
    except Refusal as refusal:
        raise SystemExit(refusal.exit_code) from None


_look_before_serving()


@bentoml.service(
    name="oncorespond",
    workers=int(os.environ.get("ORP_WORKERS", "1")),
    http={"host": HOST, "port": PORT},
    traffic={"timeout": site_deadline_s() + AFTER_DEADLINE_S},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class ResponseService:
    """Loads the promoted artefacts once per worker, opens the log, and answers through the application."""

    def __init__(self) -> None:
        log_as_json()
        worker = _started()
        if state.acknowledged_by is not None:
            log.warning("clinical_research_acknowledged", extra={"caller": state.acknowledged_by})
        metrics.follow_lag(lambda: worker.auditor.lag_s)
        worker.follow(metrics)
        _worker[:] = [worker]
        draining.follow_signals()
        end_with_server()
        gc.collect()
        gc.freeze()  # the collector's walks over the loaded models are the longest pauses of an idle service
        gc.set_threshold(*COLLECTED_AFTER)
        log.info("worker_started")

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]  # bentoml is not typed
    def stop(self) -> None:
        """Close what follows the log, then the log, when requests have drained."""
        state.close()
        for worker in _worker:
            worker.stop()
        _worker.clear()

    async def __is_alive__(self) -> bool:
        return True

    async def __is_ready__(self) -> bool:
        return bool(_worker)

    @bentoml.api(route="/bento/predict")  # type: ignore[untyped-decorator]  # bentoml is not typed
    def bento_predict(self, case: dict[str, Any]) -> dict[str, Any]:
        """Answer one case for BentoML's own client.

        Over HTTP our route of this address answers (the same function, log and errors); this is its description, and
        what a call inside the process gets.
        """
        import time

        from features.case import read_case
        from serving.audit.recorded import Asked, recorded_answers

        asked = Asked("in-process", time.perf_counter(), route="/bento/predict")
        return recorded_answers(state.ready_auditor(), state.ready_predictor(), [read_case(case)], asked)[0]


ResponseService.add_asgi_middleware(OwnRoutesFirst)  # type: ignore[attr-defined]  # the decorator made it a Service
