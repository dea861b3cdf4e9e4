"""The HTTP routes: thin functions between a request body and the predictor, with one error shape everywhere."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response  # noqa: TC002  # FastAPI reads the annotations of routes

from features.errors import Refusal
from models.intended_use import INTENDED_USE
from serving.body import MOST_BYTES, batch_entries, cases_of, read_entry, read_object
from serving.errors import (
    BodyTooLarge,
    InternalFault,
    MethodNotAllowed,
    NoSuchRoute,
    NotReady,
    OnlyLoopback,
    WrongContentType,
    error_body,
)
from serving.front_page import front_page
from serving.more_routes import add_more_routes
from serving.openapi import EXAMPLE_CASE, describe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from serving.metrics import ServiceMetrics
    from serving.predictor import Predictor

log = logging.getLogger("oncorespond.serving")

LOOPBACK = {"127.0.0.1", "::1", "localhost", "testclient"}
"""Callers that are answered until there is authentication. ``testclient`` is Starlette's in-process client."""


def create_app(get_predictor: Callable[[], Predictor | None], metrics: ServiceMetrics | None = None) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    get_predictor
        Called at every request; None means that no model is ready, and everything but the probes answers 503.
    metrics
        Counts answers and is shown at ``/metrics``; without it there is no such route.
    """
    app = FastAPI(title="oncorespond", version="0.1.0", description=INTENDED_USE, docs_url=None, redoc_url=None)
    _add_routes(app, get_predictor, metrics)
    _add_error_shape(app)
    describe(app)
    add_more_routes(app, lambda: _ready(get_predictor), _body, metrics)
    return app


def _ready(get_predictor: Callable[[], Predictor | None]) -> Predictor:
    predictor = get_predictor()
    if predictor is None:
        raise NotReady("no model is being served", way_out="Promote one: `oncorespond promote`, then ask again.")
    return predictor


async def _body(request: Request) -> bytes:
    """Read a JSON body of bounded size; the size is checked while it arrives."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise WrongContentType(f"content type {kind[:40]!r}", way_out="Send application/json.")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise BodyTooLarge(f"the body is longer than {MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _add_routes(app: FastAPI, get_predictor: Callable[[], Predictor | None], metrics: ServiceMetrics | None) -> None:
    @app.post("/predict", tags=["answers"], response_class=JSONResponse)
    async def predict(request: Request) -> Response:
        """Answer one case: a probability with its interval and the reasons, or an abstention."""
        body = await _body(request)
        return await run_in_threadpool(_predict, _ready(get_predictor), body, metrics)

    @app.post("/predict/batch", tags=["answers"], response_class=JSONResponse)
    async def predict_batch(request: Request) -> Response:
        """Answer up to 1,000 cases, in their order; each succeeds or fails on its own."""
        body = await _body(request)
        return await run_in_threadpool(_predict_batch, _ready(get_predictor), body, metrics)

    @app.get("/model", tags=["model"], response_class=JSONResponse)
    async def model() -> Response:
        """Say which models are served: name, version, digest, endpoint, training data, synthetic or not."""
        return _json(_ready(get_predictor).describe())

    @app.get("/", include_in_schema=False, response_class=HTMLResponse)
    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    async def page() -> Response:
        predictor = get_predictor()
        models = predictor.describe()["models"] if predictor else []
        return HTMLResponse(front_page(app.openapi(), models, INTENDED_USE, EXAMPLE_CASE))

    @app.get("/livez", tags=["probes"], response_class=JSONResponse)
    async def livez() -> Response:
        """Say that the process answers."""
        return _json({"status": "alive"})

    @app.get("/readyz", tags=["probes"], response_class=JSONResponse)
    async def readyz() -> Response:
        """Say whether a model is loaded and its self-test passed."""
        _ready(get_predictor)
        return _json({"status": "ready"})


def _json(content: Any) -> Response:
    return JSONResponse(content)


def _predict(predictor: Predictor, body: bytes, metrics: ServiceMetrics | None) -> Response:
    cases, several = cases_of(read_object(body))
    answers = predictor.answers(cases)
    if metrics is not None:
        metrics.count_answers(answers)
    return _json({"answers": answers} if several else answers[0])


def _predict_batch(predictor: Predictor, body: bytes, metrics: ServiceMetrics | None) -> Response:
    entries = [read_entry(entry, place) for place, entry in enumerate(batch_entries(read_object(body)))]
    answers = predictor.answers_or_errors(entries)
    if metrics is not None:
        metrics.count_answers(answers)
    return _json({"answers": answers})


def _add_error_shape(app: FastAPI) -> None:
    @app.middleware("http")
    async def only_loopback(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        request.state.request_id = getattr(request.state, "request_id", None) or secrets.token_hex(8)
        caller = request.client.host if request.client else "testclient"
        if caller not in LOOPBACK:
            refusal = OnlyLoopback("this service answers callers on its own machine only, until it has authentication")
            return _refused(request, refusal)
        try:
            response = await call(request)
        except Exception as fault:  # the last net: no traceback leaves, none with values is logged
            log.error("internal_fault", extra={"fault": type(fault).__name__, "request_id": request.state.request_id})
            return _refused(request, InternalFault("something went wrong on our side; please report the request id"))
        response.headers["x-request-id"] = request.state.request_id
        return response

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        return _refused(request, refusal)

    @app.exception_handler(HTTPException)
    async def http_refused(request: Request, found: HTTPException) -> Response:
        path = request.url.path[:80]
        if found.status_code == MethodNotAllowed.http_status:
            return _refused(request, MethodNotAllowed(f"{request.method} is not answered at {path}"))
        return _refused(request, NoSuchRoute(f"there is nothing at {path}", way_out="See /docs."))


def _refused(request: Request, refusal: Refusal) -> Response:
    request_id = getattr(request.state, "request_id", "-")
    log.info("refused", extra={"refusal": refusal.log_text(), "request_id": request_id})
    return JSONResponse(error_body(refusal, request_id), status_code=refusal.http_status)
