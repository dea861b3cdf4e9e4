"""Further routes: the ranking, and what a caller may read about the service: cards, vocabularies, schema, version."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, ClassVar

from fastapi import Request  # noqa: TC002  # FastAPI reads the annotations of routes
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response  # noqa: TC002  # FastAPI reads the annotations of routes

from features import vocabulary
from features.case import Case
from features.errors import Refusal
from models.answer import model_of
from models.intended_use import INTENDED_USE
from serving import metrics as prometheus
from serving.body import read_object
from serving.card_page import card_page
from serving.more_openapi import describe_more
from serving.rank import rank

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fastapi import FastAPI

    from serving.metrics import ServiceMetrics
    from serving.predictor import Predictor

LIBRARIES = (
    "numpy",
    "scipy",
    "lightgbm",
    "pydantic",
    "fastapi",
    "starlette",
    "bentoml",
    "sqlalchemy",
    "cryptography",
    "PyJWT",
    "prometheus-client",
)
"""Libraries behind an answer or its record."""

SCHEMAS = ("case",)


class NoSuchVocabulary(Refusal):
    """A vocabulary was asked for by a name that no table has."""

    code: ClassVar[str] = "no_such_vocabulary"
    http_status = 404


class NoSuchSchema(Refusal):
    """A schema was asked for by a name that no record has."""

    code: ClassVar[str] = "no_such_schema"
    http_status = 404


def ranked(_request: Request, predictor: Predictor, body: bytes) -> dict[str, Any]:
    """Rank the therapies of one request; where answers are recorded, the service gives another function that does."""
    return rank(read_object(body), predictor)


def add_more_routes(
    app: FastAPI,
    ready: Callable[[], Predictor],
    read_body: Callable[[Request], Awaitable[bytes]],
    metrics: ServiceMetrics | None = None,
    rank_with: Callable[[Request, Predictor, bytes], dict[str, Any]] = ranked,
) -> None:
    """Add the routes and their description.

    Parameters
    ----------
    app
        The application, with its error shape.
    ready
        Returns the predictor or raises :class:`serving.errors.NotReady`.
    read_body
        Reads a JSON body of bounded size.
    metrics
        What ``/metrics`` shows; without it there is no such route.
    rank_with
        Answers ``POST /rank``; it runs outside the event loop.
    """
    _add_rank(app, ready, read_body, metrics, rank_with)
    _add_model_card(app, ready)
    _add_reference(app, ready)
    if metrics is not None:
        _add_metrics(app, metrics)
    describe_more(app)


def _add_rank(
    app: FastAPI,
    ready: Callable[[], Predictor],
    read_body: Callable[[Request], Awaitable[bytes]],
    metrics: ServiceMetrics | None,
    rank_with: Callable[[Request, Predictor, bytes], dict[str, Any]],
) -> None:
    @app.post("/rank", tags=["answers"], response_class=JSONResponse)
    async def rank_route(request: Request) -> Response:
        """List every therapy the served models can judge for one case, by endpoint, with intervals and evidence.

        Never a directive: therapies whose intervals overlap the one above share its rank.
        """
        body = await read_body(request)
        found = await run_in_threadpool(rank_with, request, ready(), body)
        if metrics is not None:
            metrics.count_answers(entry["answer"] for one in found["lists"] for entry in one["therapies"])
        return JSONResponse(found)


def _add_model_card(app: FastAPI, ready: Callable[[], Predictor]) -> None:
    @app.get("/model/card", tags=["model"], response_class=JSONResponse)
    async def model_card(request: Request) -> Response:
        """Say what each served model is for, was trained on, was judged by and may not be used for."""
        cards = cards_of(ready())
        if prefers_html(request.headers.get("accept", "")):
            return HTMLResponse(card_page(cards, INTENDED_USE))
        return JSONResponse({"cards": cards, "intended_use": INTENDED_USE})


def _add_reference(app: FastAPI, ready: Callable[[], Predictor]) -> None:
    @app.get("/vocabulary/{name}", tags=["reference"], response_class=JSONResponse)
    async def vocabulary_rows(name: str) -> Response:
        """Return the rows of one curated table (histologies, therapies, published_arms ...) as they stand."""
        if name not in vocabulary.names():
            raise NoSuchVocabulary("there is no vocabulary of this name", allowed=vocabulary.names())
        rows = [dict(row) for row in vocabulary.table(name)]
        return JSONResponse({"name": name, "vocabulary": vocabulary.version(), "rows": rows})

    @app.get("/schema/{name}", tags=["reference"], response_class=JSONResponse)
    async def schema(name: str) -> Response:
        """Return the JSON Schema of a record; `case` is what /predict reads."""
        if name not in SCHEMAS:
            raise NoSuchSchema("there is no schema of this name", allowed=SCHEMAS)
        return JSONResponse(case_schema())

    @app.get("/version", tags=["reference"], response_class=JSONResponse)
    async def versions() -> Response:
        """Say which code, libraries, vocabularies and models stand behind an answer."""
        return JSONResponse({**version_of_code(), "models": ready().describe()["models"]})


def _add_metrics(app: FastAPI, metrics: ServiceMetrics) -> None:
    @app.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
    async def metrics_text() -> Response:
        """Return counters and histograms in Prometheus' text form."""
        return PlainTextResponse(metrics.text(), media_type=prometheus.CONTENT_TYPE)


def cards_of(predictor: Predictor) -> list[dict[str, Any]]:
    """Return the card of every served model beside what answers say of it."""
    return [
        {"family": family, "model": model_of(model), "card": dict(model.card)}
        for family, model in predictor.by_family.items()
    ]


def prefers_html(accept: str) -> bool:
    """Tell whether a caller asks for a page: HTML is named, and JSON is not named before it.

    Examples
    --------
    >>> prefers_html("text/html,application/xhtml+xml,*/*;q=0.8"), prefers_html("*/*"), prefers_html("")
    (True, False, False)
    >>> prefers_html("application/json, text/html")
    False
    """
    named = [part.partition(";")[0].strip() for part in accept.lower().split(",")]
    if "text/html" not in named:
        return False
    return "application/json" not in named[: named.index("text/html")]


@lru_cache(maxsize=1)
def case_schema() -> Mapping[str, Any]:
    """Return the JSON Schema of a case, as `oncorespond schema case` prints it."""
    return Case.model_json_schema(by_alias=True)


@lru_cache(maxsize=1)
def version_of_code() -> Mapping[str, Any]:
    """Return versions of code, Python, libraries and vocabularies; a library that is not installed is null.

    Examples
    --------
    >>> sorted(version_of_code())
    ['libraries', 'oncorespond', 'python', 'vocabulary']
    """
    return {
        "oncorespond": _installed("oncorespond"),
        "python": platform.python_version(),
        "libraries": {name: _installed(name) for name in LIBRARIES},
        "vocabulary": vocabulary.version(),
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
