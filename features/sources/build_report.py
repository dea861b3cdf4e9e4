"""What a build did with its source: every row, column and value that did not arrive is counted here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_ROWS = 20
"""Row numbers that a reason lists before it only counts."""


@dataclass
class BuildReport:
    """Counts of what was read, kept, left out and not understood.

    Attributes
    ----------
    left_out
        Reason to the row numbers (from 1, below the header) of the clinical table.
    unreadable
        Field to source values that do not fit it, with counts; they became unknown.
    made_unknown
        Field and rule to the number of values that the manifest declares unknown.
    absent_columns
        Optional columns that this source lacks.
    not_used, after_index, unmapped
        Columns that were not read: with the manifest's reason, because they come after the index date, or because
        nobody has said anything about them.
    findings
        Counts of the variant tables.
    """

    source: str = ""
    source_sha256: str = ""
    sheet: str | None = None
    arm: str | None = None
    rows_read: int = 0
    cases: int = 0
    left_out: dict[str, list[int]] = field(default_factory=dict)
    unreadable: dict[str, Counter[str]] = field(default_factory=dict)
    made_unknown: Counter[str] = field(default_factory=Counter)
    missing: dict[str, int] = field(default_factory=dict)
    absent_columns: list[str] = field(default_factory=list)
    not_used: dict[str, str] = field(default_factory=dict)
    after_index: list[str] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Counter[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, reason: str, rows: Iterable[int]) -> None:
        """Record rows that did not become cases."""
        rows = list(rows)
        if rows:
            self.left_out.setdefault(reason, []).extend(rows)

    def count_unreadable(self, name: str, value: str, times: int) -> None:
        """Record a value that its field cannot hold."""
        self.unreadable.setdefault(name, Counter())[value] += times

    def count_finding(self, table: str, what: str, times: int) -> None:
        """Record rows of a variant table."""
        if times:
            self.findings.setdefault(table, Counter())[what] += times

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values in a fixed order."""
        return {
            "source": self.source,
            "source_sha256": self.source_sha256,
            "sheet": self.sheet,
            "arm": self.arm,
            "rows_read": self.rows_read,
            "cases": self.cases,
            "left_out": [
                {"reason": reason, "count": len(rows), "rows": rows[:MOST_ROWS]}
                for reason, rows in self.left_out.items()
            ],
            "unreadable": {name: dict(sorted(values.items())) for name, values in self.unreadable.items()},
            "made_unknown": dict(self.made_unknown),
            "missing": self.missing,
            "absent_columns": self.absent_columns,
            "not_used": self.not_used,
            "after_index": self.after_index,
            "unmapped": self.unmapped,
            "outcomes": dict(self.outcomes),
            "findings": {name: dict(counts) for name, counts in self.findings.items()},
            "notes": self.notes,
        }
