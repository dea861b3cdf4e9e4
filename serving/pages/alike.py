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
        here = np.array([groups.get(one, 0.0) for one in GROUPS], dtype=np.float32)
        distance = np.abs(columns["groups"][places] - here).sum(axis=1)
        shown = _nearest(distance, MOST_LISTED)
        told = np.flatnonzero(columns["outcome"][places] != UNKNOWN)
        compared = places[told[_nearest(distance[told], COMPARED)]]
        listed = [
            {**one, "distance": float(far)}
            for one, far in zip(reader.rows(places[shown]), distance[shown], strict=True)
        ]
        return _told(columns, compared, listed, len(places))


def _nearest(distance: NDArray[Any], most: int) -> NDArray[np.intp]:
    """Return the places of the smallest distances, the smallest first; a million are not sorted for a few."""
    if len(distance) > most:
        first = np.argpartition(distance, most)[:most]
        return first[np.argsort(distance[first], kind="stable")]
    return np.argsort(distance, kind="stable")


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


def _told(columns: LogColumns, compared: NDArray[np.intp], listed: list[dict[str, Any]], among: int) -> Alike:
    if len(compared) < FEWEST_COMPARED:
        return Alike(listed, among, len(compared), None, None)
    responded = int((columns["outcome"][compared] == 1).sum())
    return Alike(listed, among, len(compared), responded, float(columns["probability"][compared].mean()))
