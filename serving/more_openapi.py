"""The description of the further routes: schemas, examples, and what each can be refused for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.openapi import EXAMPLE_CASE, REF

if TYPE_CHECKING:
    from fastapi import FastAPI

EXAMPLE_RANK: dict[str, Any] = {**{key: value for key, value in EXAMPLE_CASE.items() if key != "therapy"}, "limit": 5}
"""The invented case, without a therapy."""

_STATEMENTS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["code", "text"],
        "properties": {"code": {"type": "string"}, "text": {"type": "string"}},
    },
}
_RANKED: dict[str, Any] = {
    "type": "object",
    "required": ["rank", "shares_rank", "overlaps_above", "therapy", "therapy_class", "undone_by", "not_supported"],
    "properties": {
        "rank": {"type": "integer", "minimum": 1},
        "shares_rank": {"type": "boolean", "description": "another therapy of the list has this rank"},
        "overlaps_above": {"type": "boolean", "description": "its interval overlaps that of the one above"},
        "therapy": {"$ref": REF.format(model="Regimen")},
        "therapy_class": {"type": "string"},
        "match": {"type": "object", "description": "whether what the therapy is chosen by was found in this case"},
        "undone_by": {"type": "object", "description": "resistance that is present, and all that is known"},
        "not_supported": _STATEMENTS,
        "answer": {"$ref": REF.format(model="Answer")},
    },
}
_ABSTAINED: dict[str, Any] = {
    "type": "object",
    "required": ["therapy", "therapy_class", "reasons", "model"],
    "properties": {
        "therapy": {"$ref": REF.format(model="Regimen")},
        "therapy_class": {"type": "string"},
        "reasons": _STATEMENTS,
        "model": {"type": "object"},
    },
}
RANKING_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["ranking_id", "how", "lists", "abstained", "not_judged", "intended_use"],
    "properties": {
        "ranking_id": {"type": "string", "description": "of its record; the listed answers are records too"},
        "case_id": {"type": ["string", "null"]},
        "how": {"type": "string"},
        "lists": {
            "type": "array",
            "description": "one per endpoint; never to be ordered together",
            "items": {
                "type": "object",
                "required": ["endpoint", "synthetic", "total", "therapies"],
                "properties": {
                    "endpoint": {"type": "string"},
                    "synthetic": {"type": "boolean"},
                    "total": {"type": "integer"},
                    "therapies": {"type": "array", "items": _RANKED},
                },
            },
        },
        "abstained": {
            "type": "object",
            "required": ["total", "therapies"],
            "properties": {"total": {"type": "integer"}, "therapies": {"type": "array", "items": _ABSTAINED}},
        },
        "not_judged": {"type": "array", "items": {"type": "object"}},
        "intended_use": {"type": "string"},
    },
}

_REFUSED = {
    "400": "not JSON",
    "408": "the body did not come in time",
    "410": "the answer of this Idempotency-Key was erased",
    "413": "too large",
    "415": "not application/json",
    "422": "refused",
}
_NOT_READY = {"503": "no model is ready"}
_TOO_LATE = {"504": "the deadline passed; nothing was recorded"}
_AT_THE_DOOR = {"401": "not authenticated", "403": "not this caller's role", "429": "too many requests"}


def describe_more(app: FastAPI) -> None:
    """Put the further routes into the OpenAPI document; call it after :func:`serving.openapi.describe`."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        if "Ranking" not in document["components"]["schemas"]:
            _add(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _add(document: dict[str, Any]) -> None:
    schemas, paths = document["components"]["schemas"], document["paths"]
    case = schemas["CaseOrTherapies"]
    limit = {"type": "integer", "minimum": 1, "maximum": 200, "default": 20, "description": "listed per endpoint"}
    schemas["CaseToRank"] = {**case, "title": "CaseToRank", "properties": {**case["properties"], "limit": limit}}
    schemas["Ranking"] = RANKING_SCHEMA
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "an API key or a token (JWT)"}
    }
    document["security"] = [{"bearer": []}]
    _describe_rank(paths["/rank"]["post"])
    _describe_card(paths["/model/card"]["get"])
    for path, words in {"/vocabulary/{name}": "no such vocabulary", "/schema/{name}": "no such schema"}.items():
        paths[path]["get"]["responses"] = {"200": _object("found"), "404": _error(words)}
    for path, name in {"/vocabulary/{name}": "histologies", "/schema/{name}": "case"}.items():
        paths[path]["get"]["parameters"][0]["example"] = name
    paths["/version"]["get"]["responses"] = {"200": _object("versions"), **_errors(_NOT_READY)}
    if "/metrics" in paths:
        text = {"description": "metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}
        paths["/metrics"]["get"]["responses"] = {"200": text}
    _describe_door(paths)


def _describe_door(paths: dict[str, Any]) -> None:
    """Say of every route that asks for credentials what is answered without them; the probes ask for none."""
    for path, methods in paths.items():
        for route in methods.values():
            if path in ("/livez", "/readyz"):
                route["security"] = []
            else:
                route["responses"].update(_errors(_AT_THE_DOOR))


def _describe_rank(route: dict[str, Any]) -> None:
    schema = {"$ref": REF.format(model="CaseToRank")}
    body = {"application/json": {"schema": schema, "example": EXAMPLE_RANK}}
    route["requestBody"] = {"required": True, "content": body}
    ranking = {"application/json": {"schema": {"$ref": REF.format(model="Ranking")}}}
    answered = {"description": "ranked", "content": ranking}
    route["responses"] = {"200": answered, **_errors({**_REFUSED, **_NOT_READY, **_TOO_LATE})}


def _describe_card(route: dict[str, Any]) -> None:
    found = _object("the cards; a page where the caller accepts HTML")
    found["content"]["text/html"] = {"schema": {"type": "string"}}
    route["responses"] = {"200": found, **_errors(_NOT_READY)}


def _object(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}


def _errors(described: dict[str, str]) -> dict[str, Any]:
    return {status: _error(text) for status, text in described.items()}


def _error(text: str) -> dict[str, Any]:
    schema = {"$ref": REF.format(model="Error")}
    return {"description": text, "content": {"application/json": {"schema": schema}}}
