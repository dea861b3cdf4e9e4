"""Numbers, times and codes as pages write them. Unknown is written as a dash with words, never as zero."""

from __future__ import annotations

import math
from typing import Any

UNKNOWN = "\N{EN DASH}"
"""Stands where a number is not known; templates add ``not known`` for those who cannot see it."""

MINUS = "\N{MINUS SIGN}"
"""The minus sign, as wide as a plus."""


def percent(value: float | None, digits: int = 0) -> str:
    """Return a probability in percent.

    Examples
    --------
    >>> percent(0.4378), percent(0.004), percent(0.9996), percent(None) == UNKNOWN
    ('44%', '<1%', '>99%', True)
    """
    if value is None or math.isnan(value):
        return UNKNOWN
    least = 10.0 ** (-digits - 2)
    if 0 < value < least:
        return f"<{100 * least:.{digits}f}%"
    if 1 - least < value < 1:
        return f">{100 * (1 - least):.{digits}f}%"
    return f"{100 * value:.{digits}f}%"


def signed(value: float | None, digits: int = 2) -> str:
    """Return a log-odds with its sign.

    Examples
    --------
    >>> signed(0.214), signed(-0.0004), signed(-1.5) == MINUS + "1.50"
    ('+0.21', '0.00', True)
    """
    if value is None or math.isnan(value):
        return UNKNOWN
    written = f"{abs(value):.{digits}f}"
    if float(written) == 0:
        return written
    return ("+" if value > 0 else MINUS) + written


def number(value: Any, digits: int = 4) -> str:
    """Return a value as a clinician reads it: three or four figures, yes and no, a dash for unknown.

    Examples
    --------
    >>> number(12.30), number(240), number(True), number(None) == UNKNOWN, number("LUAD"), number(0.00012345)
    ('12.3', '240', 'yes', True, 'LUAD', '0.0001234')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def count(value: int | None) -> str:
    """Return a count with its thousands.

    Examples
    --------
    >>> count(1_000_000)
    '1,000,000'
    """
    return UNKNOWN if value is None else f"{value:,}"


def moment(time: str | None) -> str:
    """Return a time of the log to the second, without saying UTC (the column's head says it).

    Examples
    --------
    >>> moment("2026-11-22T17:41:36.123456Z")
    '2026-11-22 17:41:36'
    """
    return UNKNOWN if not time else time[:19].replace("T", " ")


def words(code: object) -> str:
    """Return a code in words.

    Examples
    --------
    >>> words("implausible_estimate")
    'implausible estimate'
    """
    return UNKNOWN if code in (None, "") else str(code).replace("_", " ")
