"""The description of the routes over the log, and of what every POST takes beside its body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.asked import KEY_PATTERN
from serving.audit.entries import Decision, Outcome
from serving.example_answers import ERROR, EXAMPLE_ID, FOUND
from serving.openapi import EXAMPLE_CASE, REF

if TYPE_CHECKING:
    from fastapi import FastAPI

IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key gives the same answer and leaves one record.",
    "schema": {"type": "string", "pattern": KEY_PATTERN, "maxLength": 255},
}

PREFER: dict[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=5`: this caller waits so many whole seconds (RFC 7240), the site's deadline at most; then "
    "nothing is recorded, and the answer is 504. A preference that cannot be read is none.",
    "schema": {"type": "string"},
    "example": "wait=5",
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "outcome": {"best_response": "PR", "assessed_days_after_index": 56},
    "decision": {"decision": "overridden", "reason": "comorbidity"},
}

_TEXT_OR_NULL = {"type": ["string", "null"]}
_RECORD: dict[str, Any] = {
    "record_id": {"type": "string"},
    "seq": {"type": "integer", "description": "number in the chain, from 1"},
    "time": {"type": "string", "description": "UTC"},
    "caller": {"type": "string"},
    "route": _TEXT_OR_NULL,
    "kind": {"type": "string"},
    "status": _TEXT_OR_NULL,
    "latency_ms": {"type": ["number", "null"]},
    "hash": {"type": "string"},
}
_OBJECT_OR_NULL = {"type": ["object", "null"]}
LOGGED_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": [*_RECORD, "erased", "request", "answer", "features", "later"],
    "properties": {
        **_RECORD,
        "erased": {"type": "boolean"},
        "request": _OBJECT_OR_NULL,
        "answer": {"anyOf": [{"$ref": REF.format(model="Answer")}, {"type": "null"}]},
        "features": _OBJECT_OR_NULL,
        "later": {
            "type": "array",
            "items": {"type": "object", "required": [*_RECORD], "properties": {**_RECORD, "event": _OBJECT_OR_NULL}},
        },
    },
}
RECORDED_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["record_id", "prediction_id", "kind", "seq"],
    "properties": {
        **{name: {"type": "string"} for name in ("record_id", "prediction_id", "kind")},
        "seq": {"type": "integer"},
    },
}

_REFUSED = {
    "400": "not JSON",
    "404": "no such prediction, or not this caller's",
    "408": "the body did not come in time",
    "410": "the answer of this Idempotency-Key was erased",
    "413": "too large",
    "415": "not application/json",
    "422": "refused",
}


def describe_records(app: FastAPI) -> None:
    """Put these routes into the OpenAPI document; call it after the other descriptions."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        if "Logged" not in document["components"]["schemas"]:
            _add(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _add(document: dict[str, Any]) -> None:
    schemas, paths = document["components"]["schemas"], document["paths"]
    schemas["Logged"], schemas["Recorded"] = LOGGED_SCHEMA, RECORDED_SCHEMA
    for event in (Outcome, Decision):
        schema = event.model_json_schema(ref_template=REF, by_alias=True)
        schemas.update(schema.pop("$defs", {}))
        schemas[event.__name__] = schema
    one = paths["/predictions/{prediction_id}"]["get"]
    one["parameters"] = [_id_parameter()]
    one["responses"] = {"200": _answer("the record", "Logged"), **_errors({"404": _REFUSED["404"], **_GONE, **_DOOR})}
    for kind, name in (("outcome", "Outcome"), ("decision", "Decision")):
        _describe_event(paths[f"/predictions/{{prediction_id}}/{kind}"]["post"], kind, name)
    _describe_bento(paths["/bento/predict"]["post"])
    for methods in paths.values():
        if "post" in methods:
            methods["post"].setdefault("parameters", []).extend([IDEMPOTENCY_KEY, PREFER])
    schemas["Error"]["example"] = ERROR
    for (path, method), example in FOUND.items():
        _show(paths.get(path, {}).get(method, {}), example)


def _show(route: dict[str, Any], example: Any) -> None:
    for status, answer in route.get("responses", {}).items():
        kind = "text/plain" if isinstance(example, str) else "application/json"
        if status.startswith("2") and kind in answer.get("content", {}):
            answer["content"][kind]["example"] = example


_GONE = {"503": "the log cannot be read or written", "401": "not authenticated", "429": "too many requests"}
_DOOR = {"403": "not this caller's role", "504": "the deadline passed; nothing was recorded"}


def _id_parameter() -> dict[str, Any]:
    given = {"name": "prediction_id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {**given, "example": EXAMPLE_ID}


def _describe_event(route: dict[str, Any], kind: str, name: str) -> None:
    schema = {"$ref": REF.format(model=name)}
    route["parameters"] = [_id_parameter()]
    content = {"application/json": {"schema": schema, "example": EXAMPLES[kind]}}
    route["requestBody"] = {"required": True, "content": content}
    route["responses"] = {"201": _answer("recorded", "Recorded"), **_errors({**_REFUSED, **_GONE, **_DOOR})}


def _describe_bento(route: dict[str, Any]) -> None:
    case = {"$ref": REF.format(model="Case")}
    schema = {"type": "object", "required": ["case"], "additionalProperties": False, "properties": {"case": case}}
    content = {"application/json": {"schema": schema, "example": {"case": EXAMPLE_CASE}}}
    route["requestBody"] = {"required": True, "content": content}
    refused = {status: text for status, text in _REFUSED.items() if status != "404"}
    route["responses"] = {"200": _answer("answered", "Answer"), **_errors({**refused, **_GONE, **_DOOR})}


def _answer(description: str, model: str) -> dict[str, Any]:
    schema = {"$ref": REF.format(model=model)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _errors(described: dict[str, str]) -> dict[str, Any]:
    return {status: _answer(text, "Error") for status, text in described.items()}
