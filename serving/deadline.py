"""The deadline of a request: looked at between blocks of work; behind it nothing is computed, recorded or answered.

A caller that waits less than the site's deadline says so with ``Prefer: wait=SECONDS`` (RFC 7240, 4.3). The deadline
travels with the context of the request, so that every block of work finds it, in a thread of the pool as well; work
without a request (the terminal, shadow answers) has none.
"""

from __future__ import annotations

import math
import os
import re
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, ClassVar

from features.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VARIABLE = "ORP_DEADLINE_SECONDS"

DEFAULT_S = 30.0
"""Seconds from a request's arrival; what proxies before the service wait is a little more (docs/security.md)."""

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)

_ends: ContextVar[float] = ContextVar("deadline", default=math.inf)
"""When the request of this context ends, on the clock of ``time.perf_counter``."""


class DeadlineExceeded(Refusal):
    """The time of a request was over before its answer was recorded; nothing of it was recorded."""

    code: ClassVar[str] = "deadline_exceeded"
    http_status = 504


class DeadlineRefused(Refusal):
    """``$ORP_DEADLINE_SECONDS`` is no number of seconds above 0."""

    code: ClassVar[str] = "deadline_refused"


def site_deadline_s(environment: Mapping[str, str] = os.environ) -> float:
    """Return the longest time that a request may take, seconds: ``$ORP_DEADLINE_SECONDS``, or 30.

    Raises
    ------
    DeadlineRefused
        When it is no number above 0.

    Examples
    --------
    >>> site_deadline_s({}), site_deadline_s({"ORP_DEADLINE_SECONDS": "2.5"})
    (30.0, 2.5)
    """
    written = environment.get(VARIABLE) or str(DEFAULT_S)
    try:
        found = float(written)
    except ValueError:
        found = 0.0
    if not 0 < found < math.inf:
        raise DeadlineRefused(f"{VARIABLE} is no number of seconds above 0", way_out="Leave it out for 30.")
    return found


def seconds_of(headers: Iterable[tuple[bytes, bytes]], longest_s: float) -> float:
    """Return how long a request may take, seconds: what its caller prefers to wait, never longer than the site says.

    Parameters
    ----------
    headers
        As ASGI gives them. A preference that cannot be read is none, as RFC 7240 asks for.

    Examples
    --------
    >>> seconds_of([(b"prefer", b"respond-async, wait=5")], 30.0), seconds_of([(b"prefer", b"wait=x")], 30.0)
    (5.0, 30.0)
    >>> seconds_of([(b"prefer", b"wait=600")], 30.0)
    30.0
    """
    for name, value in headers:
        if name == b"prefer" and (read := _WAIT.search(value.decode("latin-1"))):
            return min(float(read[1]), longest_s)
    return longest_s


def begin(ends: float) -> None:
    """Say when the request of this context ends, on the clock of ``time.perf_counter``."""
    _ends.set(ends)


def time_left_s() -> float:
    """Return the seconds that are left to the request of this context; infinite outside of one."""
    return _ends.get() - time.perf_counter()


def check_deadline() -> None:
    """Go on, or end the request: call it between blocks of work.

    Raises
    ------
    DeadlineExceeded
        504.

    Examples
    --------
    >>> check_deadline()
    >>> import contextvars
    >>> contextvars.copy_context().run(lambda: (begin(time.perf_counter() - 1), check_deadline()))
    Traceback (most recent call last):
    serving.deadline.DeadlineExceeded: the time of this request was over before it was answered; nothing was recorded.
    Send fewer cases at once, or ask again.
    """
    if time.perf_counter() > _ends.get():
        raise DeadlineExceeded(
            "the time of this request was over before it was answered; nothing was recorded",
            way_out="Send fewer cases at once, or ask again.",
        )
