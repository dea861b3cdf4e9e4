"""Similar past cases: answers of the same model family for the same therapy class whose reasons weigh alike.

Two answers are near when their contributions by group are: the distance is the sum of the absolute differences of the
eight groups, in log-odds. That is likeness as the model sees it, which is what an auditor asks about; two patients may
differ in much that the model does not read. Answers about the same patient are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.contract import GROUPS
from serving.pages.log_columns import KINDS, STATUSES, UNKNOWN
from serving.pages.log_reading import digest_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serving.pages.log_columns import LogColumns
    from serving.pages.log_follow import LogReader

MOST_LISTED = 8
"""Similar cases that a page lists."""

COMPARED = 50
"""Nearest cases with a known outcome whose rate of response is told."""

FEWEST_COMPARED = 10
"""Known outcomes below which no rate is told: it could point to a person, and would say little."""


@dataclass(frozen=True)
class Alike:
    """What was found.

    Attributes
    ----------
    rows
        As the list of predictions has them, the nearest first, with ``distance`` in log-odds.
    among
        How many answers were compared.
    known, responded
        Of the nearest with a known outcome; None where there are too few to tell.
    mean_probability
        What was estimated for those.
    """

    rows: list[dict[str, Any]]
    among: int
    known: int
    responded: int | None
    mean_probability: float | None


def alike(reader: LogReader, row: Mapping[str, Any], groups: Mapping[str, float]) -> Alike:
    """Return the answers of the log that are most like one of them.

    Parameters
    ----------
    reader
        The columns of the log.
    row
        Clear columns of the answer.
    groups
        Its contributions by group, log-odds.
    """
    reader.catch_up()
    with reader.steady:
        columns = reader.columns
        places = _candidates(columns, row)
        distance = np.abs(columns["groups"][places] - np.array([groups.get(one, 0.0) for one in GROUPS])).sum(axis=1)
        nearest = np.argsort(distance, kind="stable")
        shown = nearest[:MOST_LISTED]
        listed = reader.rows(places[shown])
        return _found(columns, places[nearest], listed, distance[shown])


def _candidates(columns: LogColumns, row: Mapping[str, Any]) -> NDArray[np.intp]:
    same = (columns["kind"] == KINDS.index("prediction")) & (columns["status"] == STATUSES.index("predicted"))
    for name in ("family", "therapy_class"):
        same &= columns[name] == columns.codes[name].known(row[name] or "")
    same &= columns["seq"] != row["seq"]
    for name in ("patient", "case"):
        number = digest_number(row[f"{name}_ref"])
        if number:
            same &= columns[name] != number
    return np.flatnonzero(same)


def _found(
    columns: LogColumns, ordered: NDArray[np.intp], listed: list[dict[str, Any]], distance: NDArray[Any]
) -> Alike:
    rows = [{**one, "distance": float(far)} for one, far in zip(listed, distance, strict=True)]
    outcome = columns["outcome"][ordered]
    told = ordered[outcome != UNKNOWN][:COMPARED]
    if len(told) < FEWEST_COMPARED:
        return Alike(rows, len(ordered), len(told), None, None)
    responded = int((columns["outcome"][told] == 1).sum())
    return Alike(rows, len(ordered), len(told), responded, float(columns["probability"][told].mean()))
