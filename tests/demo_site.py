"""The pages over a small log of the demo, behind their door, at a fixed time: November 2026."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving import api
from serving.audit.auditor import Auditor
from serving.demo_log import fill
from serving.metrics import ServiceMetrics
from serving.pages import explanations_page
from serving.predictor import Predictor
from serving.security.api_keys import ApiKeys
from serving.security.gatekeeper import Gatekeeper, SecuritySettings
from serving.security.limits import Rate
from serving.security.middleware import SecurityMiddleware
from serving.state import ServiceState
from tests.pages_site import Site

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
"""When the small log ends, so that the same cases fall into the same months in every run."""

CASES = {"checkpoint": 600, "targeted": 60}


def filled_folder(folder: Path, models: Path) -> Path:
    """Fill a log in a folder of its own; return the folder of the models, the pilot among them."""
    own = folder / "served-models"
    shutil.copytree(models, own)
    (folder / "audit").mkdir()
    fill(own, folder / "audit", NOW, CASES)
    return own


def open_demo_log(folder: Path) -> Auditor:
    """Open the log that :func:`filled_folder` filled."""
    audit = folder / "audit"
    return Auditor.open(f"sqlite:///{audit / 'audit.db'}", folder / "keys", audit / "audit.heads.jsonl")


@contextmanager
def demo_site(folder: Path, models: Path) -> Iterator[Site]:
    """Open the pages over the filled log of a folder, and let them think that it is November 2026."""
    with site_of(open_demo_log(folder), folder, models) as found:
        yield found


@contextmanager
def site_of(auditor: Auditor, folder: Path, models: Path) -> Iterator[Site]:
    """Open the pages over a log, which is closed at the end."""
    predictor = Predictor.from_folder(models, synthetic=True)
    door = Path(tempfile.mkdtemp(prefix="door-", dir=folder))
    doors = ApiKeys(door)
    keys = {role: doors.add(f"a-{role}", [role]) for role in ("predict", "audit")}
    many = Rate(1e4, 10_000)
    gatekeeper = Gatekeeper.from_settings(SecuritySettings(keys_folder=door, per_caller=many, failed_logins=many))
    state = ServiceState(lambda: predictor, lambda: auditor, ServiceMetrics(), lambda: gatekeeper)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORP_MODELS", str(models))
        patch.setattr(explanations_page, "present", lambda: NOW)
        app = api.create_app(state)
        routes = [(route.path, method) for route in app.routes for method in getattr(route, "methods", ())]
        try:
            yield Site(SecurityMiddleware(app, gatekeeper), auditor, predictor, keys, [], routes)
        finally:
            app.state.pages.close()
            auditor.close()
