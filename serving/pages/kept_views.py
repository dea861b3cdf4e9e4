"""KeptViews: what a page computed, kept while it is still true enough, and said to be of which record.

A view is made anew when the log has grown and the kept one is older than a minute, so that a page under traffic is not
drawn again for every prediction that came. Every page says up to which record it counts.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Made = TypeVar("Made")

LONGEST_S, CATCHING_UP_S = 60.0, 2.0
"""Seconds for which a view may be shown while the log grows, and while a long log is still being read."""
MOST = 160
"""Views and drawings kept; a drawing has up to 0.6 MB."""


@dataclass
class KeptViews:
    """Views by what was asked, the least used thrown away first."""

    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[Hashable, tuple[int, float, Any]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable, covered: int, make: Callable[[], Made], longest_s: float = LONGEST_S) -> Made:
        """Return what was kept under a key, or make it.

        Parameters
        ----------
        covered
            Number of the last record that the log's columns cover now.
        longest_s
            Seconds for which a view of an earlier record may be shown.
        """
        with self._lock:
            found = self._kept.get(key)
            if found is not None and (found[0] == covered or self.clock() - found[1] < longest_s):
                self._kept.move_to_end(key)
                kept: Made = found[2]
                return kept
        made = make()
        with self._lock:
            self._kept[key] = (covered, self.clock(), made)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return made


def longest(behind: int) -> float:
    """Return for how long a view may be shown, by how many records were still to be read when it was made.

    Keep views made while records were missing under a key of their own, so that they go when the last was read.
    """
    return CATCHING_UP_S if behind else LONGEST_S
