"""The FHIR addresses: thin functions between HTTP and :mod:`serving.fhir.answering`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import Request  # noqa: TC002  # FastAPI reads the annotations of routes
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response  # noqa: TC002  # FastAPI reads the annotations of routes

from features.sources.mcode import BundleRefusal
from models.answer import model_of
from serving.asked import asked_of, caller_of, read_body
from serving.errors import WrongContentType
from serving.fhir.answering import predict_response
from serving.fhir.audit_event import audit_bundle
from serving.fhir.audit_search import page_of, read_search
from serving.fhir.capability import (
    EXTENSION_NAMES,
    capability_statement,
    operation_definition,
    structure_definition,
)
from serving.fhir.content import check_accepted, check_body_kind, fhir_response
from serving.fhir.model_resources import card_id, device, device_id, model_card
from serving.fhir.reading import refused_reading
from serving.fhir.refusals import NoSuchResource, NotFhirContent
from serving.fhir.settings import ClinicalSettings
from serving.security.refusals import Forbidden

if TYPE_CHECKING:
    from fastapi import FastAPI

    from serving.state import ServiceState

OPERATION = "/fhir/$predict-response"


def add_fhir(app: FastAPI, state: ServiceState) -> None:
    """Add the FHIR addresses, when somebody acknowledged that they are for research.

    Raises
    ------
    ClinicalSettingsRefused
        When the public address is not usable; the service then does not start.
    """
    settings = ClinicalSettings.of(state.acknowledged_by)
    if settings is None:
        return
    _add_operation(app, state, settings)
    _add_definitions(app, settings)
    _add_models(app, state, settings)
    _add_audit(app, state, settings)


def _add_operation(app: FastAPI, state: ServiceState, settings: ClinicalSettings) -> None:
    @app.post(OPERATION, include_in_schema=False)
    async def predict(request: Request) -> Response:
        """Answer a record of FHIR resources with estimates, one per therapy."""
        accepted(request)
        body = await fhir_body(request)
        try:
            found = await run_in_threadpool(predict_response, state, settings, body, asked_of(request, body))
        except BundleRefusal as refusal:
            return refused_reading(refusal, request)
        return fhir_response(found)


def _add_definitions(app: FastAPI, settings: ClinicalSettings) -> None:
    @app.get("/fhir/metadata", include_in_schema=False)
    async def metadata(request: Request) -> Response:
        """Say what this server does."""
        accepted(request)
        return fhir_response(capability_statement(settings))

    @app.get("/fhir/OperationDefinition/predict-response", include_in_schema=False)
    async def operation(request: Request) -> Response:
        """Define the operation."""
        accepted(request)
        return fhir_response(operation_definition(settings))

    @app.get("/fhir/StructureDefinition/{name}", include_in_schema=False)
    async def extension(request: Request, name: str) -> Response:
        """Define one of our extensions."""
        accepted(request)
        if name not in EXTENSION_NAMES:
            raise NoSuchResource("there is no StructureDefinition of this id", allowed=EXTENSION_NAMES)
        return fhir_response(structure_definition(name, settings))


def _add_models(app: FastAPI, state: ServiceState, settings: ClinicalSettings) -> None:
    @app.get("/fhir/Device/{identity}", include_in_schema=False)
    async def of_model(request: Request, identity: str) -> Response:
        """Say which model a Device is; of those that are served now."""
        accepted(request)
        found = {device_id(one): device(one) for one in _models(state)}
        return fhir_response(_one_of(found, identity))

    @app.get("/fhir/DocumentReference/{identity}", include_in_schema=False)
    async def of_card(request: Request, identity: str) -> Response:
        """Say where the card of a model is; of those that are served now."""
        accepted(request)
        found = {card_id(one): model_card(one, settings) for one in _models(state)}
        return fhir_response(_one_of(found, identity))


def _models(state: ServiceState) -> list[dict[str, Any]]:
    return [model_of(model) for model in state.ready_predictor().by_family.values()]


def _one_of(found: dict[str, Any], identity: str) -> Any:
    if identity not in found:
        raise NoSuchResource("there is no resource of this id now", allowed=found)
    return found[identity]


def _add_audit(app: FastAPI, state: ServiceState, settings: ClinicalSettings) -> None:
    @app.get("/fhir/AuditEvent", include_in_schema=False)
    async def audit_events(request: Request) -> Response:
        """Export the log, oldest first: clear columns alone. For the audit role."""
        accepted(request)
        if "audit" not in caller_of(request).roles:
            raise Forbidden("this caller may not use this route", allowed=["role audit"])
        search = read_search(request.query_params.multi_items())
        rows, further = await run_in_threadpool(page_of, state.ready_auditor().database, search)
        here = f"{settings.fhir_url}/AuditEvent"
        following = f"{here}?{urlencode(further)}" if further else None
        written = urlencode(request.query_params.multi_items())
        return fhir_response(audit_bundle(rows, settings, f"{here}?{written}" if written else here, following))


def accepted(request: Request) -> None:
    """Refuse a caller that accepts none of what we answer with; 406."""
    check_accepted(request.headers.get("accept", ""), request.query_params.get("_format"))


async def fhir_body(request: Request) -> bytes:
    """Read a body that is announced as FHIR JSON or JSON.

    Raises
    ------
    NotFhirContent, BodyTooLarge
        415, 413.
    """
    check_body_kind(request.headers.get("content-type", ""))
    try:
        return await read_body(request, ("application/json", "application/fhir+json"))
    except WrongContentType as refusal:
        raise NotFhirContent(refusal.message) from None
