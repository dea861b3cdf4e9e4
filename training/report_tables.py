"""The tables of a report: one per scene and cohort, every predictor's row, the losing ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.judged import MODEL
from training.palette import TITLES

if TYPE_CHECKING:
    from models.delong import PairedAuroc
    from training.evaluate import Evaluation
    from training.judged import Row

SHOWN_METRICS = {
    "auroc": "AUROC",
    "auroc_within_histology": "AUROC within histology",
    "auprc": "AUPRC",
    "brier": "Brier",
    "brier_skill": "Brier skill",
    "log_loss": "log loss",
    "citl": "CITL",
    "slope": "slope",
    "ici": "ICI",
    "e90": "E90",
}
"""Columns of the report's tables, in order, with their headings."""


def tables(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return one table per scene and cohort, in order, every row of it: the losing ones too.

    Predictors that are defined for nobody there are named below the table.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    for row in evaluation.rows:
        found.setdefault((row.scene, row.cohort), []).append(row)
    return [
        {
            "caption": f"{cohort}: {scene}",
            "metrics": list(SHOWN_METRICS.values()),
            "rows": [_shown(row) for row in rows if row.n],
            "absent": [TITLES.get(row.predictor, row.predictor) for row in rows if not row.n],
        }
        for (scene, cohort), rows in found.items()
    ]


def _shown(row: Row) -> dict[str, Any]:
    against = row.against_model
    return {
        "title": TITLES.get(row.predictor, row.predictor),
        "ours": row.predictor == MODEL,
        "n": row.n,
        "events": row.events,
        "cells": [_cell(row, metric) for metric in SHOWN_METRICS],
        "difference": {"value": "", "interval": ""} if against is None else _with_interval(against),
        "note": row.note,
    }


def _with_interval(one: PairedAuroc) -> dict[str, str]:
    return {"value": signed(one.difference), "interval": f"{signed(one.low)} to {signed(one.high)}"}


def _cell(row: Row, metric: str) -> dict[str, str]:
    one = row.metrics.get(metric)
    if one is None or not np.isfinite(one.value):
        return {"value": "-", "interval": "", "spread": ""}
    interval = f"{one.low:.3f} to {one.high:.3f}" if np.isfinite(one.low) else ""
    if metric in row.spread:
        return {"value": f"{one.value:.3f}", "interval": interval, "spread": f"±{row.spread[metric]:.3f}"}
    return {"value": f"{one.value:.3f}", "interval": interval, "spread": ""}


def signed(value: float) -> str:
    """Write a difference with its sign.

    Examples
    --------
    >>> signed(0.0123), signed(float("nan"))
    ('+0.012', '-')
    """
    return f"{value:+.3f}" if np.isfinite(value) else "-"
