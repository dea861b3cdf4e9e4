"""The clinical adapters behind the door, over the small models, as a client of theirs sees them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.testclient import TestClient

from serving.audit.auditor import Auditor
from serving.metrics import ServiceMetrics
from serving.predictor import Predictor
from tests.audit_log import open_log
from tests.served_app import SIGNED_IN, guarded_app

NAME = "Dr. A. Example"
FHIR_JSON = "application/fhir+json"
PREDICT = "/fhir/$predict-response"
ORDERS, CHART = "/cds-services/response-estimate-orders", "/cds-services/response-estimate-patient"
LONGEST_SHOWN = 2000
SCHEMAS = Path(__file__).parent / "schemas" / "cds_hooks"


class Clinic:
    """A clinical system that talks to the service, and the log behind it."""

    def __init__(self, models: Path, folder: Path, **settings: Any) -> None:
        self.predictor = Predictor.from_folder(models, synthetic=True)
        self.log: Auditor = open_log(folder)
        app = guarded_app(self.predictor, ServiceMetrics(), folder, self.log, NAME, **settings)
        self.client = TestClient(app, raise_server_exceptions=False)

    def post(self, path: str, content: Any, kind: str = FHIR_JSON, **headers: str) -> Any:
        """Send a body: bytes as they are, all else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.client.post(path, content=body, headers={**SIGNED_IN, "content-type": kind, **headers})

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers={**SIGNED_IN, **headers})

    def predict(self, content: Any) -> Any:
        return self.post(PREDICT, content)

    def hook(self, content: Any, path: str = ORDERS, **headers: str) -> Any:
        return self.post(path, content, "application/json", **headers)


def of_type(bundle: Any, kind: str) -> list[dict[str, Any]]:
    """Return the resources of one type in a bundle."""
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == kind]


def assert_r4(resource: dict[str, Any]) -> None:
    """Hold a resource, and each resource in it, to R4 and to what fhir.resources does not check."""
    from fhir.resources.R4B import get_fhir_model_class

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic's own, of the library's models
        try:
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        except ValidationError as error:
            raise AssertionError(f"{resource['resourceType']}: {error}") from None
    for place, value in _walk(resource, ""):
        assert value not in (None, "", [], {}), place
    for one in _resources(resource):
        if one["resourceType"] == "RiskAssessment":
            assert_risk_invariants(one)


def assert_risk_invariants(risk: dict[str, Any]) -> None:
    """ras-1 (low and high in percent) and ras-2 (at most 100), and that AI says it is AI."""
    for prediction in risk["prediction"]:
        assert 0 <= prediction["probabilityDecimal"] <= 100
        whole = {one["url"].rpartition("/")[2]: one for one in prediction["extension"]}
        limits = whole["AIconfidence"]["valueRange"]
        assert 0 <= limits["low"]["value"] <= prediction["probabilityDecimal"] / 100 <= limits["high"]["value"] <= 1
    assert "AIAST" in {one["code"] for one in risk["meta"]["security"]}


def assert_outcome(response: Any, status: int, code: str) -> dict[str, Any]:
    """Every error of a clinical address is an OperationOutcome of R4; return its first issue."""
    assert response.status_code == status, response.text[:LONGEST_SHOWN]
    assert response.headers["content-type"].startswith(FHIR_JSON)
    assert_r4(response.json())
    issue: dict[str, Any] = response.json()["issue"][0]
    assert issue["code"] == code, response.text[:LONGEST_SHOWN]
    return issue


def schema(name: str, part: str | None = None) -> Any:
    """Return a validator of one of our JSON Schemas of CDS Hooks, or of a part of it."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    document = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    if part is not None:
        document = {"$ref": f"#/$defs/{part}", "$defs": document["$defs"]}
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def _walk(value: Any, place: str) -> Any:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield f"{place}.{name}", child
        yield from _walk(child, f"{place}.{name}")


def _resources(value: Any) -> Any:
    if isinstance(value, dict) and "resourceType" in value:
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _resources(child)
