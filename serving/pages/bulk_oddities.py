"""What is odd among many explanations: signs that biology denies, and answers unlike the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from features.contract import GROUPS
from features.feature_titles import in_words
from models.explanation import SMALLEST_SIGN_WARNING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serving.pages.bulk_asked import BulkAsked
    from serving.pages.log_columns import LogColumns
    from serving.pages.log_follow import LogReader

MOST_OUTLIERS = 12
FEWEST_FOR_OUTLIERS = 30
"""Answers under which their mean says too little to call one of them odd."""

HOW = (
    "An answer's contribution disagrees when the value lies on the favourable side of the training mean and the "
    f"contribution lowers the estimate, or the other way round, by at least {SMALLEST_SIGN_WARNING:g} log-odds. Not "
    "judged: unknown values, values near the mean, and features for which biology declares no sign."
)


def sign_disagreements(columns: LogColumns, rows: NDArray[np.intp], asked: BulkAsked) -> list[dict[str, Any]]:
    """Return the features that were judged, the most often disagreeing first.

    Each has ``feature``, ``label``, ``judged``, ``against``, ``share`` and ``address`` of the list of those answers.
    """
    judged, against = (_counts(columns, name, rows) for name in ("judged", "disagrees"))
    found = [
        {
            "feature": feature,
            "label": in_words(feature),
            "judged": judged[feature],
            "against": against[feature],
            "share": against[feature] / judged[feature],
            "address": asked.listed(disagrees=feature).address(),
        }
        for feature in judged
        if judged[feature]
    ]
    return sorted(found, key=lambda one: (-one["against"], one["label"]))


def _counts(columns: LogColumns, name: str, rows: NDArray[np.intp]) -> dict[str, int]:
    flags = columns[name][rows]
    return {
        feature: int(np.count_nonzero(flags & np.uint64(1 << bit)))
        for bit, feature in enumerate(columns.codes["features"].texts)
    }


def outliers(reader: LogReader, rows: NDArray[np.intp]) -> list[Mapping[str, Any]]:
    """Return the answers whose contributions by group are farthest from the mean explanation, the farthest first.

    Distance is the sum over groups of the differences from the mean, in log-odds: standard deviations would name rare
    findings, not large effects. Each has the columns of the list, ``distance``, and the ``group`` that differs most
    with its ``phi``.
    """
    columns = reader.columns
    if len(rows) < FEWEST_FOR_OUTLIERS:
        return []
    phi = columns["groups"][rows]
    away = np.abs(phi - phi.mean(axis=0, dtype=np.float64))
    farthest = away.sum(axis=1)
    places = np.argpartition(farthest, -MOST_OUTLIERS)[-MOST_OUTLIERS:]
    places = places[np.argsort(-farthest[places], kind="stable")]
    group = away[places].argmax(axis=1)
    listed = {row["seq"]: row for row in reader.rows(rows[places])}
    found: list[Mapping[str, Any]] = []
    for place, one in zip(places.tolist(), group.tolist(), strict=True):
        row = listed.get(int(columns["seq"][rows[place]]))
        if row is not None:
            size = {"group": in_words(GROUPS[one]), "phi": float(phi[place, one])}
            found.append({**row, **size, "distance": float(farthest[place])})
    return found
