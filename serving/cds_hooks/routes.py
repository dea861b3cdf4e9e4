"""The CDS Hooks addresses: discovery, one address per service, and feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Request  # noqa: TC002  # FastAPI reads the annotations of routes
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response  # noqa: TC002  # FastAPI reads the annotations of routes

from features.sources.mcode import BundleRefusal
from serving.asked import asked_of, read_body
from serving.body import read_object
from serving.cds_hooks.answering import cards_for
from serving.cds_hooks.discovery import discovery, offered
from serving.cds_hooks.feedback import read_feedback, record_feedback
from serving.cds_hooks.refusals import NoSuchService
from serving.fhir.reading import refused_reading
from serving.fhir.settings import ClinicalSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from serving.cds_hooks.discovery import Service
    from serving.state import ServiceState

SERVICES = "/cds-services"


def add_cds_hooks(app: FastAPI, state: ServiceState) -> None:
    """Add the CDS services, when somebody acknowledged that they are for research.

    Raises
    ------
    ClinicalSettingsRefused
        When the public address is not usable; the service then does not start.
    """
    settings = ClinicalSettings.of(state.acknowledged_by)
    if settings is None:
        return
    _add_services(app, state, settings)
    _add_feedback(app, state, settings)


def _add_services(app: FastAPI, state: ServiceState, settings: ClinicalSettings) -> None:
    @app.get(SERVICES, include_in_schema=False)
    async def services() -> Response:
        """Say which services there are, for which hook and with which prefetch."""
        return JSONResponse(discovery(settings))

    @app.post(f"{SERVICES}/{{identity}}", include_in_schema=False)
    async def call(request: Request, identity: str) -> Response:
        """Answer a hook with information cards."""
        service = _service(identity, settings)
        body = await read_body(request)
        raw, by = read_object(body), asked_of(request, body)
        try:
            found = await run_in_threadpool(cards_for, state, settings, service, raw, by)
        except BundleRefusal as refusal:
            return refused_reading(refusal, request)
        return JSONResponse(found)


def _add_feedback(app: FastAPI, state: ServiceState, settings: ClinicalSettings) -> None:
    @app.post(f"{SERVICES}/{{identity}}/feedback", include_in_schema=False)
    async def feedback(request: Request, identity: str) -> Response:
        """Record what became of cards."""
        _service(identity, settings)
        body = await read_body(request)
        items, by = read_feedback(read_object(body), settings), asked_of(request, body)
        await run_in_threadpool(record_feedback, state.ready_auditor(), items, by)
        return JSONResponse(_NOTHING)


_NOTHING: dict[str, Any] = {}


def _service(identity: str, settings: ClinicalSettings) -> Service:
    found = next((one for one in offered(settings) if one.identity == identity), None)
    if found is None:
        raise NoSuchService("there is no CDS service of this id", allowed=[one.identity for one in offered(settings)])
    return found
