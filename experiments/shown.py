"""A finished run on the terminal: one table per set of patients, our model beside its rivals, and where things lie."""

from __future__ import annotations

import sys
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from models.bootstrap import Estimate
from training.further import cell_words
from training.judged import MODEL
from training.palette import TITLES
from training.report_tables import signed
from training.within_cohorts import COUNTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from experiments.finish import Run
    from training.further import Cell, FurtherTable
    from training.judged import Row

COLUMNS = (("AUROC", "auroc"), ("Brier", "brier"), ("CITL", "citl"), ("slope", "slope"))
"""Shown on the terminal; the report has them all."""

WIDE = 116
"""Characters of a line into which every column fits with its interval; narrower terminals show fewer, none cut."""

NARROW = (("AUROC", "auroc"), ("slope", "slope"))
"""Shown where lines are shorter."""

WIDTH_OF_A_FILE = 120
"""Characters of a line where the output is no terminal."""

WIDTH_OF_A_HEADING = 14
"""Characters after which the heading of a column goes on in the next line, between words."""


WIDTH_OF_WORDS = 22
"""Characters of a cell of words after which it goes on in the next line."""


def terminal() -> Console:
    """Return the terminal, or lines of one width where the output is a file or a pipe."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)


def print_run(run: Run, console: Console, *, whole: bool = True) -> None:
    """Print the tables, the notes that matter, and what to do next.

    Parameters
    ----------
    whole
        Print the further tables too (subgroups, local updates and what the file asks for); else name them.
    """
    if run.experiment.synthetic:
        console.print("[bold red]SYNTHETIC[/bold red]: invented cases; nothing here is about patients.")
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in run.evaluation.rows:
        groups.setdefault((row.scene, row.cohort), []).append(row)
    for (scene, cohort), rows in groups.items():
        console.print(_table(f"{cohort} ({scene})", rows, COLUMNS if console.width >= WIDE else NARROW))
    if whole:
        for table in run.further:
            console.print(further_table(table, console.width))
    elif run.further:
        console.print(f"also in the report: {'; '.join(table.title for table in run.further)}", highlight=False)
    console.print(f"report    {run.report}")
    console.print(f"artefact  {run.folder / 'artefact'}  {run.model.identity.digest}")
    if run.tracked is not None:
        console.print(f"tracked   {run.tracked.name} version {run.tracked.version}, alias challenger")
        console.print(f"next      oncorespond promote {run.tracked.name}")


def further_table(one: FurtherTable, width: int) -> Table:
    """Return as many columns of a table as fit into a line, each whole, and the rows that were scored."""
    rows = [row for row in one.rows if row.get("note") != COUNTED]
    columns = list(one.columns)
    while len(columns) > 2 and _width(columns, rows) > width:
        columns.pop()
    table = _plain(one.title)
    for _, heading in columns:
        table.add_column(_folded(heading))
    for row in rows:
        style = "bold" if row.get("predictor") == MODEL else None
        table.add_row(*(_further_cell(key, row.get(key)) for key, _ in columns), style=style)
    table.caption = "\n".join([*one.notes, *_left_out(one, columns, len(one.rows) - len(rows))])
    return table


def _left_out(one: FurtherTable, columns: list[tuple[str, str]], counted: int) -> list[str]:
    hidden = [
        heading for key, heading in one.columns if (key, heading) not in columns and (key != "note" or counted == 0)
    ]
    told = [f"{', '.join(hidden)}: in the report, and on a wider terminal."] if hidden else []
    return [*told, f"{counted} more, counted and not scored: in the report."] if counted else told


def _width(columns: list[tuple[str, str]], rows: list[Mapping[str, Cell]]) -> int:
    """Return how many characters a line of a table takes when nothing in it is broken."""
    widths = []
    for key, heading in columns:
        texts = [_folded(heading), *(_further_cell(key, row.get(key)) for row in rows)]
        widths.append(max(cell_len(Text.from_markup(line).plain) for text in texts for line in text.split("\n")))
    return sum(widths) + 3 * len(widths) + 1  # a blank on both sides of a column, a line between two, two edges


def _folded(heading: str) -> str:
    return "\n".join(wrap(heading, WIDTH_OF_A_HEADING, break_long_words=False))


def _further_cell(key: str, cell: Cell) -> str:
    """Return a cell; the interval of an estimate stands below it."""
    if isinstance(cell, Estimate):
        return _estimate(cell)
    words = cell_words(key, cell)
    return "\n".join(wrap(words, WIDTH_OF_WORDS)) if isinstance(cell, str) else words


def _plain(title: str) -> Table:
    return Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, caption_justify="left")


def _table(title: str, rows: list[Row], columns: tuple[tuple[str, str], ...] = COLUMNS) -> Table:
    table = _plain(title)
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
    return "-" if one is None else _estimate(one)


def _estimate(one: Estimate) -> str:
    if not np.isfinite(one.value):
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
