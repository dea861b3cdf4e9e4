"""Invented cases that several tests start from; they are nobody's."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

ABSENT = "__absent__"
"""In a golden table: the key is taken out."""


def good_case(**changes: Any) -> dict[str, Any]:
    """Return a valid, rich case with some keys replaced."""
    case: dict[str, Any] = {
        "case_id": "c-1",
        "patient_id": "p-1",
        "histology": "LUAD",
        "therapy": {"agents": ["pembrolizumab"]},
        **changes,
    }
    return {key: value for key, value in case.items() if value != ABSENT}


def golden(topic: str) -> list[dict[str, str]]:
    """Return the rows of ``tests/golden/<topic>.csv``."""
    text = (Path(__file__).parent / "golden" / f"{topic}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))
