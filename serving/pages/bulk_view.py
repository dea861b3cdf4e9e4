"""Explanations in bulk, from the precomputed sums: by group, by feature, by month, by subgroup."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from features.contract import GROUPS
from features.feature_titles import in_words
from serving.pages.bulk_asked import SUBGROUPS
from serving.pages.case_view import class_name, histology_name
from serving.pages.contribution_cube import month_name
from serving.pages.figures import Figure
from serving.pages.number_text import signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.pages.bulk_asked import BulkAsked
    from serving.pages.contribution_cube import ContributionCube, Slice
    from serving.pages.log_columns import LogColumns

FEWEST = 10
"""Answers under which a mean is not shown: fewer could point to a person, and say little."""

MOST_FEATURES, MOST_SUBGROUPS = 15, 10
Z_95 = 1.959963984540054
"""Normal quantile of a 95% interval."""

GROUP_PREFIX = "group:"
_OF_A_BAR = (("size#", "mean size, log-odds"), ("mean#", "mean, log-odds"), ("n#", "answers"))


def by_group(found: Slice) -> Figure:
    """Return the mean size of the contribution of each group."""
    rows = _ranked(found, groups=True)
    largest = f"The largest is {rows[0]['label']}, {rows[0]['size#']:.2f} log-odds on average" if rows else ""
    return Figure(
        name="groups",
        title="How much each group moves an estimate",
        says=f"Mean size of a contribution, whichever way. {largest}." if rows else "No answers.",
        columns=(("label", "group"), *_OF_A_BAR),
        numbers=rows,
        drawing="bars",
        marks=[{"label": row["label"], "value": row["size#"]} for row in rows],
        options={"x": "mean size of the contribution, log-odds", "half": True},
    )


def by_feature(found: Slice) -> Figure:
    """Return the mean size of the contributions of the largest features."""
    rows = _ranked(found, groups=False)
    return Figure(
        name="features",
        title=f"The {min(len(rows), MOST_FEATURES)} features that move estimates most",
        says="Mean size of a contribution over the answers of the models that have the feature.",
        columns=(("label", "feature"), *_OF_A_BAR),
        numbers=rows,
        drawing="bars",
        marks=[{"label": row["label"], "value": row["size#"]} for row in rows[:MOST_FEATURES]],
        options={"x": "mean size of the contribution, log-odds", "half": True},
    )


def _ranked(found: Slice, groups: bool) -> list[dict[str, Any]]:
    rows = [
        {"name": name, "label": in_words(name), "size#": size, "mean#": mean, "n#": int(n)}
        for name, size, mean, n in zip(
            found.names, found.mean_absolute.tolist(), found.mean.tolist(), found.count.tolist(), strict=True
        )
        if name.startswith(GROUP_PREFIX) == groups and n >= FEWEST
    ]
    return sorted(rows, key=lambda row: -row["size#"])


def drift(cube: ContributionCube, cells: NDArray[np.bool_]) -> Figure:
    """Return the mean contribution of each group by month, with 95% intervals."""
    months = cube.keys()[:, 0]
    rows = []
    for month in np.unique(months[cells]).tolist():
        found = cube.slice(cells & (months == month))
        for group in GROUPS:
            place = found.names.index(GROUP_PREFIX + group)
            n = int(found.count[place])
            if n >= FEWEST:
                mean, half = float(found.mean[place]), Z_95 * float(found.standard_error[place])
                rows.append(
                    {"group": in_words(group), "month": month_name(month), "mean#": mean, "low#": mean - half,
                     "high#": mean + half, "n#": n}
                )  # fmt: skip
    return Figure(
        name="drift",
        title="Mean contribution of each group, by month",
        says=f"Points are means, bars their 95% intervals. {_largest_step(rows)}",
        columns=(("group", "group"), ("month", "month"), ("mean#", "mean, log-odds"), ("low#", "95% from"),
                 ("high#", "to"), ("n#", "answers")),
        numbers=rows,
        drawing="drift",
        marks=[{"group": row["group"], "month": row["month"], "mean": row["mean#"], "low": row["low#"],
                "high": row["high#"]} for row in rows],
        options={"order": [in_words(group) for group in GROUPS], "label": "slice(datum.label, 2)"},
        remark=f"Months are written year-month; one with under {FEWEST} answers is left out. A step where the version "
        "changes is the model's; within a version it is the cases'.",
    )  # fmt: skip


def _largest_step(rows: Sequence[dict[str, Any]]) -> str:
    steps = [
        (abs(after["mean#"] - before["mean#"]), after)
        for group in GROUPS
        for before, after in pairwise([row for row in rows if row["group"] == in_words(group)])
    ]
    if not steps:
        return "There is one month alone."
    size, row = max(steps, key=lambda step: step[0])
    return f"The largest step from one month to the next is {size:.2f} log-odds: {row['group']} in {row['month']}."


def by_subgroup(cube: ContributionCube, columns: LogColumns, cells: NDArray[np.bool_], asked: BulkAsked) -> Figure:
    """Return the mean contribution of each group in each subgroup; small ones are left empty."""
    place, codes = {
        "version": (1, columns.codes["version"]),
        "therapy_class": (2, columns.codes["therapy_class"]),
        "tissue": (3, cube.tissues),
    }[asked.by]
    of_cell = cube.keys()[:, place]
    written = {"therapy_class": class_name, "tissue": histology_name}.get(asked.by, str)
    found = [
        (written(codes.texts[code]), cube.slice(cells & (of_cell == code)))
        for code in np.unique(of_cell[cells]).tolist()
    ]
    found.sort(key=lambda one: -float(one[1].count.max(initial=0)))
    rows = [_cell(name, one, group) for name, one in found for group in GROUPS]
    shown = [name for name, _ in found][:MOST_SUBGROUPS]
    largest = max((abs(row["mean#"]) for row in rows if row["mean#"] is not None), default=1.0)
    return Figure(
        name="subgroups",
        title=f"Mean contribution by {SUBGROUPS[asked.by]}",
        says=f"The {len(shown)} largest of {len(found)}. Blue raises the estimate, orange lowers it; so do the signs.",
        columns=(("subgroup", SUBGROUPS[asked.by]), ("group", "group"), ("mean#", "mean, log-odds"), ("n", "answers")),
        numbers=rows,
        drawing="heat",
        marks=[
            {"subgroup": row["subgroup"].replace("_", " "), "group": row["group"], "mean": row["mean#"] or 0.0,
             "text": row["text"]}
            for row in rows if row["subgroup"] in shown
        ],
        options={"largest": largest, "groups": [in_words(group) for group in GROUPS],
                 "subgroups": [name.replace("_", " ") for name in shown]},
        remark=f"A dash stands where fewer than {FEWEST} answers are.",
    )  # fmt: skip


def _cell(name: str, found: Slice, group: str) -> dict[str, Any]:
    place = found.names.index(GROUP_PREFIX + group)
    n = int(found.count[place])
    few = n < FEWEST
    mean = None if few else float(found.mean[place])
    n_text = f"<{FEWEST}" if few else f"{n:,}"
    return {"subgroup": name, "group": in_words(group), "mean#": mean, "n": n_text, "text": signed(mean)}
