"""Routes over the log: one prediction with all that was later said of it, and what was observed and decided."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from fastapi import Request  # noqa: TC002  # FastAPI reads the annotations of routes
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response  # noqa: TC002  # FastAPI reads the annotations of routes

from serving.asked import asked_of, caller_of, read_body
from serving.audit.entries import read_event
from serving.audit.refusals import UnknownPrediction
from serving.body import read_object
from serving.record_openapi import describe_records

if TYPE_CHECKING:
    from fastapi import FastAPI

    from serving.audit.reading import Logged, Row
    from serving.security.routes import Caller, Role
    from serving.state import ServiceState

RECORD_ID = re.compile(r"[0-9A-Za-z._-]{1,80}")
"""Ids that we give are of this form; others are not even looked up (PostgreSQL takes no NUL in a text)."""

SHOWN = ("record_id", "seq", "time", "caller", "route", "kind", "status", "latency_ms", "hash")
"""Columns that a caller sees of a record."""


def add_record_routes(app: FastAPI, state: ServiceState) -> None:
    """Add ``GET /predictions/{id}`` and ``POST /predictions/{id}/outcome`` and ``/decision``."""

    @app.get("/predictions/{prediction_id}", tags=["records"], response_class=JSONResponse)
    async def prediction(request: Request, prediction_id: str) -> Response:
        """Return one logged prediction: request, answer, features, and what was later said of it; ids as pseudonyms."""
        return JSONResponse(await run_in_threadpool(_prediction, state, caller_of(request), prediction_id))

    @app.post("/predictions/{prediction_id}/outcome", tags=["records"], response_class=JSONResponse, status_code=201)
    async def outcome(request: Request, prediction_id: str) -> Response:
        """Log the response that was observed after a prediction."""
        body = await read_body(request)
        return JSONResponse(await run_in_threadpool(_event, state, request, prediction_id, body, "outcome"), 201)

    @app.post("/predictions/{prediction_id}/decision", tags=["records"], response_class=JSONResponse, status_code=201)
    async def decision(request: Request, prediction_id: str) -> Response:
        """Log whether the therapy of an answer was taken or overridden, with a coded reason."""
        body = await read_body(request)
        return JSONResponse(await run_in_threadpool(_event, state, request, prediction_id, body, "decision"), 201)

    describe_records(app)


def _prediction(state: ServiceState, caller: Caller, prediction_id: str) -> dict[str, Any]:
    logged = state.ready_auditor().lookup(_known_form(prediction_id))
    _may_see(logged.row, caller, "audit")
    return {
        **_shown(logged),
        "erased": logged.erased,
        **{name: (logged.payload or {}).get(name) for name in ("request", "answer", "features")},
        "later": [{**_shown(one), "event": (one.payload or {}).get("event")} for one in logged.later],
    }


def _event(
    state: ServiceState, request: Request, prediction_id: str, body: bytes, kind: Literal["outcome", "decision"]
) -> dict[str, Any]:
    auditor, asked, caller = state.ready_auditor(), asked_of(request, body), caller_of(request)
    event = read_event(kind, read_object(body))
    _may_see(auditor.prediction_row(_known_form(prediction_id)), caller, "outcome")
    written = auditor.record_event(prediction_id, event, asked.caller, asked.once, asked.route)
    return {"record_id": written.record_id, "prediction_id": prediction_id, "kind": kind, "seq": written.seq}


def _known_form(record_id: str) -> str:
    if not RECORD_ID.fullmatch(record_id):
        raise UnknownPrediction("there is no record of this id")
    return record_id


def _may_see(row: Row, caller: Caller, role: Role) -> None:
    """Let a caller see what it asked for itself, and who has the role see all; to others the record is not there."""
    if role not in caller.roles and row["caller"] != caller.name:
        raise UnknownPrediction("there is no record of this id")


def _shown(logged: Logged) -> dict[str, Any]:
    return {name: logged.row[name] for name in SHOWN}
