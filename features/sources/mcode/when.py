"""Dates of FHIR: whole, of a month, of a year; compared by the calendar day as it was written."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from features.sources.mcode.plain import record, text

if TYPE_CHECKING:
    from features.sources.mcode.plain import Json

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](?:(\d\d):(\d\d)(?::(\d\d))?)?.*)?)?)?", re.DOTALL)
MIDDLE_DAY = 15
"""Day that stands for a date of which only the month is known; the reader is told (``partial_date``)."""


class When(NamedTuple):
    """A date.

    Attributes
    ----------
    day
        Proleptic Gregorian ordinal; the 15th where only the month is known, 1 July where only the year is.
    precision
        How much was written.
    second
        Seconds since midnight as written, None where no time of day was.
    """

    day: int
    precision: Literal["day", "month", "year"] = "day"
    second: int | None = None

    @property
    def iso(self) -> str:
        """Return ``YYYY-MM-DD``."""
        return date.fromordinal(self.day).isoformat()


def read_date(value: object) -> When | None:
    """Read a date, dateTime or instant as written; its offset is not used. None for anything else.

    Examples
    --------
    >>> read_date("2021-02-06T17:15:00+05:00").iso, read_date("2018-03").precision, read_date("<dateTime>")
    ('2021-02-06', 'month', None)
    """
    written = text(value)
    return _read(written) if written else None


@lru_cache(maxsize=8192)
def _read(written: str) -> When | None:
    hit = _DATE.fullmatch(written)
    if hit is None:
        return None
    year, month, day = int(hit[1]), hit[2], hit[3]
    try:
        if day:
            second = int(hit[4]) * 3600 + int(hit[5]) * 60 + int(hit[6] or 0) if hit[4] else None
            return When(date(year, int(month), int(day)).toordinal(), "day", second)
        if month:
            return When(date(year, int(month), MIDDLE_DAY).toordinal(), "month")
        return When(date(year, 7, 1).toordinal(), "year")
    except ValueError:
        return None


def start_and_end(body: Json, name: str) -> tuple[When | None, When | None]:
    """Return start and end of ``<name>Period``, or of ``<name>DateTime`` / ``<name>Instant`` taken for both."""
    for kind in ("DateTime", "Instant", "Date"):
        moment = read_date(body.get(name + kind))
        if moment is not None:
            return moment, moment
    if f"{name}Timing" not in body and f"{name}Period" not in body:
        return None, None
    timing = [found for item in _events(body.get(f"{name}Timing")) if (found := read_date(item)) is not None]
    if timing:
        return min(timing), max(timing)
    period = record(body.get(f"{name}Period"))
    return read_date(period.get("start")), read_date(period.get("end"))


def _events(timing: object) -> list[object]:
    events = record(timing).get("event")
    return events if isinstance(events, list) else []


def observed(body: Json) -> When | None:
    """Return the clinically relevant date of an Observation or a report: effective, else issued."""
    start, end = start_and_end(body, "effective")
    return end or start or read_date(body.get("issued"))


def collected(body: Json) -> When | None:
    """Return when a Specimen was taken, else received."""
    start, end = start_and_end(record(body.get("collection")), "collected")
    return end or start or read_date(body.get("receivedTime"))
