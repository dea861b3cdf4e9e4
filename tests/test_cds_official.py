"""Every request and response of the CDS Hooks specification, replayed and held to the schemas we wrote from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clinical_app import CHART, ORDERS, Clinic, assert_outcome, schema
from tests.fhir_records import HOOK_INSTANCE

pytestmark = pytest.mark.shared

DOCUMENTS = {
    "current_0.json": ("discovery", None, ""),
    "current_23.json": ("discovery", None, ""),
    "current_1.json": ("request", None, ""),
    "examples_2.json": ("request", None, ""),
    "current_22.json": ("request", None, "'patientId' is a required property"),  # what patient-view asks for
    "examples_0.json": ("request", None, "'draftOrders' is a required property"),  # medications, as before 1.0
    "current_9.json": ("response", None, ""),
    "current_15.json": ("response", None, ""),
    "current_16.json": ("response", None, ""),
    "examples_3.json": ("response", None, ""),
    "current_17.json": ("response", None, "'indicator' is a required property"),  # optional in 3.0-ballot only
    "examples_1.json": ("response", "card", "'source' is a required property"),  # a part of a card
    "current_10.json": ("response", "source", ""),
    "current_11.json": ("response", "action", ""),
    "current_12.json": ("response", "action", ""),
    "current_13.json": ("response", "action", ""),
    "current_14.json": ("response", "overrideReason", ""),
    "current_2.json": ("discovery", "templates", ""),
    "current_6.json": ("discovery", "templates", ""),
    "current_25.json": ("discovery", "templates", ""),
    "current_7.json": ("request", "prefetched", "'123' is not valid"),  # a token's value among resources
    "current_8.json": ("request", "fhirAuthorization", ""),
    "order-select_0.json": ("request", "orderSelect", ""),
    "order-select_1.json": ("request", "orderSelect", ""),
    "order-select_2.json": ("request", "orderSelect", ""),
    "order-sign_0.json": ("request", "orderSign", ""),
    "order-sign_1.json": ("request", "orderSign", ""),
    "order-sign_2.json": ("request", "orderSign", ""),
    "patient-view_0.json": ("request", "patientView", ""),
    "patient-view_1.json": ("request", "patientView", ""),
    "current_24.json": ("request", "patientView", ""),
    "current_3.json": ("request", "patientView", "'userId' is a required property"),  # parts of contexts
    "current_4.json": ("request", "orderSign", "'userId' is a required property"),
    "current_5.json": ("request", "orderSign", "'userId' is a required property"),
    "current_26.json": ("request", "patientView", "'userId' is a required property"),  # how a context is defined
}
"""File to schema, part of it, and how the specification's own text breaks it: then this says so."""

_INSIDE = {"orderSelect": "context", "orderSign": "context", "patientView": "context", "templates": "prefetch"}


def official(shared_dir: Path, name: str) -> Any:
    return json.loads((shared_dir / "cdshooks" / name).read_text(encoding="utf-8"))


def parts(document: Any, part: str | None) -> list[Any]:
    """Return what of a document a part of a schema is about."""
    if part == "prefetched":
        return list(document["prefetch"].values())
    if part == "overrideReason":
        return list(document["overrideReasons"])
    inside = {"source": "source", "fhirAuthorization": "fhirAuthorization", **_INSIDE}.get(part or "")
    return [document[inside] if inside else document]


def test_every_file_is_in_the_table(shared_dir: Path) -> None:
    files = {path.name for path in (shared_dir / "cdshooks").glob("*.json")} - {"sandbox_jwks.json"}
    assert files == set(DOCUMENTS)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_specification_against_our_schemas(shared_dir: Path, name: str) -> None:
    kind, part, broken = DOCUMENTS[name]
    validator = schema(kind, part)
    errors = [error.message for one in parts(official(shared_dir, name), part) for error in validator.iter_errors(one)]
    if broken:
        assert any(broken in error for error in errors), errors
    else:
        assert errors == []


@pytest.fixture(scope="module")
def clinic(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORP_CDS_PATIENT_VIEW", "1")
        return Clinic(served_models, tmp_path_factory.mktemp("official"))


def as_request(hook: str, document: Any) -> dict[str, Any]:
    return {"hook": hook, "hookInstance": HOOK_INSTANCE, **document}


@pytest.mark.parametrize("name", ["order-select_0.json", "order-select_1.json", "order-select_2.json"])
def test_diets_and_antibiotics_get_no_card(clinic: Clinic, shared_dir: Path, name: str) -> None:
    """The official orders hold no systemic cancer therapy, so nothing is asked of the prefetch either."""
    response = clinic.hook(as_request("order-select", official(shared_dir, name)))
    assert (response.status_code, response.json()) == (200, {"cards": []})


def test_an_order_of_a_scan_gets_no_card(clinic: Clinic, shared_dir: Path) -> None:
    response = clinic.hook(official(shared_dir, "examples_2.json"))
    assert (response.status_code, response.json()) == (200, {"cards": []})


@pytest.mark.parametrize("name", ["patient-view_0.json", "patient-view_1.json", "current_24.json"])
def test_a_chart_without_our_prefetch(clinic: Clinic, shared_dir: Path, name: str) -> None:
    assert_outcome(clinic.hook(as_request("patient-view", official(shared_dir, name)), CHART), 412, "required")


def test_a_chart_with_the_prefetch_of_another_service(clinic: Clinic, shared_dir: Path) -> None:
    assert_outcome(clinic.hook(official(shared_dir, "current_1.json"), CHART), 412, "required")


@pytest.mark.parametrize("name", ["order-sign_0.json", "order-sign_1.json", "order-sign_2.json"])
def test_a_hook_that_we_do_not_serve(clinic: Clinic, shared_dir: Path, name: str) -> None:
    assert_outcome(clinic.hook(as_request("order-sign", official(shared_dir, name))), 400, "invalid")


@pytest.mark.parametrize(("name", "path"), [("current_22.json", CHART), ("examples_0.json", ORDERS)])
def test_requests_that_are_not_of_2_0(clinic: Clinic, shared_dir: Path, name: str, path: str) -> None:
    assert_outcome(clinic.hook(official(shared_dir, name), path), 400, "invalid")


def test_the_sandbox_key_can_be_listed(shared_dir: Path, tmp_path: Path) -> None:
    """The sandbox signs with this public demo key; it is a key like any other for the file of issuers."""
    from serving.security.issuers import read_issuers

    keys = official(shared_dir, "sandbox_jwks.json")["keys"]
    entry = {
        "issuer": "https://sandbox.cds-hooks.org",
        "cds_hooks": True,
        "algorithms": ["ES384"],
        "roles": ["predict"],
        "keys": keys,
    }
    path = tmp_path / "issuers.json"
    path.write_text(json.dumps({"issuers": [entry]}), encoding="utf-8")
    assert list(read_issuers(path)["https://sandbox.cds-hooks.org"].keys) == [keys[0]["kid"]]
