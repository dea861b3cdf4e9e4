"""How error and coverage on synthetic cases change with the number of training cases: a table and its picture.

    python -m training.growth docs/pictures/synthetic-growth --sizes 250,500,1000,2000,5000

Every row is a model that was fitted on so many development cases and judged by 2,000 cases of other sites: by its
distance from their true probability, and by how its contributions rank them beside the true terms. Rows that the table
has are kept, so that the large sizes can be added one by one; a blank cell was not measured.
"""

from __future__ import annotations

import argparse
import csv
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from matplotlib.figure import Figure

from features.sources.synthetic import draw
from features.table import FeatureTable
from models.response_fit import fit_response
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from training.evidence_for import evidence_without
from training.explained_truth import agreement
from training.palette import BLUE, GREEN, ORANGE, VERMILION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

SEED, JUDGED = 201, 2_000
"""Of the training cases (the judged ones have the next), and how many are judged."""

SHOWN_SIZES = (250, 1_000, 5_000, 20_000)
"""Marks of the axis of training cases."""

COLUMNS = ("family", "missingness", "cases", "error", "coverage", "median_width", "spearman")

SETTINGS = ResponseSettings(linear=LinearSettings(prior="selected"), boosted=BoostedSettings(on=False))
"""Of ``experiments/*_synthetic.yaml``."""

KINDS = tuple(product(("checkpoint", "targeted"), ("none", "realistic")))

STYLE = {
    ("checkpoint", "none"): (BLUE, "-", "checkpoint, complete"),
    ("checkpoint", "realistic"): (ORANGE, "-.", "checkpoint, with missingness"),
    ("targeted", "none"): (VERMILION, "--", "targeted, complete"),
    ("targeted", "realistic"): (GREEN, ":", "targeted, with missingness"),
}

ASKED = {"error": (0.04, 0.07), "spearman": (0.90,), "coverage": (0.90, 0.98), "median_width": ()}
"""Bars of issue 4 at 20,000 cases: error on complete cases and with missingness, rank correlation, span of coverage."""

TITLES = {
    "error": "mean absolute error to the true probability",
    "spearman": "rank correlation of contributions with true terms",
    "coverage": "share of true probabilities inside the 95% interval",
    "median_width": "median width of the interval",
}


def judged_on_truth(family: Any, missingness: Any, n: int, seed: int = SEED) -> dict[str, object]:
    """Fit on n synthetic cases and return one row of the table.

    Parameters
    ----------
    family, missingness
        As :func:`features.sources.synthetic.draw` takes them.
    n
        Training cases.
    """
    training = draw(family, n, seed, missingness=missingness)
    fresh = draw(family, JUDGED, seed + 1, cohort="external", missingness=missingness)
    batch = training.batch()
    answers = fit_response(
        batch,
        training.response,
        training.patient_ids,
        table=FeatureTable.for_family(family).fit(batch),
        evidence=evidence_without(family, (), ()),
        settings=SETTINGS,
        card={"name": f"{family}-response", "endpoint": "orr", "synthetic": True},
    ).model.answers(fresh.batch())
    truths, scores = cast("Any", fresh.truth), answers.scores
    truth = truths.column("probability").to_numpy()
    inside = (scores.low <= truth) & (truth <= scores.high)
    ranks = [one.rank for one in agreement(family, answers, truths).values()]
    found = (
        np.abs(scores.probability - truth).mean(),
        inside.mean(),
        np.median(scores.high - scores.low),
        np.mean(ranks),
    )
    return dict(zip(COLUMNS, (family, missingness, n, *(f"{value:.4f}" for value in found)), strict=True))


def picture(rows: Sequence[Mapping[str, object]]) -> Figure:
    """Return error, rank correlation, coverage and width against the number of training cases."""
    figure = Figure(figsize=(10, 8), layout="constrained")
    for axes, measure in zip(figure.subplots(2, 2).flat, TITLES, strict=True):
        _panel(axes, rows, measure)
    figure.axes[0].legend(fontsize=8, frameon=False, loc="upper right")
    figure.suptitle("SYNTHETIC cases: other sites, the same truth", fontsize=10)
    return figure


def _panel(axes: Axes, rows: Sequence[Mapping[str, object]], measure: str) -> None:
    for kind, (colour, dash, label) in STYLE.items():
        mine = sorted((r for r in rows if (r["family"], r["missingness"]) == kind), key=lambda r: int(str(r["cases"])))
        known = [row for row in mine if row[measure]]
        sizes, values = ([float(str(row[name])) for row in known] for name in ("cases", measure))
        axes.plot(sizes, values, color=colour, linestyle=dash, marker="o", markersize=3, label=label)
    for bar in ASKED[measure]:
        axes.axhline(bar, color="grey", linewidth=0.7)
    axes.set_xscale("log")
    axes.set_xlim(SHOWN_SIZES[0] * 0.8, SHOWN_SIZES[-1] * 1.25)
    axes.set_xticks(SHOWN_SIZES, [f"{n:,}" for n in SHOWN_SIZES])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("training cases")
    axes.set_title(TITLES[measure], fontsize=9)


def grown(table: Path, sizes: Sequence[int]) -> list[dict[str, object]]:
    """Return the rows of a table and of the sizes it does not have yet, and write each as it is found."""
    rows: list[dict[str, object]] = []
    if table.exists():
        with table.open(newline="", encoding="utf-8") as held:
            rows = [dict(row) for row in csv.DictReader(held)]
    known = {(row["family"], row["missingness"], int(str(row["cases"]))) for row in rows}
    for n, (family, missingness) in product(sizes, KINDS):
        if (family, missingness, n) not in known:
            rows.append(judged_on_truth(family, missingness, n))
            _write(table, rows)
    return rows


def _write(table: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with table.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (row["family"], row["missingness"], int(str(row["cases"])))))


def main() -> None:
    """Read the command line, and write ``<stem>.csv`` and ``<stem>.png``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("stem", type=Path, help="path of the two files, without an ending")
    parser.add_argument("--sizes", default="", help="numbers of training cases, with commas")
    asked = parser.parse_args()
    sizes = [int(n) for n in asked.sizes.split(",") if n]
    picture(grown(asked.stem.with_suffix(".csv"), sizes)).savefig(asked.stem.with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
