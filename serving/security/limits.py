"""How fast a caller may ask: one token bucket per caller, and a tighter one per address for credentials that failed."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from serving.security.refusals import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CALLERS = 10_000
"""Buckets kept; the one that was idle longest is dropped, which fills it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a second in the long run, and so many at once."""

    per_second: float
    burst: int


PER_CALLER = Rate(per_second=500.0, burst=1000)
"""Per worker; more than one answers: it holds a runaway client off the others, it does not ration."""

FAILED_LOGINS = Rate(per_second=0.2, burst=20)
"""Per address and worker: twenty wrong credentials, then one every five seconds. Guessing 256 bits is hopeless anyhow;
this keeps the log and the CPU from being filled."""


class Limiter:
    """Token buckets by name.

    Parameters
    ----------
    rate
        Of every bucket.
    clock
        Seconds that only go forward.

    Examples
    --------
    >>> now = [0.0]
    >>> limiter = Limiter(Rate(per_second=1.0, burst=2), lambda: now[0])
    >>> limiter.wait("a"), limiter.wait("a"), limiter.wait("a"), limiter.wait("b")
    (0.0, 0.0, 1.0, 0.0)
    >>> now[0] = 1.0
    >>> limiter.wait("a")
    0.0
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._guard = Lock()  # tokens are looked at in threads, keys in the event loop

    def wait(self, name: str, cost: float = 1.0) -> float:
        """Take from a bucket and return 0, or return the seconds until there is enough in it and take nothing."""
        with self._guard:
            level = self._level(name)
            short = cost - level
            self._put(name, level - cost if short <= 0 else level)
        return max(0.0, short / self._rate.per_second)

    def demand(self, name: str, words: str) -> None:
        """Take one, or refuse.

        Raises
        ------
        TooManyRequests
            With the seconds to wait.
        """
        seconds = self.wait(name)
        if seconds > 0:
            raise TooManyRequests(words, seconds)

    def _level(self, name: str) -> float:
        now = self._clock()
        level, then = self._buckets.get(name, (float(self._rate.burst), now))
        return min(float(self._rate.burst), level + (now - then) * self._rate.per_second)

    def _put(self, name: str, level: float) -> None:
        self._buckets[name] = (level, self._clock())
        self._buckets.move_to_end(name)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
