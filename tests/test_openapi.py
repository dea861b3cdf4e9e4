"""The OpenAPI document: every route with its refusals and examples, every example as its schema says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from serving.metrics import ServiceMetrics
from serving.predictor import Predictor
from tests.served_app import SIGNED_IN, guarded_app

ROUTES = {
    "/predict",
    "/predict/batch",
    "/rank",
    "/bento/predict",
    "/predictions/{prediction_id}",
    "/predictions/{prediction_id}/outcome",
    "/predictions/{prediction_id}/decision",
    "/model",
    "/model/card",
    "/vocabulary/{name}",
    "/schema/{name}",
    "/version",
    "/metrics",
    "/livez",
    "/readyz",
}


@pytest.fixture(scope="module")
def client(served_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    predictor = Predictor.from_folder(served_models, synthetic=True)
    app = guarded_app(predictor, ServiceMetrics(), tmp_path_factory.mktemp("door"))
    with TestClient(app, headers=SIGNED_IN) as found:
        yield found


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def _routes(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            yield path, method, route


def _checked(document: dict[str, Any], content: dict[str, Any]) -> None:
    schema = {**content["schema"], "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(content["example"])


def test_every_route_is_there_and_no_other(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == ROUTES


def test_every_route_shows_examples_that_are_as_its_schemas_say(document: dict[str, Any]) -> None:
    for path, method, route in _routes(document):
        assert route["description"], path
        good = {status: answer for status, answer in route["responses"].items() if status.startswith("2")}
        assert good, path
        for answer in good.values():
            shown = [kind for kind, content in answer["content"].items() if "example" in content]
            assert shown, (path, method)
            for kind in shown:
                _checked(document, answer["content"][kind])
        if method == "post":
            _checked(document, route["requestBody"]["content"]["application/json"])


def test_every_route_says_what_it_can_be_refused_for(document: dict[str, Any]) -> None:
    _checked(document, {"schema": {"$ref": "#/components/schemas/Error"}, "example": _error(document)})
    for path, method, route in _routes(document):
        refused = {status for status in route["responses"] if not status.startswith("2")}
        for status in refused:
            schema = route["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Error"}, (path, status)
        if path not in ("/livez", "/readyz"):
            assert {"401", "403", "429"} <= refused, path
        if method == "post":
            assert {"400", "413", "415", "422", "503", "504"} <= refused, path
            assert {"Idempotency-Key", "Prefer"} <= {one["name"] for one in route["parameters"]}, path


def _error(document: dict[str, Any]) -> Any:
    return document["components"]["schemas"]["Error"]["example"]


def test_the_example_requests_are_answered_as_described(client: TestClient, document: dict[str, Any]) -> None:
    for path in ("/predict", "/predict/batch", "/rank", "/bento/predict"):
        route = document["paths"][path]["post"]
        answer = client.post(path, json=route["requestBody"]["content"]["application/json"]["example"])
        assert answer.status_code == 200, answer.text
        content = route["responses"]["200"]["content"]["application/json"]
        _checked(document, {"schema": content["schema"], "example": answer.json()})
    written = client.post(
        "/predict", json=document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    ).json()["prediction_id"]
    for kind in ("outcome", "decision"):
        path = f"/predictions/{{prediction_id}}/{kind}"
        route = document["paths"][path]["post"]
        sent = route["requestBody"]["content"]["application/json"]["example"]
        answer = client.post(path.format(prediction_id=written), json=sent)
        assert answer.status_code == 201, answer.text
        content = route["responses"]["201"]["content"]["application/json"]
        _checked(document, {"schema": content["schema"], "example": answer.json()})
    route = document["paths"]["/predictions/{prediction_id}"]["get"]
    content = route["responses"]["200"]["content"]["application/json"]
    found = client.get(f"/predictions/{written}").json()
    _checked(document, {"schema": content["schema"], "example": found})
    assert [one["kind"] for one in found["later"]] == ["outcome", "decision"]


def test_no_schema_is_empty(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Batch"]["properties"]["cases"]["items"] == {"$ref": "#/components/schemas/Case"}
    for path, method, route in _routes(document):
        contents = [answer["content"] for answer in route["responses"].values()]
        for content in contents:
            for kind, one in content.items():
                assert one["schema"], (path, method, kind)
