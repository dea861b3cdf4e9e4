"""What the audit commands share: which database and keys, and how rows are printed."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.audit.database import Database
    from serving.audit.keys import AuditKeys
    from serving.audit.reading import Row

DatabaseUrl = Annotated[str | None, typer.Option("--database", help="Default $ORP_DATABASE_URL, then audit/audit.db.")]
KeysFolder = Annotated[Path | None, typer.Option("--keys", help="By default $ORP_KEYS, then ./keys.")]


WIDEST = 220
"""Characters that a printed table may have: an id must never be cut, and a terminal scrolls or wraps."""


class Columns(Enum):
    """Columns of a printed list."""

    LIST = ("seq", "time", "kind", "status", "family", "therapy_class", "lineage", "probability", "record_id")


def database_of(url: str | None) -> Database:
    """Open the log's database as it is; a terminal makes or migrates it with ``audit migrate`` alone."""
    from serving.audit.database import Database

    return Database.open(url, migrate=False)


def all_keys(folder: Path | None) -> AuditKeys:
    """Load the keys of a folder, or of the default one."""
    from serving.audit.keys import keys_folder, load_keys

    return load_keys(keys_folder(folder))


def print_rows(rows: Sequence[Row], columns: Columns, as_json: bool) -> None:
    """Print rows as a table, or as one JSON object per line with every clear column."""
    if as_json:
        for row in rows:
            typer.echo(json.dumps(dict(row)))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in columns.value:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(_text(row[name]) for name in columns.value))
    Console(width=WIDEST).print(table)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else str(value)
