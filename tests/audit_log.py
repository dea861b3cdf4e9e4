"""Invented answers and a fresh log, for the tests of the audit log: no model is needed."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from features.case import read_case
from serving.audit.auditor import Auditor
from serving.audit.entries import PredictionEntry
from serving.audit.keys import generate_keys
from tests.cases import good_case

GROUPS = ("evidence", "histology", "alterations", "tmb", "mmr", "prior_lines", "therapy", "patient")


def answer(log_odds: float = -0.25, **changes: Any) -> dict[str, Any]:
    """Return an answer of the shape of architecture.md."""
    return {
        "prediction_id": str(uuid.uuid4()),
        "case_id": "c-1",
        "status": "predicted",
        "probability": 0.4378234991142019,
        "interval": {"low": 0.31, "high": 0.57, "method": "log-odds-95"},
        "log_odds": log_odds,
        "base_log_odds": -1.0,
        "contributions": [
            {"feature": f"feature_{k}", "group": GROUPS[k % 8], "value": 12.3, "unit": "", "log_odds": 0.75 / (k + 1),
             "text": "a sentence of the usual length that says what it does"}
            for k in range(48)
        ],
        "groups": dict.fromkeys(GROUPS, 0.1 / 3),
        "evidence": [{"arm": "an invented arm", "n": 102, "orr_percent": 29.0}],
        "comparators": {"tmb_10_or_more": True},
        "reasons": [],
        "warnings": [{"code": "synthetic_model", "text": "SYNTHETIC"}],
        "model": {"name": "checkpoint-response", "version": "1", "digest": "sha256:00", "vocabulary": "v1"},
        "intended_use": "For research use only.",
        **changes,
    }  # fmt: skip


def entry(**changes: Any) -> PredictionEntry:
    """Return an entry of an invented case; keys of a case may be replaced."""
    given = {key: changes.pop(key) for key in ("place", "shadow_of", "features") if key in changes}
    answered = changes.pop("answer", None) or answer()
    case = read_case(good_case(**changes))
    return PredictionEntry(case, {**answered, "case_id": case.case_id}, "checkpoint", "tests", 1.5, **given)


def keys_in(folder: Path) -> Path:
    """Make keys, unless they are there; return their folder."""
    generate_keys(folder / "keys")
    return folder / "keys"


def open_log(folder: Path, url: str | None = None) -> Auditor:
    """Open a log in a folder of its own, or in the given database."""
    return Auditor.open(url or f"sqlite:///{folder / 'audit.db'}", keys_in(folder), folder / "audit.heads.jsonl")
