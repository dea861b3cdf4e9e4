"""Times that a person types: days and moments in UTC, compared with the log's own as texts, so checked before that."""

from __future__ import annotations

import re
from datetime import datetime

from features.errors import Refusal, seen_text

_FORM = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?")


class NotAMoment(Refusal):
    """A time that is no day and no moment in UTC."""

    code = "not_a_moment"


def moment(text: str | None, option: str) -> str | None:
    """Return a day or moment as the log's times can be compared with; None stays None.

    Parameters
    ----------
    text
        ``2026-11-22`` (the start of that day), ``2026-11-22T08:00`` or with seconds; a ``Z`` at the end is taken off.
    option
        How it was given, for the message.

    Raises
    ------
    NotAMoment
        Anything else: as a text it would lie before or after every record.

    Examples
    --------
    >>> moment("2026-11-22T08:00Z", "--since")
    '2026-11-22T08:00'
    >>> moment("yesterday", "--since")
    Traceback (most recent call last):
        ...
    serving.audit.moments.NotAMoment: --since: 'yesterday' is no time. Write UTC, such as 2026-11-22.
    """
    if text is None:
        return None
    plain = text.removesuffix("Z") if "T" in text else text
    if _FORM.fullmatch(plain) is None or not _is_of_the_calendar(plain):
        way_out = "Write UTC, such as 2026-11-22."
        raise NotAMoment(f"{seen_text(text)} is no time", field=option, way_out=way_out)
    return plain


def _is_of_the_calendar(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
