"""The search behind GET /fhir/AuditEvent: a stretch of time, in the order of the log, a page at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from features.errors import seen_text
from serving.audit.reading import CLEAR
from serving.audit.tables import RECORDS
from serving.fhir.refusals import WrongSearch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.audit.database import Database
    from serving.audit.reading import Row

DEFAULT_COUNT, MOST_COUNT = 100, 1000
_NAMES = ("date", "_count", "_after", "_format")
_NUMBER = re.compile(r"[0-9]{1,18}")
"""What a column of eight bytes holds."""
_DATE = re.compile(r"(ge|lt)(\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z)?)")


@dataclass(frozen=True)
class Search:
    """What is looked for: records from ``since`` on and before ``until`` (UTC texts), behind number ``after``."""

    since: str | None = None
    until: str | None = None
    after: int = 0
    count: int = DEFAULT_COUNT


def read_search(parameters: Sequence[tuple[str, str]]) -> Search:
    """Read search parameters: ``date=ge...``, ``date=lt...``, ``_count``, and ``_after`` of a link we gave.

    Raises
    ------
    WrongSearch
        When one is unknown, or cannot be read; nothing is ignored.

    Examples
    --------
    >>> read_search([("date", "ge2026-11-01"), ("_count", "5")])
    Search(since='2026-11-01', until=None, after=0, count=5)
    """
    limits: dict[str, str] = {}
    numbers = {"_count": DEFAULT_COUNT, "_after": 0}
    for name, value in parameters:
        if name not in _NAMES:
            raise WrongSearch(f"there is no search parameter {seen_text(name)}", allowed=_NAMES)
        if name == "date":
            prefix, limit = _limit(value)
            limits[prefix] = limit
        elif name in numbers:
            numbers[name] = _number(name, value)
    return Search(limits.get("ge"), limits.get("lt"), numbers["_after"], min(numbers["_count"], MOST_COUNT))


def _limit(value: str) -> tuple[str, str]:
    found = _DATE.fullmatch(value)
    if found is None:
        raise WrongSearch(f"{seen_text(value)} is no date", field="date", allowed=["ge2026-11-01", "lt2026-12-01"])
    return found[1], found[2]


def _number(name: str, value: str) -> int:
    if not _NUMBER.fullmatch(value) or (name == "_count" and int(value) < 1):
        raise WrongSearch(f"{seen_text(value)} is no whole number from 1 on", field=name)
    return int(value)


def page_of(database: Database, search: Search) -> tuple[list[Row], list[tuple[str, str]]]:
    """Return the clear columns of one page, and the parameters of the next; none when this is the last."""
    conditions = [RECORDS.c.seq > search.after]
    if search.since is not None:
        conditions.append(RECORDS.c.time >= search.since)
    if search.until is not None:
        conditions.append(RECORDS.c.time < search.until)
    query = sa.select(*CLEAR).where(*conditions).order_by(RECORDS.c.seq).limit(search.count + 1)
    with database.reading() as connection:
        rows: list[Row] = [dict(row) for row in connection.execute(query).mappings()]
    if len(rows) <= search.count:
        return rows, []
    rows = rows[: search.count]
    return rows, _next(search, rows[-1]["seq"])


def _next(search: Search, last: int) -> list[tuple[str, str]]:
    found = [("_after", str(last)), ("_count", str(search.count))]
    limits = (("ge", search.since), ("lt", search.until))
    return found + [("date", f"{prefix}{limit}") for prefix, limit in limits if limit is not None]
