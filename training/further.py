"""Tables beside the main one: plain data that the terminal, the JSON files and the report all show."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bootstrap import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Cell = str | int | float | bool | Estimate | None
"""Words, a count, a number, a number with its 95% interval, or nothing."""


@dataclass(frozen=True, eq=False)
class FurtherTable:
    """One table.

    Attributes
    ----------
    name
        Of its file: ``tables/<name>.json``.
    title
        One line for people.
    columns
        Key in the rows and heading, in order.
    rows
        One mapping per line; a key that a row lacks is an empty cell.
    notes
        Sentences below the table: what was left out, what was not scored.
    """

    name: str
    title: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Mapping[str, Cell], ...]
    notes: tuple[str, ...] = field(default_factory=tuple)

    def cells(self) -> list[list[str]]:
        """Return every cell in words, row by row.

        Examples
        --------
        >>> table = FurtherTable("x", "X", (("a", "A"), ("b", "B")), ({"a": Estimate(0.5, 0.25, 0.75), "b": 3},))
        >>> table.cells()
        [['0.500 (0.250 to 0.750)', '3']]
        """
        return [[cell_words(key, row.get(key)) for key, _ in self.columns] for row in self.rows]

    def texts(self) -> list[bool]:
        """Return for each column whether words stand in it; numbers are set to the right, words to the left."""
        return [any(isinstance(row.get(key), str) for row in self.rows) for key, _ in self.columns]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; NaN becomes None."""
        return {
            "name": self.name,
            "title": self.title,
            "columns": [{"key": key, "heading": heading} for key, heading in self.columns],
            "rows": [{key: _plain(value) for key, value in row.items()} for row in self.rows],
            "notes": list(self.notes),
        }


def cell_words(key: str, cell: Cell) -> str:
    """Return a cell of one column as people read it; predictors by their titles.

    Examples
    --------
    >>> cell_words("predictor", "default_lightgbm"), cell_words("cohort", "oak")
    ('default LightGBM', 'oak')
    """
    if key == "predictor":
        from training.palette import TITLES  # which loads Matplotlib

        return TITLES.get(str(cell), str(cell))
    return in_words(cell)


def in_words(cell: Cell) -> str:
    """Return a cell as people read it: three decimals, the interval in brackets, a dash for what is undefined."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, Estimate):
        if not np.isfinite(cell.value):
            return "-"
        interval = f" ({cell.low:.3f} to {cell.high:.3f})" if np.isfinite(cell.low) else ""
        return f"{cell.value:.3f}{interval}"
    if isinstance(cell, float):
        return f"{cell:.3f}" if np.isfinite(cell) else "-"
    return str(cell)


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Estimate):
        return {name: _plain(float(getattr(cell, name))) for name in ("value", "low", "high")}
    if isinstance(cell, float):
        return cell if np.isfinite(cell) else None
    return cell


def write_further(tables: Sequence[FurtherTable], folder: Path) -> list[Path]:
    """Write one JSON file per table and return them; no table, no folder."""
    if tables:
        folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        place = folder / f"{table.name}.json"
        place.write_text(json.dumps(table.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        written.append(place)
    return written
