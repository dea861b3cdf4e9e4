"""A finished run on the terminal: one table per set of patients, our model beside its rivals, and where things lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from training.judged import MODEL
from training.palette import TITLES
from training.report import signed

if TYPE_CHECKING:
    from rich.console import Console

    from experiments.finish import Run
    from training.further import FurtherTable
    from training.judged import Row

COLUMNS = (("AUROC", "auroc"), ("Brier", "brier"), ("CITL", "citl"), ("slope", "slope"))
"""Shown on the terminal; the report has them all."""

WIDE = 116
"""Characters of a line into which every column fits with its interval; narrower terminals show fewer, none cut."""

NARROW = (("AUROC", "auroc"), ("slope", "slope"))
"""Shown where lines are shorter."""


def print_run(run: Run, console: Console) -> None:
    """Print the tables, the notes that matter, and what to do next."""
    if run.experiment.synthetic:
        console.print("[bold red]SYNTHETIC[/bold red]: invented cases; nothing here is about patients.")
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in run.evaluation.rows:
        groups.setdefault((row.scene, row.cohort), []).append(row)
    for (scene, cohort), rows in groups.items():
        console.print(_table(f"{cohort} ({scene})", rows, COLUMNS if console.width >= WIDE else NARROW))
    for table in run.further:
        console.print(_further(table))
    console.print(f"report    {run.report}")
    console.print(f"artefact  {run.folder / 'artefact'}  {run.model.identity.digest}")
    if run.tracked is not None:
        console.print(f"tracked   {run.tracked.name} version {run.tracked.version}, alias challenger")
        console.print(f"next      oncorespond promote {run.tracked.name}")


def _further(one: FurtherTable) -> Table:
    table = Table(title=one.title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, caption_justify="left")
    for _, heading in one.columns:
        table.add_column(heading, overflow="fold")
    for cells in one.cells():
        table.add_row(*cells, style="bold" if MODEL in cells else None)
    table.caption = "\n".join(one.notes)
    return table


def _table(title: str, rows: list[Row], columns: tuple[tuple[str, str], ...] = COLUMNS) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, caption_justify="left")
    table.add_column("predictor", overflow="fold")
    for name in ("events/n", *(title for title, _ in columns), "our AUROC less"):
        table.add_column(name, justify="right", no_wrap=True)
    if hidden := [title for title, metric in COLUMNS if (title, metric) not in columns]:
        table.caption = f"{' and '.join(hidden)}: in the report, and on a terminal of {WIDE} characters"
    for row in rows:
        style = "bold" if row.predictor == MODEL else None
        cells = [_cell(row, metric) for _, metric in columns]
        table.add_row(_title(row), f"{row.events}/{row.n}", *cells, _difference(row), style=style)
    return table


def _title(row: Row) -> str:
    return TITLES.get(row.predictor, row.predictor)


def _cell(row: Row, metric: str) -> str:
    one = row.metrics.get(metric)
    if one is None or not np.isfinite(one.value):
        return "-"
    low_high = f"\n[dim]{one.low:.3f}…{one.high:.3f}[/dim]" if np.isfinite(one.low) else ""
    return f"{one.value:.3f}{low_high}"


def _difference(row: Row) -> str:
    one = row.against_model
    return "" if one is None else f"{signed(one.difference)}\n[dim]{signed(one.low)}…{signed(one.high)}[/dim]"


def run_json(run: Run) -> dict[str, Any]:
    """Return a run as one JSON-ready object."""
    tracked = run.tracked
    return {
        "name": run.experiment.name,
        "synthetic": run.experiment.synthetic,
        "digest": run.model.identity.digest,
        "artefact": str(run.folder / "artefact"),
        "report": str(run.report),
        "version": None if tracked is None else tracked.version,
        "run_id": None if tracked is None else tracked.run_id,
        "rows": [row.to_dict() for row in run.evaluation.rows],
        "further": [table.to_dict() for table in run.further],
    }
