"""Figures of tables beside the main one: the learning curve, and what each term of the equation brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.bootstrap import Estimate
from training.palette import BLACK, BLUE, blank, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.further import Cell, FurtherTable
    from training.judged import FloatArray

CURVES = (
    ("auroc", "AUROC within cohorts", None),
    ("brier_skill", "Brier skill over the cohorts' base rates", 0.0),
    ("slope", "calibration slope", 1.0),
)
"""Panels of the learning curve: measure, its words, and where nothing is gained or wrong."""

DIFFERENCES = (
    ("auroc_less", "AUROC less that of all terms", "right ranks better"),
    ("brier_less", "Brier less that of all terms", "left fits better"),
    ("log_loss_less", "log loss less that of all terms", "left fits better"),
)
"""Panels of the ablation: measure, its words, and which side is better."""


def learning_curve(table: FurtherTable, synthetic: bool) -> Figure | None:
    """Draw each measure against the number of patients fitted on, one doubling as far as the next."""
    rows = [row for row in table.rows if _estimate(row, "auroc") is not None]
    if len(rows) < 2:
        return None
    figure = blank(10.2, 3.6, synthetic)
    patients = np.array([float(str(row["patients"])) for row in rows])
    for axes, (name, words, neutral) in zip(figure.subplots(1, len(CURVES)), CURVES, strict=True):
        _curve(axes, patients, [_estimate(row, name) for row in rows], neutral)
        axes.set_ylabel(words, fontsize=9)
        axes.set_xlabel("patients fitted on (logarithmic)", fontsize=9)
        plain(axes)
    figure.suptitle(f"{table.title}; out of fold, 95% intervals", fontsize=10, x=0.01, ha="left")
    return figure


def _curve(axes: Axes, patients: FloatArray, found: Sequence[Estimate | None], neutral: float | None) -> None:
    if neutral is not None:
        axes.axhline(neutral, color="0.6", lw=1, ls="--")
    held = [(n, one) for n, one in zip(patients.tolist(), found, strict=True) if one is not None]
    axes.plot([n for n, _ in held], [one.value for _, one in held], "-o", color=BLUE, ms=4.5, lw=1.6)
    for n, one in held:
        axes.plot([n, n], [one.low, one.high], color=BLUE, lw=1.2, alpha=0.8)
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(patients, [f"{n:.0f}" for n in patients], fontsize=8)
    axes.tick_params(axis="y", labelsize=8)


def ablation(table: FurtherTable, synthetic: bool) -> Figure | None:
    """Draw how every combination of terms differs from the whole equation, patient by patient."""
    rows = [row for row in table.rows if _estimate(row, DIFFERENCES[0][0]) is not None]
    if not rows:
        return None
    figure = blank(10.2, 1.3 + 0.3 * max(3, len(rows)), synthetic)
    panels = figure.subplots(1, len(DIFFERENCES), sharey=True)
    for axes, (name, words, side) in zip(panels, DIFFERENCES, strict=True):
        axes.axvline(0, color="0.6", lw=1, ls="--")
        for place, row in enumerate(rows):
            _difference(axes, place, _estimate(row, name), here=row.get("switched") is True)
        axes.set_xlabel(f"{words}\n({side})", fontsize=8.5)
        axes.tick_params(axis="x", labelsize=8)
        plain(axes)
    names = [str(row["terms"]) + (" (this experiment)" if row.get("switched") is True else "") for row in rows]
    panels[0].set_yticks(range(len(rows)), names, fontsize=8)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    figure.suptitle(f"{table.title}; paired 95% intervals", fontsize=10, x=0.01, ha="left")
    return figure


def _difference(axes: Axes, place: int, one: Estimate | None, *, here: bool) -> None:
    if one is None:
        return
    colour = BLUE if here else BLACK
    axes.plot([one.low, one.high], [place, place], color=colour, lw=2.2 if here else 1.3)
    axes.plot(one.value, place, "s" if here else "o", color=colour, ms=4.5)


def _estimate(row: Mapping[str, Cell], name: str) -> Estimate | None:
    cell = row.get(name)
    return cell if isinstance(cell, Estimate) and bool(np.isfinite(cell.value)) else None


OF_TABLE: dict[str, Callable[[FurtherTable, bool], Figure | None]] = {
    "learning_curve": learning_curve,
    "ablation": ablation,
}
"""Tables that have a figure of their own, by name."""
