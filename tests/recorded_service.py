"""What the tests of the recorded service share: the whole application over a log of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.audit.auditor import Auditor
from serving.audit.reading import Filter, listed
from serving.metrics import ServiceMetrics
from serving.predictor import Predictor
from serving.security.api_keys import ApiKeys
from tests.audit_log import open_log
from tests.served_app import SIGNED_IN, guarded_app

BOTH = pytest.mark.parametrize("log", ["sqlite", "postgres"], indirect=True)
"""Marks a test that runs over each of the two databases."""


@pytest.fixture(scope="module")
def predictor(served_models: Path) -> Predictor:
    return Predictor.from_folder(served_models, synthetic=True)


@pytest.fixture
def log(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Auditor]:
    """A log in SQLite; in PostgreSQL as well for the tests that say :data:`BOTH`."""
    postgres = getattr(request, "param", "sqlite") == "postgres"
    found = open_log(tmp_path, request.getfixturevalue("postgres") if postgres else None)
    yield found
    found.close()


@pytest.fixture
def client(predictor: Predictor, log: Auditor, tmp_path: Path) -> TestClient:
    return TestClient(guarded_app(predictor, ServiceMetrics(), tmp_path, log), headers=SIGNED_IN)


def key_of(folder: Path, name: str, *roles: str) -> dict[str, str]:
    """Return the headers of a new API key; with the dev token the door reads the same folder."""
    return {"authorization": f"Bearer {ApiKeys(folder / 'door-keys').add(name, roles)}"}


def kinds_of(log: Auditor) -> list[str]:
    return [row["kind"] for row in reversed(listed(log.database, Filter(newest=1000)))]
