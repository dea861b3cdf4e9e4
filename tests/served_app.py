"""The whole application over the small models, as a worker puts it together: door, log, routes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from serving.adapters import told_clinically
from serving.api import create_app
from serving.audit.auditor import Auditor
from serving.audit.used_tokens import UsedTokens
from serving.hot_swap import FollowedModels
from serving.metrics import ServiceMetrics
from serving.observed import ObservedRequests
from serving.predictor import Predictor
from serving.security.gatekeeper import Gatekeeper, SecuritySettings
from serving.security.limits import Rate
from serving.security.middleware import SecurityMiddleware
from serving.state import ServiceState
from tests.audit_log import open_log

DEV_TOKEN = "dev_of_the_tests_and_of_nobody_else"
SIGNED_IN = {"authorization": f"Bearer {DEV_TOKEN}"}


def guarded_app(
    predictor: Predictor | FollowedModels | None,
    metrics: ServiceMetrics,
    folder: Path,
    auditor: Auditor | None = None,
    acknowledged_by: str | None = None,
    **settings: Any,
) -> ASGIApp:
    """Every route behind the door, observed; without ``auditor`` a fresh log in the folder, closed with the process."""
    log = auditor or open_log(folder)
    many = Rate(1e6, 1_000_000)  # on a quick machine the tests would ask faster than a caller may
    chosen = {"dev_token": DEV_TOKEN, "failed_logins": many, "per_caller": many, **settings}
    found = SecuritySettings(keys_folder=folder / "door-keys", **chosen)
    gatekeeper = Gatekeeper.from_settings(found, once=UsedTokens(log.database))
    state = _state(predictor, log, metrics, gatekeeper, acknowledged_by)
    metrics.follow_lag(lambda: log.lag_s)
    door = SecurityMiddleware(create_app(state), gatekeeper)
    return ObservedRequests(told_clinically(door, state), metrics)


def _state(
    served: Predictor | FollowedModels | None,
    log: Auditor,
    metrics: ServiceMetrics,
    gatekeeper: Gatekeeper,
    acknowledged_by: str | None,
) -> ServiceState:
    if isinstance(served, FollowedModels):
        return ServiceState(
            lambda: served.predictor, lambda: log, metrics, lambda: gatekeeper, acknowledged_by, lambda: served.remark
        )
    return ServiceState(lambda: served, lambda: log, metrics, lambda: gatekeeper, acknowledged_by)
