"""Cells of CSV files: nothing that came from outside may be taken for a formula by a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORMULA = frozenset({"=", "+", "-", "@", "\t", "\r"})
"""First characters that make a text a formula."""


def plain_cell(value: Any) -> Any:
    """Return a cell; a text that would be a formula gets an apostrophe before it. Numbers stay numbers.

    Examples
    --------
    >>> plain_cell("=HYPERLINK()"), plain_cell(-0.5), plain_cell("LUAD")
    ("'=HYPERLINK()", -0.5, 'LUAD')
    """
    if isinstance(value, str) and value[:1] in FORMULA:
        return f"'{value}"
    return value


def csv_bytes(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    r"""Return a table as CSV.

    Examples
    --------
    >>> csv_bytes(("a", "b"), [("=1+1", -0.5)])
    b"a,b\r\n'=1+1,-0.5\r\n"
    """
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(head)
    writer.writerows([[plain_cell(value) for value in row] for row in rows])
    return written.getvalue().encode()
