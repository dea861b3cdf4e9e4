"""Two model versions side by side: how large their contributions are, and which cases' explanations changed most.

Pairs are answers of both versions to the same request: a shadow answer and the served one, or a case asked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.contract import GROUPS
from features.feature_titles import in_words
from serving.pages.bulk_view import FEWEST
from serving.pages.figures import Figure
from serving.pages.log_columns import KINDS, STATUSES, LogColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.pages.log_follow import LogReader

    Rows = NDArray[np.intp]

MOST_CHANGED = 20


@dataclass(frozen=True)
class Pairs:
    """Rows of both versions, pair by pair; both predicted in ``first[answered]`` and ``second[answered]``."""

    first: Rows
    second: Rows
    answered: NDArray[np.bool_]


@dataclass(frozen=True)
class CompareView:
    """What the page shows of two versions.

    Attributes
    ----------
    versions
        Both names.
    pairs, one_abstained
        Requests that both answered, and those of them that just one abstained on.
    median, largest
        Median and largest difference of the two probabilities; None without pairs that both predicted.
    changed
        Cases whose explanation changed most, each with both rows.
    """

    versions: tuple[str, str]
    record: int
    behind: int
    pairs: int
    one_abstained: int
    median: float | None
    largest: float | None
    figures: dict[str, Figure]
    changed: list[dict[str, Any]]
    choices: list[str]


def compared(reader: LogReader, versions: tuple[str, str], behind: int) -> CompareView:
    """Compare two versions over the whole log."""
    with reader.steady:
        columns = reader.columns
        found = pairs_of(columns, versions)
        first, second = found.first[found.answered], found.second[found.answered]
        moved = np.abs(columns["probability"][second] - columns["probability"][first])
        figures = [sizes(columns, versions), changes(columns, first, second, versions)]
        return CompareView(
            versions,
            columns.covered,
            behind,
            len(found.first),
            int(np.count_nonzero(columns["status"][found.first] != columns["status"][found.second])),
            float(np.median(moved)) if len(moved) else None,
            float(moved.max()) if len(moved) else None,
            {one.name: one for one in figures},
            most_changed(reader, first, second),
            sorted(columns.codes["version"].texts),
        )


def pairs_of(columns: LogColumns, versions: tuple[str, str]) -> Pairs:
    """Return the latest answers of both versions to the same requests."""
    first, second = (_latest(columns, _rows_of(columns, version)) for version in versions)
    asked_first, asked_second = (columns["request"][rows] for rows in (first, second))
    _, left, right = np.intersect1d(asked_first, asked_second, assume_unique=True, return_indices=True)
    first, second = first[left], second[right]
    predicted = STATUSES.index("predicted")
    answered = (columns["status"][first] == predicted) & (columns["status"][second] == predicted)
    return Pairs(first, second, answered)


def _rows_of(columns: LogColumns, version: str) -> Rows:
    asked_for = columns["kind"] != KINDS.index("listed")
    return np.flatnonzero((columns["version"] == columns.codes["version"].known(version)) & asked_for)


def _latest(columns: LogColumns, rows: Rows) -> Rows:
    """Return the latest row of each request."""
    _, places = np.unique(columns["request"][rows[::-1]], return_index=True)
    return rows[::-1][places]


def sizes(columns: LogColumns, versions: tuple[str, str]) -> Figure:
    """Return the mean size of each group's contribution in all answers of either version."""
    rows = []
    for version in versions:
        held = _rows_of(columns, version)
        held = held[columns["status"][held] == STATUSES.index("predicted")]
        if len(held) < FEWEST:
            continue
        mean = np.abs(columns["groups"][held]).mean(axis=0, dtype=np.float64).tolist()
        rows += [
            {"label": in_words(group), "version": version, "value#": size, "n#": len(held)}
            for group, size in zip(GROUPS, mean, strict=True)
        ]
    largest = {row["label"]: 0.0 for row in rows}
    for row in rows:
        largest[row["label"]] = max(largest[row["label"]], row["value#"])
    rows.sort(key=lambda row: -largest[row["label"]])
    return Figure(
        name="sizes",
        title="How much each group moves an estimate, by version",
        says="Mean size of a contribution over all answers of each version, whoever asked and whatever for.",
        columns=(("label", "group"), ("version", "version"), ("value#", "mean size, log-odds"), ("n#", "answers")),
        numbers=rows,
        drawing="two_bars",
        marks=[{"label": row["label"], "version": row["version"], "value": row["value#"]} for row in rows],
        options={"x": "mean size, log-odds", "versions": list(versions), "half": True},
        remark="The versions may have answered other cases; the figure of changes compares the same ones.",
    )


def changes(columns: LogColumns, first: Rows, second: Rows, versions: tuple[str, str]) -> Figure:
    """Return, over the same requests, how much each group's contribution changed and whichever way."""
    moved = columns["groups"][second].astype(np.float64) - columns["groups"][first]
    rows: list[dict[str, Any]] = [
        {"label": in_words(group), "value#": float(np.abs(moved[:, place]).mean()),
         "mean#": float(moved[:, place].mean()), "n#": len(moved)}
        for place, group in enumerate(GROUPS)
    ] if len(moved) >= FEWEST else []  # fmt: skip
    rows.sort(key=lambda row: -row["value#"])
    return Figure(
        name="changes",
        title="How much each contribution changed for the same request",
        says=f"Mean size of the change from {versions[0]} to {versions[1]} over {len(moved):,} requests that both "
        "answered.",
        columns=(("label", "group"), ("value#", "mean size of change"), ("mean#", "mean change"), ("n#", "pairs")),
        numbers=rows,
        drawing="bars",
        marks=[{"label": row["label"], "value": row["value#"]} for row in rows],
        options={"x": "mean size of the change, log-odds", "half": True},
    )


def most_changed(reader: LogReader, first: Rows, second: Rows) -> list[dict[str, Any]]:
    """Return the pairs whose contributions by group changed most, summed over groups."""
    columns = reader.columns
    moved = columns["groups"][second].astype(np.float64) - columns["groups"][first]
    size = np.abs(moved).sum(axis=1)
    places = np.argsort(-size, kind="stable")[:MOST_CHANGED]
    before, after = ({row["seq"]: row for row in reader.rows(rows[places])} for rows in (first, second))
    found = []
    for place in places.tolist():
        one, other = before.get(int(columns["seq"][first[place]])), after.get(int(columns["seq"][second[place]]))
        if one is None or other is None:
            continue
        largest = int(np.abs(moved[place]).argmax())
        shown = {"group": in_words(GROUPS[largest]), "moved": float(moved[place, largest])}
        found.append({"first": one, "second": other, "size": float(size[place]), **shown})
    return found
