"""One helper over every address that can fail: whoever refuses, route, door, log or last net, tells it in one shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.fhir.error_shape import is_clinical
from serving.security.routes import OPEN, ROUTES
from tests import guarded
from tests.clinical_app import ORDERS, Clinic
from tests.served_app import SIGNED_IN

NOT_HERE = {"/schema.json", "/docs.json"}
"""BentoML's, which the application alone does not have."""

FILLED = {"/cds-services/{id}": ORDERS, "/cds-services/{id}/feedback": f"{ORDERS}/feedback"}


def _address(pattern: str) -> str:
    known = FILLED.get(pattern, pattern)
    return re.sub(r"\{\w+\}", "unknown", known).replace("*", "unknown")


ADDRESSES = sorted({_address(rule.pattern) for rule in ROUTES} - NOT_HERE)
GUARDED = sorted({(method, _address(r.pattern)) for r in ROUTES if r.roles != OPEN for method in r.methods.split()})
POSTS = sorted({_address(rule.pattern) for rule in ROUTES if "POST" in rule.methods and rule.roles != OPEN})


def in_shape(response: Any, code: str | None = None) -> None:
    """Hold an answer of the whole service to the shape that its address promises."""
    outcome = response.headers["content-type"].startswith("application/fhir+json")
    assert outcome == is_clinical(response.request.url.path)
    guarded.assert_error_shape(response, code)


def refused(response: Any, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    in_shape(response, code)


@pytest.fixture(scope="module")
def clinic(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    found = Clinic(served_models, tmp_path_factory.mktemp("clinic"))
    yield found
    found.log.close()


def test_the_table_names_addresses_of_every_room() -> None:
    for room in ("/predict", "/audit", "/fhir/", "/cds-services", "/admin", "/metrics"):
        assert any(one.startswith(room) for one in ADDRESSES), room


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_nobody(clinic: Clinic, method: str, path: str) -> None:
    refused(clinic.client.request(method, path), 401, "unauthenticated")


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_method_that_no_address_has(clinic: Clinic, path: str) -> None:
    response = clinic.client.delete(path, headers=SIGNED_IN)
    assert response.status_code in (404, 405)
    in_shape(response)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", [b"{", b'{"nonsense": 1}', b"[]", b"x" * (8 * 1024 * 1024 + 1)])
def test_a_body_that_is_none(clinic: Clinic, path: str, body: bytes) -> None:
    response: Any = clinic.client.post(path, content=body, headers={**SIGNED_IN, "content-type": "application/json"})
    if response.status_code < 300:  # a form that needs no body: the logout
        assert path == "/audit/logout"
        return
    assert 400 <= response.status_code < 500
    in_shape(response)


@pytest.mark.parametrize("path", ["/unknown", "/fhir/unknown/1", "/cds-services/unknown", "/audit/unknown"])
def test_where_nothing_is(clinic: Clinic, path: str) -> None:
    in_shape(clinic.client.get(path, headers=SIGNED_IN))


def test_a_log_that_cannot_be_written_or_read(served_models: Path, tmp_path: Path) -> None:
    clinic = Clinic(served_models, tmp_path)
    with clinic.log.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE records RENAME TO away")
    case = {"histology": "LUAD", "therapy": {"agents": ["pembrolizumab"]}}
    refused(clinic.client.post("/predict", json=case, headers=SIGNED_IN), 503, "audit_unavailable")
    for path in ("/predictions/unknown", "/fhir/AuditEvent"):
        refused(clinic.client.get(path, headers=SIGNED_IN), 503, "audit_unavailable")
    clinic.log.close()
    refused(clinic.client.get("/readyz"), 503, "audit_unavailable")
