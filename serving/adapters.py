"""Modules of further routes: the pages, and the adapters for clinical systems where somebody acknowledged their use.

Each is a function ``add_...(app, state)`` of its own package; what is not there is not mounted.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from serving.state import ServiceState

PAGES = ("serving.pages", "add_pages")
CLINICAL = (("serving.fhir.routes", "add_fhir"), ("serving.cds_hooks.routes", "add_cds_hooks"))


def add_adapters(app: FastAPI, state: ServiceState) -> None:
    """Mount the pages; and FHIR and CDS Hooks when ``state.acknowledged_by`` names who acknowledged their use."""
    _add(*PAGES, app, state)
    if state.acknowledged_by is None:
        return
    for module, function in CLINICAL:
        _add(module, function, app, state)


def told_clinically(app: ASGIApp, state: ServiceState) -> ASGIApp:
    """Return the application with the errors of clinical addresses as OperationOutcomes, the door's too."""
    if state.acknowledged_by is None:
        return app
    from serving.fhir.error_shape import ClinicalErrors

    return ClinicalErrors(app)


def _add(module: str, function: str, app: FastAPI, state: ServiceState) -> None:
    if find_spec(module) is None:
        return
    found = getattr(import_module(module), function, None)
    if found is not None:
        found(app, state)
