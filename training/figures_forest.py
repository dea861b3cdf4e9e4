"""Forest plots: a metric with its interval by cohort, predictor or subgroup, and a line where nothing is gained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.bootstrap import Estimate
from training.judged import MODEL, Row
from training.palette import BLUE, TITLES, blank, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.further import FurtherTable

METRIC_TITLES = {"auroc": "AUROC", "citl": "CITL (log-odds)", "slope": "calibration slope"}
NEUTRAL = {"auroc": 0.5, "citl": 0.0, "slope": 1.0}
"""Where nothing is gained, or nothing is wrong."""

LINE_INCHES = 0.235
"""Height of one line."""

MOST_LINES = 100
"""Lines of one figure; it says how many more the tables hold."""


def forest(rows: Sequence[Row], metrics: Sequence[str], title: str, synthetic: bool) -> Figure:
    """Draw metrics side by side, rows under a heading per set of patients.

    Parameters
    ----------
    rows
        In the order of the tables; rows in which no metric is defined are left out and counted in the title.
    metrics
        One panel each.
    title, synthetic
        Of the figure.
    """
    drawn = [row for row in rows if any(np.isfinite(row.value(metric)) for metric in metrics)]
    shown, more = drawn[:MOST_LINES], len(rows) - len(drawn[:MOST_LINES])
    lines = _lines(shown)
    figure = blank(3.2 + 3.0 * len(metrics), 1.0 + LINE_INCHES * max(3, len(lines)), synthetic)
    panels = np.atleast_1d(figure.subplots(1, len(metrics), sharey=True))
    for panel, metric in zip(panels, metrics, strict=True):
        _panel(panel, lines, metric)
    panels[0].set_yticks(range(len(lines)), [words for words, _ in lines], fontsize=7.5)
    for label, (_, row) in zip(panels[0].get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if row is None or row.predictor == MODEL else "normal")
    panels[0].set_ylim(len(lines) - 0.4, -0.6)
    tail = f"\n({more} more in the tables, or too small to score)" if more else ""
    figure.suptitle(f"{title}, 95% intervals{tail}", fontsize=10, x=0.01, ha="left")
    return figure


def _lines(rows: Sequence[Row]) -> list[tuple[str, Row | None]]:
    """Return labels with their rows; a heading has none. Groups of one row per heading are written on one line."""
    found: list[tuple[str, Row | None]] = []
    heading = ""
    for row in rows:
        now = f"{row.cohort}: {row.scene}"
        if now != heading:
            found.append((now, None))
            heading = now
        found.append((f"{TITLES.get(row.predictor, row.predictor)}  {row.events}/{row.n}", row))
    alone = len({(row.scene, row.cohort) for row in rows}) == len(rows)
    if not alone:
        return found
    return [(f"{row.cohort}: {row.scene}  {row.events}/{row.n}", row) for row in rows]


def _panel(axes: Axes, lines: Sequence[tuple[str, Row | None]], metric: str) -> None:
    for place, (_, row) in enumerate(lines):
        one = None if row is None else row.metrics.get(metric)
        if row is None or one is None or not np.isfinite(one.value):
            continue
        _mark(axes, place, one, ours=row.predictor == MODEL)
    _dress(axes, metric)


def _mark(axes: Axes, place: int, one: Estimate, *, ours: bool) -> None:
    colour = BLUE if ours else "0.35"
    if np.isfinite(one.low):
        axes.plot([one.low, one.high], [place, place], color=colour, lw=2.4 if ours else 1.4)
    axes.plot(one.value, place, "s" if ours else "o", color=colour, ms=4.5)


def _dress(axes: Axes, metric: str) -> None:
    if metric in NEUTRAL:
        axes.axvline(NEUTRAL[metric], color="0.6", lw=1, ls="--")
    axes.set_xlabel(METRIC_TITLES.get(metric, metric), fontsize=8.5)
    axes.tick_params(axis="x", labelsize=8)
    plain(axes)


def forest_of_table(table: FurtherTable, metrics: Sequence[str], synthetic: bool) -> Figure | None:
    """Draw the metrics of a further table (subgroups, what was left out), a line per row; None when it has none.

    A row's label is its first words: those before the first number with an interval. Where the table says in which
    range a new cohort is expected (``<metric>_new_cohort``), a thin line shows it.
    """
    held = [metric for metric in metrics if any(_finite(row.get(metric)) for row in table.rows)]
    rows = [row for row in table.rows if any(_finite(row.get(metric)) for metric in held)][:MOST_LINES]
    if not held or not rows:
        return None
    figure = blank(3.6 + 3.0 * len(held), 1.0 + LINE_INCHES * max(3, len(rows)), synthetic)
    panels = np.atleast_1d(figure.subplots(1, len(held), sharey=True))
    for panel, metric in zip(panels, held, strict=True):
        for place, row in enumerate(rows):
            cell = row.get(metric)
            _expected(panel, place, row.get(f"{metric}_new_cohort"))
            if isinstance(cell, Estimate) and np.isfinite(cell.value):
                _mark(panel, place, cell, ours=row.get("predictor", MODEL) == MODEL)
        _dress(panel, metric)
    panels[0].set_yticks(range(len(rows)), [_label(table, row) for row in rows], fontsize=7.5)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    new = any(key.endswith("_new_cohort") for key, _ in table.columns)
    thin = "; thin: where a new cohort is expected" if new else ""
    figure.suptitle(f"{table.title}, 95% intervals{thin}", fontsize=10, x=0.01, ha="left")
    return figure


def _expected(axes: Axes, place: int, said: object) -> None:
    """Draw a prediction interval as the table writes it ("0.434 to 0.856"); a dash draws nothing."""
    if isinstance(said, str) and " to " in said:
        low, high = (float(end) for end in said.split(" to "))
        axes.plot([low, high], [place, place], color="0.6", lw=0.9, zorder=1)


def _finite(cell: object) -> bool:
    return isinstance(cell, Estimate) and bool(np.isfinite(cell.value))


def _label(table: FurtherTable, row: Mapping[str, Any]) -> str:
    words: list[str] = []
    for key, _ in table.columns:
        cell = row.get(key)
        if isinstance(cell, Estimate):
            break
        if isinstance(cell, str) and key != "note":
            words.append(TITLES.get(cell, cell) if key == "predictor" else cell)
    counts = f"  {row['events']}/{row['n']}" if "events" in row and "n" in row else ""
    return ": ".join(words[:3]) + counts
