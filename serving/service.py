"""The BentoML service: ``bentoml serve serving.service:ResponseService``, and what a Bento carries.

Only this file knows BentoML. The routes are ours (:mod:`serving.api`) and stand before BentoML's, so that every address
has one error shape and none of BentoML's pages; its own client keeps ``/bento/predict`` and ``/schema.json``. Until the
service has authentication it listens on 127.0.0.1 only and answers nobody else.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bentoml

from features.errors import Refusal
from serving.api import LOOPBACK, create_app
from serving.errors import error_body
from serving.logs import log_as_json
from serving.metrics import ServiceMetrics
from serving.observed import ObservedRequests
from serving.predictor import Predictor
from serving.served_models import models_folder, synthetic_allowed

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST, PORT = "127.0.0.1", 3000

_served: list[Predictor] = []
"""The one predictor of this worker; empty until its models are loaded and their self-tests passed."""

metrics = ServiceMetrics()
app = create_app(lambda: _served[0] if _served else None, metrics)

BENTO_PATHS = ("/bento/", "/schema.json")
"""What is left to BentoML: its own client asks these."""


class OwnRoutesFirst:
    """ASGI: our application answers everything but the few paths of BentoML's client."""

    def __init__(self, bento: ASGIApp) -> None:
        self.bento = bento
        self._observed = ObservedRequests(self._route, metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a request and answer it; the server's own start and stop pass by."""
        await (self._observed if scope["type"] == "http" else self.bento)(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        stranger = (scope.get("client") or ("testclient",))[0] not in LOOPBACK
        ours = stranger or not scope["path"].startswith(BENTO_PATHS)
        await (app if ours else self.bento)(scope, receive, send)


@bentoml.service(
    name="oncorespond",
    workers=1,
    http={"host": HOST, "port": PORT},
    traffic={"timeout": 30},
    logging={"access": {"enabled": False}},
)
class ResponseService:
    """Loads the promoted artefacts once per worker and answers through the mounted application."""

    def __init__(self) -> None:
        log_as_json()
        _served[:] = [Predictor.from_folder(models_folder(), synthetic=synthetic_allowed())]
        gc.collect()
        gc.freeze()  # the collector's walks over the loaded models are the longest pauses of an idle service

    async def __is_alive__(self) -> bool:
        return True

    async def __is_ready__(self) -> bool:
        return bool(_served)

    @bentoml.api(route="/bento/predict")  # type: ignore[untyped-decorator]  # bentoml is not typed
    def bento_predict(self, case: dict[str, Any]) -> dict[str, Any]:
        """Answer one case for BentoML's own client; a refusal comes as the same object that HTTP callers get."""
        from features.case import read_case

        try:
            return _served[0].answers([read_case(case)])[0]
        except Refusal as refusal:
            return error_body(refusal, "-")


ResponseService.add_asgi_middleware(OwnRoutesFirst)  # type: ignore[attr-defined]  # the decorator made it a Service
