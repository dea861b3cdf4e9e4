"""What the log holds, counted from its columns in memory: for the first page, and which models answered when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.pages.log_columns import DECISIONS, KINDS, STATUSES, UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.pages.log_columns import LogColumns
    from serving.pages.log_follow import LogReader


@dataclass(frozen=True)
class Counts:
    """Counts over all predictions; ``waiting`` are queries and rejections, which ask somebody to look."""

    predictions: int
    abstained: int
    outcomes: int
    responded: int
    reviewed: int
    waiting: int
    overridden: int
    against: int
    first: str | None
    last: str | None


@dataclass(frozen=True)
class Answered:
    """One model version and its answers: how many, from when to when; shadow answers and those of rankings apart."""

    version: str
    answers: int
    abstained: int
    shadow: int
    ranked: int
    outcomes: int
    first: str
    last: str


def counts(reader: LogReader) -> Counts:
    """Count what the log holds, as far as it was read."""
    reader.catch_up()
    with reader.steady:
        columns = reader.columns
        asked = columns["kind"] == KINDS.index("prediction")
        time = columns["time"][asked]
        review = columns["review"][asked]
        queries = [columns.codes["review"].known(one) for one in ("query", "reject")]
        return Counts(
            predictions=int(asked.sum()),
            abstained=int((columns["status"][asked] == STATUSES.index("abstained")).sum()),
            outcomes=int((columns["outcome"][asked] != UNKNOWN).sum()),
            responded=int((columns["outcome"][asked] == 1).sum()),
            reviewed=int((review != UNKNOWN).sum()),
            waiting=int((np.isin(review, queries) & (review != UNKNOWN)).sum()),
            overridden=int((columns["decision"][asked] == DECISIONS.index("overridden")).sum()),
            against=int((columns["disagrees"][asked] != 0).sum()),
            first=_moment(time.min()) if time.size else None,
            last=_moment(time.max()) if time.size else None,
        )


def answered(reader: LogReader) -> list[Answered]:
    """Return the model versions of the log, the one that answered last first."""
    reader.catch_up()
    with reader.steady:
        columns = reader.columns
        versions = enumerate(columns.codes["version"].texts)
        found = [_of_version(columns, text, columns["version"] == code) for code, text in versions]
    return sorted((one for one in found if one is not None), key=lambda one: one.last, reverse=True)


def _of_version(columns: LogColumns, version: str, theirs: NDArray[Any]) -> Answered | None:
    if not theirs.any():
        return None
    asked = theirs & (columns["kind"] == KINDS.index("prediction"))
    time = columns["time"][theirs]
    return Answered(
        version=version,
        answers=int(asked.sum()),
        abstained=int((asked & (columns["status"] == STATUSES.index("abstained"))).sum()),
        shadow=int((theirs & (columns["kind"] == KINDS.index("shadow"))).sum()),
        ranked=int((theirs & (columns["kind"] == KINDS.index("listed"))).sum()),
        outcomes=int((asked & (columns["outcome"] != UNKNOWN)).sum()),
        first=_moment(time.min()),
        last=_moment(time.max()),
    )


def _moment(microseconds: Any) -> str:
    return str(np.datetime64(int(microseconds), "us")) + "Z"
