"""Golden tables: CSVs that a clinician can extend, one row a case."""

from __future__ import annotations

import csv
from pathlib import Path


def golden(topic: str) -> list[dict[str, str]]:
    """Return the rows of ``tests/golden/<topic>.csv``: case, input, expected, source."""
    with (Path(__file__).parent / "golden" / f"{topic}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
