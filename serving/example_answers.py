"""Invented answers that the OpenAPI document shows; a test holds each to its schema. They are nobody's."""

from __future__ import annotations

from typing import Any

from models.intended_use import INTENDED_USE

EXAMPLE_ID = "019ab0c4-6c00-7d3e-a1b2-0123456789ab"
"""Nobody's prediction: a route asked with it answers 404."""

MODEL: dict[str, Any] = {
    "name": "checkpoint-response",
    "version": "3",
    "digest": "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "endpoint": "orr",
    "trained_on": "an-invented-cohort",
    "synthetic": True,
    "vocabulary": "0123456789abcdef",
    "calibration": "affine",
}

ANSWER: dict[str, Any] = {
    "prediction_id": EXAMPLE_ID,
    "case_id": "c-1",
    "status": "predicted",
    "probability": 0.41,
    "interval": {"low": 0.33, "high": 0.5, "method": "log-odds-95"},
    "log_odds": -0.364,
    "base_log_odds": -0.93,
    "contributions": [
        {
            "feature": "tmb_mut_per_mb",
            "group": "tmb",
            "value": 12.3,
            "unit": "mut/Mb",
            "log_odds": 0.566,
            "text": "TMB 12.3 mut/Mb raises the estimate",
        }
    ],
    "groups": {"tmb": 0.566},
    "evidence": [{"arm": "an invented arm", "n": 102, "orr_percent": 29.0}],
    "comparators": {"tmb_10_or_more": True},
    "reasons": [],
    "warnings": [{"code": "synthetic_model", "text": "SYNTHETIC: trained on invented cases"}],
    "model": MODEL,
    "intended_use": INTENDED_USE,
}

ERROR: dict[str, Any] = {
    "error": {
        "code": "invalid_case",
        "message": "patient.albumin_g_per_dl: 39 looks like g/L; this field is g/dL.",
        "problems": [
            {
                "code": "out_of_range",
                "message": "patient.albumin_g_per_dl: 39 looks like g/L; this field is g/dL.",
                "field": "patient.albumin_g_per_dl",
            }
        ],
        "request_id": "5b61f83b168bd129",
    }
}

_RECORD: dict[str, Any] = {
    "record_id": EXAMPLE_ID,
    "seq": 1,
    "time": "2026-11-22T08:00:00.000000Z",
    "caller": "key:ward-7",
    "route": "/predict",
    "kind": "prediction",
    "status": "predicted",
    "latency_ms": 5.2,
    "hash": "8e3f" * 16,
}
_CASE_REF = "9b71daac.0123456789abcdef0123456789abcdef"

LOGGED: dict[str, Any] = {
    **_RECORD,
    "erased": False,
    "request": {"case_id": _CASE_REF, "histology": "LUAD", "tmb": {"mut_per_mb": 12.3}},
    "answer": {**ANSWER, "case_id": _CASE_REF},
    "features": {"tmb_mut_per_mb": 12.3, "albumin_g_per_dl": None},
    "later": [
        {
            **_RECORD,
            "record_id": EXAMPLE_ID[:-1] + "c",
            "seq": 2,
            "route": "/predictions/{id}/outcome",
            "kind": "outcome",
            "status": "observed",
            "latency_ms": None,
            "event": {"best_response": "PR"},
        }
    ],
}

RECORDED: dict[str, Any] = {
    "record_id": EXAMPLE_ID[:-1] + "c",
    "prediction_id": EXAMPLE_ID,
    "kind": "outcome",
    "seq": 2,
}

RANKING: dict[str, Any] = {
    "case_id": "c-1",
    "ranking_id": EXAMPLE_ID[:-1] + "d",
    "how": "Ordered by the estimated probability of the endpoint.",
    "lists": [
        {
            "endpoint": "orr",
            "synthetic": True,
            "total": 1,
            "therapies": [
                {
                    "rank": 1,
                    "shares_rank": False,
                    "overlaps_above": False,
                    "therapy": {"agents": ["pembrolizumab"]},
                    "therapy_class": "pd1_pdl1",
                    "match": {"status": "not_applicable", "level": None, "classes": []},
                    "undone_by": {"present": [], "known": [], "looked_for": True},
                    "not_supported": [],
                    "answer": ANSWER,
                }
            ],
        }
    ],
    "abstained": {"total": 0, "therapies": []},
    "not_judged": [{"therapy_class": "chemotherapy", "name": "Chemotherapy"}],
    "intended_use": INTENDED_USE,
}

MODELS: dict[str, Any] = {"models": [{"family": "checkpoint", **MODEL}]}

FOUND: dict[tuple[str, str], Any] = {
    ("/predict", "post"): ANSWER,
    ("/predict/batch", "post"): {"answers": [ANSWER, ERROR]},
    ("/bento/predict", "post"): ANSWER,
    ("/rank", "post"): RANKING,
    ("/predictions/{prediction_id}", "get"): LOGGED,
    ("/predictions/{prediction_id}/outcome", "post"): RECORDED,
    ("/predictions/{prediction_id}/decision", "post"): {**RECORDED, "kind": "decision"},
    ("/model", "get"): MODELS,
    ("/model/card", "get"): {
        "cards": [{"family": "checkpoint", "model": MODEL, "card": {"endpoint": "orr", "trained_on": "invented"}}],
        "intended_use": INTENDED_USE,
    },
    ("/vocabulary/{name}", "get"): {
        "name": "panels",
        "vocabulary": "0123456789abcdef",
        "rows": [{"panel": "AN-INVENTED-PANEL"}],
    },
    ("/schema/{name}", "get"): {"title": "Case", "type": "object"},
    ("/version", "get"): {
        "oncorespond": "0.5.0",
        "python": "3.11.0",
        "libraries": {"numpy": "2.4.0"},
        "vocabulary": "0123456789abcdef",
        **MODELS,
    },
    ("/livez", "get"): {"status": "alive"},
    ("/readyz", "get"): {"status": "ready"},
    ("/metrics", "get"): 'oncorespond_requests_total{method="POST",route="/predict",status="200"} 1.0\n',
}
"""Route to what it answers when all is well."""
