"""The whole application over the small models, as the service puts it together, with and without its door."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp

from serving import api
from serving.metrics import ServiceMetrics
from serving.observed import ObservedRequests
from serving.predictor import Predictor
from serving.security.gatekeeper import Gatekeeper, SecuritySettings
from serving.security.limits import Rate
from serving.security.middleware import SecurityMiddleware

DEV_TOKEN = "dev_of_the_tests_and_of_nobody_else"
SIGNED_IN = {"authorization": f"Bearer {DEV_TOKEN}"}


def whole_app(predictor: Predictor | None, metrics: ServiceMetrics) -> FastAPI:
    """Every route, nobody at the door."""
    return api.create_app(lambda: predictor, metrics)


def guarded_app(predictor: Predictor | None, metrics: ServiceMetrics, folder: Path) -> ASGIApp:
    """Every route behind the door, observed."""
    settings = SecuritySettings(keys_folder=folder / "keys", dev_token=DEV_TOKEN, failed_logins=Rate(1.0, 1_000_000))
    door = SecurityMiddleware(whole_app(predictor, metrics), Gatekeeper.from_settings(settings))
    return ObservedRequests(door, metrics)
