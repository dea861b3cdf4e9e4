"""The HTTP routes: thin functions between a request body and the predictor; what they answer is in the log first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from features.case import read_case
from models.intended_use import INTENDED_USE
from serving.adapters import add_adapters
from serving.asked import asked_of, read_body
from serving.audit.recorded import recorded_answers, recorded_answers_or_errors
from serving.audit.refusals import AuditUnavailable
from serving.body import batch_entries, bento_case, cases_of, read_entry, read_object
from serving.errors import NoModelForTherapy
from serving.front_page import front_page
from serving.more_routes import add_more_routes, version_of_code
from serving.one_shape import add_error_shape
from serving.openapi import EXAMPLE_CASE, describe
from serving.record_routes import add_record_routes
from serving.recorded_rank import recorded_rank
from serving.rounds import Rounds
from serving.security.login import add_login_routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.case import Case
    from serving.asking import Read
    from serving.state import ServiceState

    Answer = Callable[[ServiceState, Request, bytes], dict[str, Any]]


def create_app(state: ServiceState) -> FastAPI:
    """Return the application; :class:`serving.security.middleware.SecurityMiddleware` stands before it.

    Parameters
    ----------
    state
        What the routes stand on; whatever is not ready answers 503.
    """
    app = FastAPI(
        title="oncorespond",
        version=str(version_of_code()["oncorespond"]),
        description=INTENDED_USE,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # an address is one address
    )
    _add_answers(app, state)
    _add_probes(app, state)
    _add_front(app, state)
    add_error_shape(app)
    describe(app)
    add_more_routes(app, state.ready_predictor, read_body, state.metrics, partial(recorded_rank, state))
    add_record_routes(app, state)
    add_adapters(app, state)
    add_login_routes(app, state.gatekeeper)
    return app


def _add_answers(app: FastAPI, state: ServiceState) -> None:
    rounds = Rounds(state)

    @app.post("/predict", tags=["answers"], response_class=JSONResponse)
    async def predict(request: Request) -> Response:
        """Answer one case: a probability with its interval and the reasons, or an abstention."""
        return await _answered_soon(rounds, _read_predict, _predict, state, request)

    @app.post("/predict/batch", tags=["answers"], response_class=JSONResponse)
    async def predict_batch(request: Request) -> Response:
        """Answer up to 1,000 cases, in their order; each succeeds or fails on its own."""
        return await _answered(_predict_batch, state, request)

    @app.post("/bento/predict", tags=["answers"], response_class=JSONResponse)
    async def bento_predict(request: Request) -> Response:
        """Answer one case for BentoML's own client: the same function, log and errors behind another form."""
        return await _answered_soon(rounds, _read_bento, _bento_predict, state, request)


async def _answered(answer: Answer, state: ServiceState, request: Request) -> Response:
    body = await read_body(request)
    return await _in_a_thread(answer, state, request, body)


async def _answered_soon(rounds: Rounds, read: Read, answer: Answer, state: ServiceState, request: Request) -> Response:
    """Answer in a round where that may be; else as the others are."""
    body = await read_body(request)
    if rounds.takes(request, body):
        return Response(await rounds.answered(request, body, read), media_type="application/json")
    return await _in_a_thread(answer, state, request, body)


async def _in_a_thread(answer: Answer, state: ServiceState, request: Request, body: bytes) -> Response:
    content = await run_in_threadpool(lambda: to_json(answer(state, request, body)))
    return Response(content, media_type="application/json")


def _read_predict(body: bytes) -> Case:
    return read_case(read_object(body))


def _read_bento(body: bytes) -> Case:
    return bento_case(read_object(body))


def _predict(state: ServiceState, request: Request, body: bytes) -> dict[str, Any]:
    cases, several = cases_of(read_object(body))
    predictor = state.ready_predictor()
    try:
        answers = recorded_answers(state.ready_auditor(), predictor, cases, asked_of(request, body))
    except NoModelForTherapy:
        if several:  # asked only now: a repeated Idempotency-Key is answered even when a model was withdrawn meanwhile
            predictor.refuse_unjudged(cases)
        raise
    state.metrics.count_answers(answers)
    return {"answers": answers} if several else answers[0]


def _predict_batch(state: ServiceState, request: Request, body: bytes) -> dict[str, Any]:
    entries = [read_entry(entry, place) for place, entry in enumerate(batch_entries(read_object(body)))]
    asked = asked_of(request, body)
    answers = recorded_answers_or_errors(state.ready_auditor(), state.ready_predictor(), entries, asked)
    state.metrics.count_answers(answers)
    return {"answers": answers}


def _bento_predict(state: ServiceState, request: Request, body: bytes) -> dict[str, Any]:
    case = _read_bento(body)
    answers = recorded_answers(state.ready_auditor(), state.ready_predictor(), [case], asked_of(request, body))
    state.metrics.count_answers(answers)
    return answers[0]


def _add_probes(app: FastAPI, state: ServiceState) -> None:
    @app.get("/livez", tags=["probes"], response_class=JSONResponse)
    async def livez() -> Response:
        """Say that the process answers."""
        return JSONResponse({"status": "alive"})

    @app.get("/readyz", tags=["probes"], response_class=JSONResponse)
    async def readyz() -> Response:
        """Say whether a model is loaded and its self-test passed, and whether the audit log takes records now."""
        state.ready_predictor()
        if not await run_in_threadpool(state.ready_auditor().ready):
            raise AuditUnavailable("the audit log takes no records now", way_out="See its database and its disk.")
        remark = state.remark()
        return JSONResponse({"status": "ready", **({"not_taken": remark} if remark else {})})


def _add_front(app: FastAPI, state: ServiceState) -> None:
    @app.get("/model", tags=["model"], response_class=JSONResponse)
    async def model() -> Response:
        """Say which models are served: name, version, digest, endpoint, training data, synthetic or not."""
        return JSONResponse(state.ready_predictor().describe())

    @app.get("/", include_in_schema=False, response_class=HTMLResponse)
    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    async def page() -> Response:
        predictor = state.predictor()
        models = predictor.describe()["models"] if predictor else []
        return HTMLResponse(front_page(app.openapi(), models, INTENDED_USE, EXAMPLE_CASE))
