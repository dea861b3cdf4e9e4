"""The OpenAPI description: the case schema is the record itself, and every route shows an example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.case import Case

if TYPE_CHECKING:
    from fastapi import FastAPI

REF = "#/components/schemas/{model}"

EXAMPLE_CASE: dict[str, Any] = {
    "case_id": "c-1",
    "histology": "LUAD",
    "assay": {"panel": "MSK-IMPACT468"},
    "alterations": [
        {"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12C", "vaf": 0.31},
        {"gene": "TP53", "kind": "mutation", "protein_change": "p.R273H"},
    ],
    "tmb": {"mut_per_mb": 12.3},
    "mmr": {"msi_pcr": "MSS"},
    "prior_lines": 1,
    "patient": {
        "age_years": 63,
        "sex": "female",
        "ecog": 1,
        "albumin_g_per_dl": 3.9,
        "nlr": 4.2,
        "pdl1_tps_percent": 50,
    },
    "therapy": {"agents": ["pembrolizumab"]},
}
"""An invented case; it is nobody's."""

_CODED = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["code", "text"],
        "properties": {"code": {"type": "string"}, "text": {"type": "string"}},
    },
}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_INTERVAL = {
    "type": ["object", "null"],
    "required": ["low", "high", "method"],
    "properties": {"low": _SHARE, "high": _SHARE, "method": {"type": "string"}},
}
_CONTRIBUTION = {
    "type": "object",
    "required": ["feature", "group", "value", "unit", "log_odds", "text"],
    "properties": {
        **{name: {"type": "string"} for name in ("feature", "group", "text")},
        "log_odds": {"type": "number"},
        "declared_sign": {"enum": [-1, 1], "description": "what biology declares a higher value to do"},
    },
}
_MODEL = {
    "type": "object",
    "required": ["name", "version", "digest", "endpoint", "trained_on", "synthetic", "vocabulary"],
    "properties": {
        **{name: {"type": "string"} for name in ("name", "version", "digest")},
        "synthetic": {"type": "boolean"},
    },
}
ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["prediction_id", "status", "contributions", "groups", "reasons", "warnings", "model", "intended_use"],
    "properties": {
        "prediction_id": {"type": "string"},
        "case_id": {"type": ["string", "null"]},
        "status": {"enum": ["predicted", "abstained"]},
        "probability": {**_SHARE, "type": ["number", "null"]},
        "interval": _INTERVAL,
        "log_odds": {"type": ["number", "null"]},
        "base_log_odds": {"type": ["number", "null"]},
        "contributions": {"type": "array", "items": _CONTRIBUTION},
        "groups": {"type": "object", "additionalProperties": {"type": "number"}},
        "evidence": {"type": "array", "items": {"type": "object", "required": ["arm", "n", "orr_percent"]}},
        "comparators": {"type": "object"},
        "reasons": _CODED,
        "warnings": _CODED,
        "model": _MODEL,
        "intended_use": {"type": "string"},
    },
}
"""base_log_odds and the contributions add up to log_odds; null where an abstention has no number."""

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "request_id": {"type": "string"},
                "field": {"type": "string"},
                "problems": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}

_ERRORS = {
    "400": "not JSON",
    "408": "the body did not come in time",
    "410": "the answer of this Idempotency-Key was erased",
    "413": "too large",
    "415": "not application/json",
    "422": "refused",
    "503": "no model is ready, or the audit log takes no records",
    "504": "the deadline passed; nothing was recorded",
}


def describe(app: FastAPI) -> None:
    """Put request bodies, answers, errors and examples into the application's OpenAPI document."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Case" not in schemas:
            schemas.update(_schemas())
            _describe_routes(document["paths"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _schemas() -> dict[str, Any]:
    case = Case.model_json_schema(ref_template=REF, by_alias=True)
    parts = case.pop("$defs", {})
    request = {**case, "title": "CaseOrTherapies", "properties": dict(case["properties"])}
    request["properties"]["therapies"] = {
        "type": "array",
        "items": {"$ref": REF.format(model="Regimen")},
        "minItems": 1,
    }
    request["required"] = [name for name in case["required"] if name != "therapy"]
    batch = {
        "type": "object",
        "required": ["cases"],
        "additionalProperties": False,
        "properties": {"cases": {"type": "array", "minItems": 1, "maxItems": 1000, "items": _ref("Case")}},
    }
    answers = {
        "type": "object",
        "required": ["answers"],
        "properties": {"answers": {"type": "array", "items": _ref("Answer")}},
    }
    answered = {
        **answers,
        "description": "in the order of the cases; one that was refused has its error in its place",
        "properties": {"answers": {"type": "array", "items": {"anyOf": [_ref("Answer"), _ref("Error")]}}},
    }
    one_or_several = {"anyOf": [_ref("Answer"), _ref("Answers")]}
    named = {
        "Case": case,
        "CaseOrTherapies": request,
        "Batch": batch,
        "Answers": answers,
        "AnswersOrErrors": answered,
        "AnswerOrAnswers": one_or_several,
    }
    return {**parts, **named, "Answer": ANSWER_SCHEMA, "Error": ERROR_SCHEMA}


def _describe_routes(paths: dict[str, Any]) -> None:
    _describe_post(paths["/predict"]["post"], "CaseOrTherapies", "AnswerOrAnswers", EXAMPLE_CASE)
    _describe_post(paths["/predict/batch"]["post"], "Batch", "AnswersOrErrors", {"cases": [EXAMPLE_CASE]})
    for path in ("/livez", "/readyz", "/model"):
        paths[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"] = {"type": "object"}
    paths["/model"]["get"]["responses"]["503"] = _error("no model is ready")
    paths["/readyz"]["get"]["responses"]["503"] = _error("no model is ready, or the audit log takes no records")


def _describe_post(route: dict[str, Any], request: str, answer: str, example: dict[str, Any]) -> None:
    schema = {"$ref": REF.format(model=request)}
    route["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
    route["responses"] = {
        "200": {
            "description": "answered",
            "content": {"application/json": {"schema": {"$ref": REF.format(model=answer)}}},
        },
        **{status: _error(text) for status, text in _ERRORS.items()},
    }


def _ref(model: str) -> dict[str, str]:
    return {"$ref": REF.format(model=model)}


def _error(text: str) -> dict[str, Any]:
    schema = {"$ref": REF.format(model="Error")}
    return {"description": text, "content": {"application/json": {"schema": schema}}}
